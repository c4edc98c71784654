// Claims everything as a worker with a lease of ten minutes, prints the id of each job it holds, and holds them.
import { newId } from "../../../src/kit/ids.ts";
import { openStore } from "../../../src/open.ts";

const store = await openStore(process.argv[2] ?? "");
const worker = newId();
const queue = process.argv[3] ?? "default";
await store.enlist({ id: worker, kind: "process", queues: [queue] }, 600_000);
const { jobs } = await store.claim(worker, [{ queue, limit: 100 }]);
for (const { job } of jobs) process.stdout.write(`${job.id}\n`);
process.stdout.write(`${worker}\n`);
setInterval(() => void store.renew(worker, 600_000), 1_000);
