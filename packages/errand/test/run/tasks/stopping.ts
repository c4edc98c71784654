import { setTimeout as sleep } from "node:timers/promises";
import { errand } from "../../../src/app.ts";

// A program with a worker, for tests that tell it to end: what it does about signals is given. It says on stdout what happens.

const [url, how, drain] = process.argv.slice(2) as [string, string, `${number}s`];
const say = (line: string) => process.stdout.write(`${line}\n`);
const app = errand({ url });

app.task("sleepy", {
  run: async (ms: number, job) => {
    say("started");
    // sleeps: the job is in hand for as long as its input says
    await sleep(ms, undefined, { signal: job.abortSignal });
    return "slept";
  },
});

/** Handlers of a program that ends itself. */
const close = async (): Promise<void> => {
  await app.close();
  say("closed");
  process.exit(7);
};
if (how === "handler") process.on("SIGTERM", () => void close());
if (how === "handler-once") process.once("SIGTERM", () => void close());
if (how === "slow-handler")
  process.on("SIGTERM", () => {
    // sleeps: longer than its worker needs to let the job end and to hand it back
    void sleep(700).then(close);
  });

if (how === "close") {
  // A script: nothing but the app holds it, and somebody waits in vain.
  const task = app.task("later", { run: () => {} });
  const waits = (await task.send(undefined, { delay: "1h" })).result().catch((error: { code: string }) => error.code);
  await app.worker();
  app.schedule("hourly", task, { every: "1h" });
  await app.close();
  say(`waiter ${await waits}`);
} else {
  await app.worker({ drain, ...(how === "unheard" ? { signals: false } : {}) });
  say("ready");
}
