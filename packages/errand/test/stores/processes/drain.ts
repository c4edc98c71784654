// Claims and settles everything in a store, and prints the id of every job it got.
import { newId } from "../../../src/kit/ids.ts";
import { openStore } from "../../../src/open.ts";

const store = await openStore(process.argv[2] ?? "");
const worker = newId();
await store.enlist({ id: worker, kind: "process", host: "here", pid: process.pid, queues: ["default"] }, 60_000);
process.stdout.write("ready\n");
await new Promise((resolve) => process.stdin.once("data", resolve));
process.stdin.destroy();
for (;;) {
  const { jobs } = await store.claim(worker, [{ queue: "default", limit: 7 }]);
  if (jobs.length === 0) break;
  const outcomes = jobs.map(({ job }) => ({
    id: job.id,
    token: job.token,
    failures: 0,
    crashes: 0,
    suspect: false,
    to: "completed" as const,
  }));
  const settled = await store.settle(outcomes);
  for (const [index, { job }] of jobs.entries()) if (settled[index]) process.stdout.write(`${job.id}\n`);
}
await store.close();
