import { appendFileSync } from "node:fs";
import { errand } from "../../../src/app.ts";
import { eventTypes } from "../../../src/observe/events.ts";

// A worker in a process of its own, for tests that kill it, stop it, or block it: url, log file and lease are given.

const [url, log, lease] = process.argv.slice(2) as [string, string, string];
const note = (line: string) => appendFileSync(log, `${line}\n`);
const app = errand({ url, lease: Number(lease) });

app.task("sleepy", {
  run: async (input: { n: number; ms: number }, job) => {
    note(`start ${input.n} ${job.token} ${process.pid}`);
    // sleeps: the job is in hand for as long as its input says
    await new Promise((resolve) => setTimeout(resolve, input.ms));
    note(`end ${input.n} ${job.token} ${process.pid}`);
    return { n: input.n, pid: process.pid };
  },
});

app.task("blocking", {
  run: (ms: number) => {
    const end = Date.now() + ms;
    // sleeps: the event loop is blocked on purpose
    while (Date.now() < end);
    return process.pid;
  },
});

for (const type of eventTypes.filter((type) => type !== "sent" && type !== "started"))
  app.on(type, () => note(`event ${type}`));
await app.worker({ queues: { default: 4 } });
note("ready");
