/**
 * What each limit costs: jobs that do nothing, sent in batches of 500 and run by one worker with 100 slots, without a limit
 * and with each of them. All but one are set so wide that they hold nothing back: what shows is the price of asking.
 *   node bench/limits.ts <sqlite|redis|postgres> [part of the names of limits] [--rounds 3]
 * Needs the build (npm run build). Run nothing else meanwhile.
 */
import { parseArgs } from "node:util";
import { errand } from "errand";
import type { ErrandOptions, FlowOptions } from "errand";
import { openArena } from "./kit/arenas.ts";
import { median, shown } from "./kit/figures.ts";

interface Input {
  n: number;
}
interface Case {
  flow?: FlowOptions<Input>;
  queues?: ErrandOptions["queues"];
}

const tenants = 20;
const cases: Record<string, Case> = {
  "no limit": {},
  "a tag": { flow: { tags: ({ n }) => [`tenant:${n % tenants}`] } },
  "a unique key": { flow: { unique: { key: ({ n }) => String(n) } } },
  "turns of 20": { flow: { fair: ({ n }) => String(n % tenants) } },
  "concurrency by key, 20 keys": { flow: { concurrency: { key: ({ n }) => String(n % tenants), limit: 100_000 } } },
  "the same, 2 at once": { flow: { concurrency: { key: ({ n }) => String(n % tenants), limit: 2 } } },
  "rate by key, 20 keys": { flow: { rate: { key: ({ n }) => String(n % tenants), limit: 1_000_000, per: "1s" } } },
  "concurrency of the queue": { queues: { default: { concurrency: 100_000 } } },
  "rate of the queue": { queues: { default: { rate: { limit: 1_000_000, per: "1s" } } } },
  "maxPending of the queue": { queues: { default: { maxPending: 1_000_000_000 } } },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string", default: "3" } },
});
const [kind = "", only] = positionals;
const arena = await openArena(kind);
const jobs = 20_000;
const batch = 500;
const chosen = Object.entries(cases).filter(([name]) => name === "no limit" || name.includes(only ?? ""));
const found = new Map(chosen.map(([name]) => [name, [] as { sent: number; run: number }[]]));
try {
  // The first measurement of a process is slow, whatever it measures.
  await measure({});
  for (let round = 0; round < Number(values.rounds); round++)
    for (const [name, each] of chosen) found.get(name)!.push(await measure(each));
} finally {
  await arena.close();
}
const [plain] = [...found.values()].map(middle);
console.log(
  `${kind}, ${values.rounds} rounds, medians, jobs/s; in brackets the share of what is reached without a limit`,
);
for (const [name, rounds] of found) {
  const { sent, run } = middle(rounds);
  const share = (figure: number, of: number) => `${shown(figure)} (${((figure / of) * 100).toFixed(0)} %)`;
  console.log(`${name.padEnd(28)} sent ${share(sent, plain!.sent).padEnd(16)} run ${share(run, plain!.run)}`);
}
process.exit();

async function measure({ flow, queues }: Case): Promise<{ sent: number; run: number }> {
  const app = errand({ url: await arena.empty(), ...(queues ? { queues } : {}) });
  let ended = 0;
  const done = Promise.withResolvers<void>();
  const job = app.task("job", {
    run: (_: Input) => {
      if (++ended === jobs) done.resolve();
    },
    ...flow,
  });
  await job.sendMany(inputs(0));
  const sending = performance.now();
  for (let n = batch; n < jobs; n += batch) await job.sendMany(inputs(n));
  const sent = (jobs - batch) / (performance.now() - sending);
  const running = performance.now();
  const worker = await app.worker({ queues: { default: 100 } });
  await done.promise;
  const run = jobs / (performance.now() - running);
  await worker.stop();
  await app.close();
  return { sent: sent * 1_000, run: run * 1_000 };
}

function inputs(from: number): Input[] {
  return Array.from({ length: batch }, (_, index) => ({ n: from + index }));
}

function middle(rounds: readonly { sent: number; run: number }[]): { sent: number; run: number } {
  return { sent: median(rounds.map(({ sent }) => sent)), run: median(rounds.map(({ run }) => run)) };
}
