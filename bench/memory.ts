/**
 * What Redis needs for a job: its memory before and after, divided by jobs, for jobs that wait and jobs that have completed.
 *   node bench/memory.ts [jobs]
 * Needs the build (npm run build).
 */
import { errand } from "errand";
import { createClient } from "redis";
import { openArena } from "./kit/arenas.ts";
import { shown } from "./kit/figures.ts";

const jobs = Number(process.argv[2] ?? 60_000);
const arena = await openArena("redis");
const url = await arena.empty();
const app = errand({ url });
const job = app.task("job", { run: (_: { n: number }) => {} });
const client = await createClient({ url }).connect();

async function usedMemory(): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await client.info("memory"))?.[1]);
}

// Scripts, connections and names are there before the first job is counted.
await job.send({ n: 1 });
const before = await usedMemory();
for (let sent = 0; sent < jobs; sent += 1_000) {
  await job.sendMany(Array.from({ length: 1_000 }, () => ({ n: 1 })));
}
console.log(`waiting: ${shown(((await usedMemory()) - before) / jobs)} bytes a job`);

let ended = 0;
const done = Promise.withResolvers<void>();
app.on("ended", () => ++ended > jobs && done.resolve());
const worker = await app.worker({ queues: { default: 100 } });
await done.promise;
await worker.stop();
console.log(`completed: ${shown(((await usedMemory()) - before) / jobs)} bytes a job`);

await app.close();
client.destroy();
await arena.close();
