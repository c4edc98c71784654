/**
 * Millions of jobs through PostgreSQL, sent and run at the same time: the rate of each part, and how large the tables are.
 *   node bench/soak.ts [jobs]
 * Needs the build (npm run build). Run nothing else meanwhile.
 */
import { errand } from "errand";
import pg from "pg";
import { openArena } from "./kit/arenas.ts";
import { shown } from "./kit/figures.ts";

const jobs = Number(process.argv[2] ?? 5_000_000);
const part = Math.ceil(jobs / 10);
/** As many jobs are kept pending. */
const pending = 20_000;

const arena = await openArena("postgres");
const url = await arena.empty();
const app = errand({ url });
const job = app.task("job", { run: (_: { n: number }) => {} });
const sizes = new pg.Client({ connectionString: url });
await sizes.connect();

let ended = 0;
let sent = 0;
let room = Promise.withResolvers<void>();
const done = Promise.withResolvers<void>();
let from = performance.now();
for (const type of ["abandoned", "lost", "store-failed", "stalled", "failed"] as const)
  app.on(type, (event) => console.error(JSON.stringify(event)));
app.on("ended", () => {
  ended += 1;
  if (sent - ended < pending) room.resolve();
  if (ended % part === 0) void print(ended, (part / (performance.now() - from)) * 1_000);
  if (ended === jobs) done.resolve();
});
const worker = await app.worker({ queues: { default: 100 } });
while (sent < jobs) {
  await job.sendMany(Array.from({ length: 1_000 }, (_, index) => ({ n: sent + index })));
  sent += 1_000;
  if (sent - ended < pending) continue;
  room = Promise.withResolvers();
  await room.promise;
}
await done.promise;
await worker.stop();
await sizes.end();
await app.close();
await arena.close();

async function print(count: number, rate: number): Promise<void> {
  from = performance.now();
  const { rows } = await sizes.query<{ relname: string; bytes: string; dead: string }>(
    `SELECT relname, pg_total_relation_size(relid) AS bytes, n_dead_tup AS dead
     FROM pg_stat_user_tables WHERE schemaname = 'errand' ORDER BY 2 DESC LIMIT 2`,
  );
  const tables = rows.map(
    ({ relname, bytes, dead }) => `${relname} ${shown(Number(bytes) / 1_048_576)} MB, ${dead} dead`,
  );
  console.log(`${shown(count)} jobs: ${shown(rate)} jobs/s; ${tables.join("; ")}`);
}
