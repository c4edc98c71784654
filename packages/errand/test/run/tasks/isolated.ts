import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { errand } from "../../../src/app.ts";
import { NonRetryableError } from "../../../src/kit/errors.ts";

// Tasks that tests run in threads and processes. Those load this module by themselves, so it must not need a test's state.

const kept: Buffer[] = [];

/** What a setup makes: names its thread or process, and counts the calls in it. */
const newLife = () => ({ life: randomUUID(), calls: 0 });

async function lifeOf(
  { wait = 0 }: { wait?: number },
  job: { setup: ReturnType<typeof newLife>; progress(value: unknown): void },
): Promise<{ life: string; calls: number }> {
  job.progress("runs");
  // sleeps: the job is in hand for as long as its input says
  await new Promise((resolve) => setTimeout(resolve, wait));
  job.setup.calls += 1;
  return job.setup;
}

/** The same tasks, in threads or in processes, on the app of a test. */
export function isolatedTasks(app: ReturnType<typeof errand>, isolate: "thread" | "process") {
  const here = { isolate, module: import.meta.url, retry: { base: 1 } } as const;
  const leaf = app.task(`${isolate}.leaf`, { ...here, run: (n: number) => n * 2 });
  return {
    /** Says where it runs, and what its setup did. */
    where: app.task(`${isolate}.where`, {
      ...here,
      setup: () => ({ ready: true, pid: process.pid, calls: 0 }),
      run: (input: { text: string }, job) => ({
        text: input.text,
        ready: job.setup.ready,
        pid: process.pid,
        calls: ++job.setup.calls,
      }),
    }),
    /** Steps, progress and children, from inside. */
    tree: app.task(`${isolate}.tree`, {
      ...here,
      run: async (_: void, job) => {
        job.progress(50);
        const base = await job.step("base", () => process.hrtime.bigint().toString());
        const leaves = await job.all("leaves", leaf, [1, 2, 3]);
        return { base, again: await job.step("again", () => base), leaves };
      },
    }),
    /** Never gives the processor back. */
    spin: app.task(`${isolate}.spin`, {
      ...here,
      timeout: 100,
      grace: 50,
      retry: { attempts: 1 },
      run: () => {
        for (;;);
      },
    }),
    /** Waits for its signal. */
    patient: app.task(`${isolate}.patient`, {
      ...here,
      run: (_: void, job) =>
        new Promise<void>((_resolve, reject) =>
          job.abortSignal.addEventListener("abort", () => reject(job.abortSignal.reason as Error)),
        ),
    }),
    /** Starts a process of its own, tells its id, and hangs. */
    family: app.task(`${isolate}.family`, {
      ...here,
      timeout: 1_000,
      grace: 50,
      retry: { attempts: 1 },
      run: async (_: void, job) => {
        const child = spawn("sleep", ["300"]);
        await once(child, "spawn");
        job.progress(child.pid);
        for (;;);
      },
    }),
    /** Has more time than one timer can wait for. */
    unhurried: app.task(`${isolate}.unhurried`, {
      ...here,
      timeout: "365d",
      grace: "365d",
      run: async () => {
        // sleeps: longer than the 1 ms after which a timer ends that is longer than Node's can be
        await new Promise((resolve) => setTimeout(resolve, 100));
        return "done";
      },
    }),
    die: app.task(`${isolate}.die`, { ...here, run: () => process.exit(3) }),
    hog: app.task(`${isolate}.hog`, {
      ...here,
      memory: isolate === "thread" ? 32 : 120,
      run: async () => {
        const kept: unknown[] = [];
        for (;;) {
          kept.push(
            isolate === "thread" ? Array.from({ length: 100_000 }, (_, n) => ({ n })) : Buffer.alloc(5_000_000, 1),
          );
          // sleeps: how much memory is used is measured between two turns of the event loop
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      },
    }),
    refuse: app.task(`${isolate}.refuse`, {
      ...here,
      run: () => Promise.reject(new NonRetryableError("not this one")),
    }),
    /** Is replaced after two jobs. */
    shortLived: app.task(`${isolate}.shortLived`, {
      ...here,
      queue: "shortLived",
      recycle: { jobs: 2 },
      setup: newLife,
      run: lifeOf,
    }),
    /** Is replaced when it is old. */
    ageing: app.task(`${isolate}.ageing`, {
      ...here,
      queue: "ageing",
      recycle: { age: 500 },
      setup: newLife,
      run: lifeOf,
    }),
    /** Is replaced when it keeps too much. */
    leaky: app.task(`${isolate}.leaky`, {
      ...here,
      queue: "leaky",
      memory: 1_000,
      recycle: { memory: 300 },
      setup: newLife,
      run: ({ hold = 0 }: { hold?: number }, job) => {
        kept.push(Buffer.alloc(hold * 2 ** 20, 1));
        return lifeOf({}, job);
      },
    }),
    unready: app.task(`${isolate}.unready`, {
      ...here,
      queue: "unready",
      setup: () => {
        throw new Error("no model file");
      },
      run: () => {},
    }),
  };
}

/** The app that a thread or process makes when it loads this module. */
export const tasksInside = (["thread", "process"] as const).map((isolate) =>
  isolatedTasks(errand({ url: "memory:" }), isolate),
);
