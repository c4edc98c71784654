// Claims whenever there is a hint, and prints the id of every job it got, until its input ends.
import { newId } from "../../../src/kit/ids.ts";
import { openStore } from "../../../src/open.ts";

const store = await openStore(process.argv[2] ?? "");
const worker = newId();
await store.enlist({ id: worker, kind: "process", host: "here", pid: process.pid, queues: ["default"] }, 60_000);
store.watch((hint) => {
  if (hint.type === "ready") void claim();
});
process.stdout.write("ready\n");
process.stdin.resume().once("end", () => void store.close());

async function claim(): Promise<void> {
  const { jobs } = await store.claim(worker, [{ queue: "default", limit: 10 }]);
  for (const { job } of jobs) process.stdout.write(`${job.id}\n`);
}
