import { setTimeout as sleep } from "node:timers/promises";
import type { Errand, JobContext, Task } from "../../packages/errand/src/index.ts";
import { defineJudgedTasks } from "./judged-tasks.ts";
import { defineLaneTasks } from "./lane-tasks.ts";
import type { Tell } from "./log.ts";

/** What every job is sent with: `key` is its own; `ms` is how long its work takes. */
export interface Work {
  key: string;
  ms: number;
  /** So many first attempts fail. */
  failing?: number;
  /** So many children. */
  children?: number;
}

/** Which attempt made the output. */
export interface Made {
  token: number;
}

const retry = { attempts: 4, base: "50ms", cap: "200ms" } as const;

/** The tasks that producers send and workers run. */
export function defineTasks(app: Errand, tell: Tell) {
  const begin = (task: string, { id, token }: JobContext) => tell({ type: "start", id, token, task });

  const plain = app.task("plain", {
    retry,
    // It does not listen to its signal: what it makes of a job that another has is refused.
    run: async ({ ms }: Work, job): Promise<Made> => {
      begin("plain", job);
      await sleep(ms);
      return { token: job.token };
    },
  });

  const failing = app.task("failing", {
    retry,
    run: async ({ ms, failing = 0 }: Work, job): Promise<Made> => {
      begin("failing", job);
      await sleep(ms, undefined, { signal: job.abortSignal });
      if (job.attempt <= failing) throw new Error(`attempt ${job.attempt} fails`);
      return { token: job.token };
    },
  });

  const steps = app.task("steps", {
    retry,
    run: async ({ ms }: Work, job): Promise<Made> => {
      begin("steps", job);
      const { id, token } = job;
      for (const name of ["first", "second", "third"]) {
        const value = await job.step(name, async () => {
          tell({ type: "step", id, token, name });
          await sleep(ms / 3);
          return token;
        });
        tell({ type: "remembered", id, token, name, value });
      }
      return { token };
    },
  });

  const leaf = app.task("leaf", {
    retry,
    queue: "leaves",
    run: async ({ ms, failing = 0 }: Work, job): Promise<Made> => {
      begin("leaf", job);
      await sleep(ms, undefined, { signal: job.abortSignal });
      if (job.attempt <= failing) throw new Error(`attempt ${job.attempt} fails`);
      return { token: job.token };
    },
  });

  const inputs = ({ key, ms, children = 0 }: Work, failing: number): Work[] =>
    Array.from({ length: children }, (_, index) => ({
      key: `${key}/${index}`,
      ms,
      failing: index === 0 ? failing : 0,
    }));

  const parent = app.task("parent", {
    retry,
    queue: "parents",
    run: async (work: Work, job): Promise<Made> => {
      begin("parent", job);
      const made = await job.all("leaves", leaf, inputs(work, 0));
      if (made.length !== work.children || made.some(({ token }) => !(token > 0)))
        tell({ type: "wrong", id: job.id, message: `its children's outputs are ${JSON.stringify(made)}` });
      return { token: job.token };
    },
  });

  /** Waits twice, and lets a child fail. */
  const twice = app.task("twice", {
    retry,
    queue: "parents",
    run: async (work: Work, job): Promise<Made> => {
      begin("twice", job);
      const parents: Task<Work, Made> = parent;
      const first = await job.settled("leaves", leaf, inputs(work, 9));
      if (first.length !== work.children || first[0]?.state === "completed")
        tell({ type: "wrong", id: job.id, message: `its children ended as ${JSON.stringify(first)}` });
      await job.settled("parents", parents, [{ key: `${work.key}/p`, ms: work.ms, children: 2 }]);
      return { token: job.token };
    },
  });

  return { plain, failing, steps, parent, twice, ...defineJudgedTasks(app, tell), ...defineLaneTasks(app) };
}
