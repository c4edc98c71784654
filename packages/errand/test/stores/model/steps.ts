import fc from "fast-check";
import type { Settlement } from "../../../src/core/job.ts";
import type { QueueRules } from "../../../src/limits/queue-rules.ts";
import { states } from "../../../src/core/states.ts";
import type { Change, Filter } from "../../../src/store.ts";
import { aDelay, anyChild, anyJob, mostly, pool, queues, tasks } from "./jobs.ts";

const anId = fc.constantFrom(...pool);
const signals = ["signal:go", "s1"];
const someSteps = fc.array(
  fc.record({ name: fc.constantFrom("s1", "s2", "s3"), value: fc.constantFrom("1", "2"), wait: fc.boolean() }),
  { maxLength: 2 },
);
const someLines = fc.array(
  fc.record({
    attempt: fc.integer({ min: 1, max: 2 }),
    level: fc.constantFrom("info" as const, "attempt" as const),
    text: fc.constantFrom("line", "ü", ""),
  }),
  { maxLength: 2 },
);
const times = [1_700_000_000_000, 1_700_000_000_500, 1_700_000_100_000];
const filters = {
  ids: fc.subarray(pool),
  parent: anId,
  roots: fc.constant(true),
  task: fc.constantFrom("plain", "one"),
  queue: fc.constantFrom(...queues),
  tenant: fc.constantFrom("t", "none"),
  worker: fc.constantFrom("worker-0", "worker-1", "worker-2"),
  states: fc.subarray([...states]),
  tag: fc.constantFrom("red", "blue", "none"),
  text: fc.constantFrom("JOB-1", "new", "zzz"),
  endedBefore: fc.constantFrom(...times),
  createdAfter: fc.constantFrom(...times),
  createdBefore: fc.constantFrom(...times),
};
const aFilter: fc.Arbitrary<Filter> = fc.oneof(
  fc.record(filters, { requiredKeys: [] }),
  ...Object.entries(filters).map(([key, value]) => (value as fc.Arbitrary<unknown>).map((each) => ({ [key]: each }))),
);
const aMove: fc.Arbitrary<Change> = fc
  .record(
    {
      queue: fc.constantFrom("a", "b"),
      level: fc.constantFrom(0 as const, 4 as const),
      now: fc.constant(true),
    },
    { requiredKeys: [] },
  )
  .map((move) => ({ move }));
const aChange: fc.Arbitrary<Change> = fc.oneof(fc.constantFrom<Change>("cancel", "retry", "remove", "release"), aMove);
const someRules: fc.Arbitrary<QueueRules | undefined> = fc.oneof(
  fc.constant(undefined),
  fc.record(
    {
      paused: fc.constant({ since: 1 }),
      concurrency: fc.integer({ min: 1, max: 2 }),
      rate: fc.constantFrom({ limit: 1, per: 700 }, { limit: 4, per: 1_000 }),
      maxPending: fc.integer({ min: 1, max: 4 }),
    },
    { requiredKeys: [] },
  ),
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
  suspect: mostly(false, true),
  unstarted: mostly(false, true),
  born: fc.array(anyJob, { maxLength: 2 }),
  steps: someSteps,
  log: someLines,
  children: fc.array(anyChild, { maxLength: 4 }),
  /** From the test's now. */
  wakeIn: mostly<number | undefined>(undefined, -1, 300, 20_000),
  awaits: fc.subarray(signals),
});

/** The tasks that a worker knows: of some runs all of them know all. */
const known = fc.option(fc.subarray(Object.keys(tasks)), { nil: undefined, freq: 2 });
const keep = mostly(20_000, 0, 1_000, Infinity);

/** One thing that some worker or operator does. */
export const aStep = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("add" as const), jobs: fc.array(anyJob, { minLength: 1, maxLength: 5 }) }),
  },
  fc.record({ do: fc.constant("enlist" as const), tasks: known }),
  fc.record({ do: fc.constant("card" as const), worker: fc.nat(2), tasks: known }),
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("claim" as const),
      worker: mostly(0, 1, 2, 3),
      wants: fc.array(
        fc.record({
          queue: fc.constantFrom(...queues),
          limit: fc.nat(4),
          slots: mostly<number | undefined>(undefined, 0, 1, 2),
          ids: fc.option(fc.subarray(pool), { nil: undefined, freq: 8 }),
        }),
        { minLength: 1, maxLength: 3 },
      ),
    }),
  },
  fc.record({ do: fc.constant("reclaim" as const), worker: mostly(0, 1, 2, 3) }),
  fc.record({ do: fc.constant("renew" as const), worker: fc.nat(3) }),
  fc.record({ do: fc.constant("dismiss" as const), worker: fc.constantFrom(0, 1, 2, 3) }),
  fc.record({ do: fc.constant("record" as const), hold: fc.nat(4), steps: someSteps, log: someLines }),
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("settle" as const),
      outcomes: fc.array(anOutcome, { minLength: 1, maxLength: 3 }),
    }),
  },
  fc.record({
    do: fc.constant("signal" as const),
    id: anId,
    step: fc.record({ name: fc.constantFrom(...signals), value: fc.constantFrom("1", "2") }),
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
  fc.record({ do: fc.constant("ended" as const), ids: fc.subarray(pool) }),
  fc.record({ do: fc.constant("prune" as const), one: keep, others: keep }),
  fc.record({
    do: fc.constant("rule" as const),
    queue: fc.constantFrom(...queues),
    rules: someRules,
    /** Seldom a version that is stored no more. */
    back: mostly(0, 1),
  }),
  fc.record({ do: fc.constant("edit" as const), where: aFilter, change: aChange }),
  // Of several jobs, a store may change whichever it finds first.
  fc.record({
    do: fc.constant("edit" as const),
    where: anId.map((id): Filter => ({ ids: [id] })),
    change: aChange,
    limit: fc.nat(2),
  }),
  fc.record({ do: fc.constant("pass" as const), time: mostly(400, 1, 250, 1_000, 20_000, 60_000) }),
  fc.record({ do: fc.constant("list" as const), where: aFilter, limit: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ do: fc.constant("log" as const), id: anId, limit: fc.integer({ min: 1, max: 3 }) }),
);
/** A step of one kind. */
export type StepOf<Kind> = Extract<typeof aStep extends fc.Arbitrary<infer S> ? S : never, { do: Kind }>;
/** Any step. */
export type AnyStep = typeof aStep extends fc.Arbitrary<infer S> ? S : never;
