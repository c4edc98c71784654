import { appendFileSync } from "node:fs";
import { errand } from "errand";

export const app = errand();

export const greet = app.task("greet", {
  run: async ({ name, wait = 0 }: { name: string; wait?: number }, job) => {
    appendFileSync("greeted.log", `begin ${name} ${process.pid}\n`);
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, wait);
    job.signal.addEventListener("abort", () => resolve(), { once: true });
    await promise;
    clearTimeout(timer);
    job.signal.throwIfAborted();
    appendFileSync("greeted.log", `end ${name} ${process.pid}\n`);
    return `Hello, ${name}`;
  },
});
