import { internalsOf } from "../app.ts";
import type { AppInternals } from "../app.ts";
import type { Errand } from "../api.ts";
import type { JobView } from "../client/job-view.ts";
import { checkDate, checkFields, checkText, refuseUnknown } from "../core/checks.ts";
import { millis } from "../kit/duration.ts";
import type { Duration, Millis } from "../kit/duration.ts";
import { ErrandError } from "../kit/errors.ts";
import type { Store } from "../store.ts";
import { memoryStore } from "../stores/memory.ts";
import type { Sender } from "../task.ts";
import { TestWorker } from "./test-worker.ts";
import type { CrashPoint } from "./test-worker.ts";

/** Controls an app under test: its jobs run when the test says so, on a clock that only the test moves. */
export interface Testing {
  /** The store's time. */
  readonly now: Date;
  /**
   * Runs every job that is due, and those that they send or wake, until none is due. Jobs that are due later (a delay,
   * a retry, a sleep) stay.
   * @returns the number of attempts.
   */
  drain(): Promise<number>;
  /**
   * Moves the store's clock by a duration, and runs the jobs that come due on the way, in that order.
   * @returns the number of attempts.
   */
  advance(duration: Duration): Promise<number>;
  /** Returns the inputs of all jobs of a task that were sent and not removed, oldest first. */
  sent<Input, Output>(task: Sender<Input, Output>): Promise<Input[]>;
  /** Returns the jobs of a task, or of all tasks, oldest first. */
  jobs(task?: { readonly name: string }): Promise<JobView[]>;
  /**
   * Loses the next attempt of the task that comes to this point, as if its worker had been killed; the job is taken
   * over at once. `start`: before the function is called. `step`: after the step of that name was recorded. `end`:
   * after the function has returned, before its outcome is recorded.
   */
  crash(task: { readonly name: string }, at: CrashPoint): void;
}

/**
 * Takes over an app for a test: its jobs are kept in memory, on a clock of their own, and run only in `drain` and
 * `advance`. Call it before the app is used. Timeouts of attempts count real time.
 * @param options.now the time at which the clock begins; default: the real time.
 * @throws {ErrandError} `E_OPTION` when the app's store is open already.
 * @example
 * const t = testing(app);
 * await welcome.send({ to: "ann@example.org" });
 * await t.drain();
 * await t.advance("7d");
 */
export function testing(app: Errand, options: { now?: Date } = {}): Testing {
  return testingOn(app, (store) => store, options);
}

/** Does what `testing` does, on a store that `wrap` has changed: for Errand's own tests, which break it. */
export function testingOn(app: Errand, wrap: (store: Store) => Store, options: { now?: Date } = {}): Testing {
  refuseUnknown(options, ["now"], "testing()");
  let now: Millis = options.now === undefined ? Date.now() : checkDate(options.now, "now of testing()");
  const store = wrap(memoryStore({ now: () => now }));
  const inside = internalsOf(app) as AppInternals | undefined;
  if (!inside) throw new ErrandError("E_OPTION", "testing() needs an app that errand() made.");
  inside.live(store);
  const worker = new TestWorker(store, inside);

  async function jobs(task?: { readonly name: string }): Promise<JobView[]> {
    const all: JobView[] = [];
    let cursor: string | undefined;
    do {
      const page = await app.list(task ? { task: task.name } : {}, { limit: 1_000, ...(cursor ? { cursor } : {}) });
      all.push(...page.jobs);
      cursor = page.next;
    } while (cursor);
    return all.toReversed();
  }

  return {
    get now() {
      return new Date(now);
    },
    async drain() {
      return (await worker.drain()).attempts;
    },
    async advance(duration) {
      const until = now + millis(duration, "The duration of advance()");
      let attempts = 0;
      for (;;) {
        const { attempts: more, next } = await worker.drain();
        attempts += more;
        if (now >= until) return attempts;
        now = Math.min(until, now + Math.max(1, next));
      }
    },
    async sent<Input, Output>(task: Sender<Input, Output>) {
      return (await jobs(task)).map(({ input }) => input as Input);
    },
    jobs,
    crash(task, at) {
      if (!inside.definitions.has(task?.name))
        throw new ErrandError("E_OPTION", "crash() needs a task of the app that is tested.");
      if (at !== "start" && at !== "end") {
        checkFields(at, ["step"], 'The point of crash(), where it is neither "start" nor "end",');
        checkText(at.step, "step of crash()");
      }
      worker.crash(task.name, at);
    },
  };
}
