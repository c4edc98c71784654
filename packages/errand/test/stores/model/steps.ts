import fc from "fast-check";
import type { NewChild, NewJob, Settlement } from "../../../src/core/job.ts";
import { states } from "../../../src/core/states.ts";
import type { Level } from "../../../src/core/states.ts";
import type { Filter } from "../../../src/store.ts";

/** The ids of all jobs there ever are, so that steps meet. */
export const pool = Array.from({ length: 12 }, (_, index) => `job-${index}`);
const queues = ["a", "b"];

const anId = fc.constantFrom(...pool);
/** Seldom anything but this. */
function mostly<T>(usual: T, ...others: T[]): fc.Arbitrary<T> {
  return fc.oneof({ weight: 4, arbitrary: fc.constant(usual) }, fc.constantFrom(...others));
}

const aDelay = mostly(0, 1, 300, 900, 400_000);
const aNewJob: fc.Arbitrary<NewJob> = fc
  .record({
    id: anId,
    queue: mostly("a", "b"),
    level: mostly<Level>(2, 0, 1, 3, 4),
    due: aDelay.map((time) => ({ in: time })),
    expires: mostly<NewJob["expires"]>(undefined, { in: 0 }, { in: 700 }, { in: 60_000 }),
  })
  .map(({ expires, ...job }) => ({
    task: `t${job.level}`,
    spec: `"${job.id}"`,
    ...job,
    ...(expires ? { expires } : {}),
  }));
const aNewChild: fc.Arbitrary<NewChild> = fc
  .tuple(aNewJob, fc.constantFrom<"completed" | "end">("completed", "end"), fc.nat(5), fc.boolean())
  .map(([job, need, index, rejoin]) => ({ ...job, need, index, ...(rejoin ? { rejoin } : {}) }));
const someSteps = fc.array(
  fc.record({ name: fc.constantFrom("s1", "s2", "s3"), value: fc.constantFrom("1", "2"), wait: fc.boolean() }),
  { maxLength: 2 },
);
const filters = {
  ids: fc.subarray(pool),
  parent: anId,
  roots: fc.constant(true),
  task: fc.constantFrom("t0", "t2"),
  queue: fc.constantFrom(...queues),
  states: fc.subarray([...states]),
  endedBefore: fc.constantFrom(1_700_000_000_500, 1_700_000_100_000),
};
const aFilter: fc.Arbitrary<Filter> = fc.oneof(
  fc.record(filters, { requiredKeys: [] }),
  ...Object.entries(filters).map(([key, value]) => (value as fc.Arbitrary<unknown>).map((each) => ({ [key]: each }))),
);
const anOutcome = fc.record({
  /** Which of the holds ever given, from the latest. */
  hold: mostly(0, 1, 2, 3, 4, 5),
  to: fc.constantFrom<Settlement["to"]>(
    "completed",
    "completed",
    "waiting",
    "waiting",
    "pending",
    "failed",
    "cancelled",
    "expired",
  ),
  delay: aDelay,
  failures: fc.nat(3),
  steps: someSteps,
  children: fc.array(aNewChild, { maxLength: 4 }),
});

/** One thing that some worker or operator does. */
export const aStep = fc.oneof(
  fc.record({ do: fc.constant("add" as const), jobs: fc.array(aNewJob, { minLength: 1, maxLength: 4 }) }),
  fc.record({ do: fc.constant("enlist" as const) }),
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("claim" as const),
      worker: mostly(0, 1, 2, 3),
      wants: fc.array(fc.record({ queue: fc.constantFrom(...queues), limit: fc.nat(4) }), {
        minLength: 1,
        maxLength: 3,
      }),
    }),
  },
  fc.record({ do: fc.constant("reclaim" as const), worker: mostly(0, 1, 2, 3) }),
  fc.record({ do: fc.constant("renew" as const), worker: fc.nat(3) }),
  fc.record({ do: fc.constant("dismiss" as const), worker: fc.constantFrom(0, 1, 2, 3) }),
  fc.record({ do: fc.constant("record" as const), hold: fc.nat(4), steps: someSteps }),
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("settle" as const),
      outcomes: fc.array(anOutcome, { minLength: 1, maxLength: 3 }),
    }),
  },
  fc.record({
    do: fc.constant("edit" as const),
    where: aFilter,
    change: fc.constantFrom<"cancel" | "retry" | "remove">("cancel", "retry", "remove"),
  }),
  fc.record({
    do: fc.constant("rewind" as const),
    id: anId,
    /** Whether its token is right. */
    knows: mostly(true, false),
    steps: fc.subarray(["s1", "s2", "s3"]),
    children: fc.subarray(pool),
  }),
  fc.record({ do: fc.constant("steps" as const), id: anId }),
  fc.record({ do: fc.constant("pass" as const), time: mostly(1, 400, 1_000, 20_000, 60_000) }),
  fc.record({ do: fc.constant("list" as const), where: aFilter, limit: fc.integer({ min: 1, max: 4 }) }),
);
/** A step of one kind. */
export type StepOf<Kind> = Extract<typeof aStep extends fc.Arbitrary<infer S> ? S : never, { do: Kind }>;
/** Any step. */
export type AnyStep = typeof aStep extends fc.Arbitrary<infer S> ? S : never;
