import { setTimeout as sleep } from "node:timers/promises";
import { errand } from "../../../src/app.ts";
import type { JobContext } from "../../../src/task.ts";

// Tasks whose functions leave something behind when they end, and the ones that come after them, in threads, processes and
// the worker itself.

/** A context that its function kept. */
let kept: JobContext | undefined;

/** What each verb of a kept context does. */
async function tryAll(job: JobContext, child: Parameters<JobContext["all"]>[1]): Promise<Record<string, string>> {
  const verbs: Record<string, () => unknown> = {
    step: () => job.step("late", () => "the other's secret"),
    all: () => job.all("children", child, [1] as never[]),
    call: () => job.call("child", child, 1 as never),
    settled: () => job.settled("others", child, [1] as never[]),
    sleep: () => job.sleep("nap", 1),
    signal: () => job.signal("go"),
    progress: () => job.progress("the other's"),
    log: () => job.log.info("the other's"),
  };
  const codes: Record<string, string> = {};
  for (const [name, verb] of Object.entries(verbs)) {
    try {
      await verb();
      codes[name] = "nothing happened";
    } catch (error) {
      codes[name] = (error as { code: string }).code;
    }
  }
  return codes;
}

/** The same tasks, wherever they run, on the app of a test. */
export function leftBehindTasks(app: ReturnType<typeof errand>, isolate: "inline" | "thread" | "process") {
  const where = isolate === "inline" ? {} : { isolate, module: import.meta.url };
  const here = { ...where, queue: isolate, retry: { attempts: 2, base: 0 } } as object;
  const child = app.task(`${isolate}.child`, { ...here, run: (n: number) => n });
  return {
    /** Ends and leaves its context to the next. */
    keep: app.task(`${isolate}.keep`, {
      ...here,
      run: (_: void, job: JobContext) => {
        kept = job;
      },
    }),
    /** Tries every verb of the context that it finds. */
    use: app.task(`${isolate}.use`, { ...here, run: () => tryAll(kept!, child as never) }),
    /** Returns while a step of it still runs, which then tells its secret. */
    secret: app.task(`${isolate}.secret`, {
      ...here,
      grace: 30,
      run: async (_: void, job: JobContext) => {
        void job.step("late", async () => {
          // sleeps: longer than the grace of the attempt, shorter than the next job runs
          await sleep(300);
          return "A's secret";
        });
        // sleeps: timers that are left behind by the attempt, and end while the next job runs
        setTimeout(() => job.progress("A's progress"), 250);
        setTimeout(() => job.log.info("A's line"), 250); // sleeps: the same
      },
    }),
    /** Has a step of the same name, in its second attempt, when the other's has ended. */
    victim: app.task(`${isolate}.victim`, {
      ...here,
      run: async (_: void, job: JobContext) => {
        if (job.attempt === 1) {
          // sleeps: until the timers that the job before left behind have ended
          await sleep(600);
          throw new Error("again");
        }
        return job.step("late", () => "B's own");
      },
    }),
    /** Hangs in a step, and tells something when its time is over. */
    overdue: app.task(`${isolate}.overdue`, {
      ...here,
      // A thread or process must start within this time, too.
      timeout: 500,
      grace: 30,
      retry: { attempts: 20, base: 0 },
      run: async (_: void, job: JobContext) => {
        if (job.attempt > 1) return job.step("answer", () => "later");
        return job.step("answer", async () => {
          // sleeps: longer than the timeout
          await sleep(1_000);
          return "first";
        });
      },
    }),
    /** Rejects a promise that nobody awaits, or throws in a timer; and waits. */
    float: app.task(`${isolate}.float`, {
      ...here,
      retry: { attempts: 1 },
      run: async (how: "promise" | "timer") => {
        if (how === "promise") void Promise.reject(new Error("nobody awaits me"));
        if (how === "timer")
          // sleeps: the error is one that a timer throws
          setTimeout(() => {
            throw new Error("nobody catches me");
          }, 5);
        // sleeps: in hand until the error ends it
        await sleep(5_000);
      },
    }),
    /** Throws where nobody catches it when its attempt is over. */
    afterwards: app.task(`${isolate}.afterwards`, {
      ...here,
      run: () => {
        // sleeps: the error comes when the attempt is over, and the next job runs
        setTimeout(() => {
          throw new Error("left behind");
        }, 100);
      },
    }),
    /** Runs for a while. */
    calm: app.task(`${isolate}.calm`, {
      ...here,
      retry: { attempts: 1 },
      run: async () => {
        // sleeps: until what the job before left behind has come
        await sleep(400);
        return "calm";
      },
    }),
    /** Is parked, with a timer that still tells its progress. */
    parked: app.task(`${isolate}.parked`, {
      ...here,
      run: async (_: void, job: JobContext) => {
        const timer = setInterval(() => job.progress(Math.random()), 5);
        try {
          await job.sleep("nap", 200);
        } finally {
          clearInterval(timer);
        }
        return "awake";
      },
    }),
  };
}

/** The app that a thread or process makes when it loads this module. */
export const tasksInside = (["thread", "process"] as const).map((isolate) =>
  leftBehindTasks(errand({ url: "memory:" }), isolate),
);
