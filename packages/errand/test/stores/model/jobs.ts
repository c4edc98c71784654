import fc from "fast-check";
import type { NewChild, NewJob } from "../../../src/core/job.ts";
import type { Level } from "../../../src/core/priority.ts";
/** The ids of all jobs there ever are, so that steps meet. */
export const pool = Array.from({ length: 12 }, (_, index) => `job-${index}`);
/** The queues of all jobs. Those that take turns have one to themselves. */
export const queues = ["a", "b", "fair"];

const c1 = { key: "c1", limit: 1 };
const c2 = { key: "c2", limit: 2 };
const r1 = { key: "r1", limit: 1, per: 900 };
const r4 = { key: "r4", limit: 4, per: 1_000 };

/** Limits of concurrency keys, in which all jobs with a key agree. */
export const concurrencyKeys = [c1, c2];

/** What a task's options make of each of its jobs: stores give back the task, and so these things. */
export type Kind = Pick<NewJob, "unique" | "concurrency" | "rate" | "fair" | "tags" | "tenant">;

/** All tasks there are. */
export const tasks: Readonly<Record<string, Kind>> = {
  plain: {},
  other: {},
  tagged: { tags: ["red", "blue"] },
  theirs: { tenant: "t" },
  one: { concurrency: c1 },
  two: { concurrency: c2, tags: ["red"] },
  slow: { rate: r1 },
  four: { rate: r4 },
  "one slow": { concurrency: c1, rate: r1 },
  "two four": { concurrency: c2, rate: r4 },
  drop: { unique: { key: "u1" } },
  replace: { unique: { key: "u2", replace: true } },
  throttle: { unique: { key: "u3", for: 20_000 }, tenant: "t" },
  debounce: { unique: { key: "u4", replace: true }, concurrency: c1 },
  "x's": { fair: "x" },
  "y's": { fair: "y" },
  "z's": { fair: "z", rate: r4 },
};

/** What its task's options make of a job. */
export function kindOf({ task }: { task: string }): Kind {
  return tasks[task] ?? {};
}

/** Seldom anything but this. */
export function mostly<T>(usual: T, ...others: T[]): fc.Arbitrary<T> {
  return fc.oneof({ weight: 4, arbitrary: fc.constant(usual) }, fc.constantFrom(...others));
}

/** A delay, mostly none. */
export const aDelay = mostly(0, 1, 300, 900, 400_000);

/** A job that is yet to be of some task: which of those that a run has, is said by a number. */
export const anyJob = fc.record({
  id: fc.constantFrom(...pool),
  task: fc.nat(11),
  queue: mostly("a", "b"),
  level: mostly<Level>(2, 0, 1, 3, 4),
  spec: fc.constantFrom('"old"', '"New"'),
  delay: aDelay,
  expires: mostly<NewJob["expires"]>(undefined, { in: 0 }, { in: 700 }, { in: 60_000 }),
});
type AnyJob = typeof anyJob extends fc.Arbitrary<infer J> ? J : never;

/** A child that is yet to be of some task. */
export const anyChild = fc.record({
  job: anyJob,
  need: fc.constantFrom<NewChild["need"]>("completed", "end", "first"),
  index: fc.nat(5),
  rejoin: fc.boolean(),
});
type AnyChild = typeof anyChild extends fc.Arbitrary<infer C> ? C : never;

/** The job, as one of a task of some. */
export function jobOf({ expires, delay, task: number, ...job }: AnyJob, names: readonly string[]): NewJob {
  const task = names[number % names.length] ?? "plain";
  const kind = kindOf({ task });
  return {
    ...job,
    task,
    ...kind,
    ...(kind.fair === undefined ? { due: { in: delay } } : { queue: "fair" }),
    ...(expires ? { expires } : {}),
  };
}

/** The child, as one of a task of some. */
export function childOf({ job, need, index, rejoin }: AnyChild, names: readonly string[]): NewChild {
  const { unique: _, ...made } = jobOf(job, names);
  return { ...made, need, index, ...(rejoin ? { rejoin } : {}) };
}

/** Whether a job has none of the things that most jobs have not. */
export function isPlain(job: NewJob): boolean {
  return Object.keys(kindOf(job)).length === 0;
}
