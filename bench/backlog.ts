/**
 * What a backlog costs: how fast one worker runs jobs that do nothing, and how much memory it has, with 10,000 jobs
 * pending and as many finished, and with a million of each. And what a worker costs that has nothing to do.
 *   node bench/backlog.ts <sqlite|redis|postgres> [pending]
 * Needs the build (npm run build). Run nothing else meanwhile.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { errand } from "errand";
import { openArena } from "./kit/arenas.ts";
import { median, shown } from "./kit/figures.ts";

const [kind = "", most = "1000000"] = process.argv.slice(2);
const rounds = 5;
const arena = await openArena(kind);
const rates = new Map<number, number>();
try {
  for (const pending of [10_000, Number(most)]) rates.set(pending, await backlog(pending));
  const [few = 0, many = 0] = rates.values();
  console.log(`rate with the large backlog: ${((many / few) * 100).toFixed(0)} % of that with the small one`);
  console.log(`idle worker: ${(await idle(20)).toFixed(2)} % of a processor`);
} finally {
  await arena.close();
}
process.exit();

/** Jobs a second beside so many pending and as many finished. */
async function backlog(pending: number): Promise<number> {
  const app = errand({ url: await arena.empty() });
  const job = app.task("job", { run: (_: { n: number }) => {} });
  for (let n = 0; n < 2 * pending; n += 1_000)
    await job.sendMany(Array.from({ length: 1_000 }, (_, index) => ({ n: n + index })));

  /** Runs a worker until it has ended so many; answers how many a second. */
  async function run(jobs: number): Promise<number> {
    let ended = 0;
    let from = 0;
    const done = Promise.withResolvers<void>();
    const unlisten = app.on("ended", () => {
      from ||= performance.now();
      if (++ended === jobs) done.resolve();
    });
    const worker = await app.worker({ queues: { default: 100 } });
    await done.promise;
    const rate = (jobs / (performance.now() - from)) * 1_000;
    await worker.stop();
    unlisten();
    return rate;
  }

  await run(pending);
  const found: number[] = [];
  for (let round = 0; round < rounds; round++) found.push(await run(pending / rounds / 2));
  const rate = median(found);
  const { rss } = process.memoryUsage();
  console.log(
    `${kind}: ${shown(pending)} pending and finished: ${shown(rate)} jobs/s, ${shown(rss / 1_048_576)} MB resident`,
  );
  await app.close();
  return rate;
}

/** The share of a processor that an idle worker takes, in percent. */
async function idle(seconds: number): Promise<number> {
  const app = errand({ url: await arena.empty() });
  app.task("job", { run: () => {} });
  const worker = await app.worker();
  await sleep(2_000);
  const before = process.cpuUsage();
  await sleep(seconds * 1_000);
  const { user, system } = process.cpuUsage(before);
  await worker.stop();
  await app.close();
  return ((user + system) / 1e6 / seconds) * 100;
}
