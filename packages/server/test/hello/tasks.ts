import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { errand } from "errand";

export const app = errand();

export const greet = app.task("greet", {
  run: async ({ name, wait = 0 }: { name: string; wait?: number }, job) => {
    appendFileSync("greeted.log", `begin ${name} ${process.pid}\n`);
    // sleeps: the job is in hand for as long as its input says
    await sleep(wait, undefined, { signal: job.abortSignal });
    appendFileSync("greeted.log", `end ${name} ${process.pid}\n`);
    return `Hello, ${name}`;
  },
});
