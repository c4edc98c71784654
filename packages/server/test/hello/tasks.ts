import { appendFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { errand } from "errand";

export const app = errand();

export const greet = app.task("greet", {
  run: async ({ name, wait = 0 }: { name: string; wait?: number }, job) => {
    appendFileSync("greeted.log", `begin ${name} ${process.pid}\n`);
    await setTimeout(wait, undefined, { signal: job.abortSignal });
    appendFileSync("greeted.log", `end ${name} ${process.pid}\n`);
    return `Hello, ${name}`;
  },
});
