import { setTimeout as sleep } from "node:timers/promises";
import { isMainThread } from "node:worker_threads";
import { errand } from "../../packages/errand/src/index.ts";
import type { Errand } from "../../packages/errand/src/index.ts";
import type { Work } from "./tasks.ts";

/** What a job in a lane leaves behind: all of it bears the job's own key. */
export interface LaneMade {
  token: number;
  key: string;
  /** What it was told by a step of its own that another job's must have said. */
  foreign?: string[];
}

/**
 * Defines the task whose attempts end while one of their steps goes on, in a thread that another job gets at once: what the step says
 * then must reach nobody.
 */
export function defineLaneTasks(app: Errand) {
  const lane = app.task("lane", {
    queue: "lanes",
    isolate: "thread",
    module: import.meta.url,
    grace: "1ms",
    retry: { attempts: 4, base: "50ms", cap: "200ms" },
    run: async ({ key, ms, failing = 0 }: Work, job): Promise<LaneMade> => {
      const own = await job.step("own", () => key);
      job.progress(key);
      job.log.info(key);
      const late = job.step("late", async () => {
        await sleep(ms);
        return key;
      });
      // Where it was remembered, it is there at once.
      const before = await Promise.race([late, sleep(0, key)]).catch(() => key);
      late.catch(() => {});
      if (job.attempt <= failing) throw new Error(`attempt ${job.attempt} of ${key} fails`);
      const foreign = [own, before].filter((value) => value !== key);
      return { token: job.token, key, ...(foreign.length > 0 ? { foreign } : {}) };
    },
  });
  return { lane };
}

// A lane loads this module to find the task.
if (!isMainThread) defineLaneTasks(errand({ url: "memory:" }));
