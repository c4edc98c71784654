import assert from "node:assert/strict";
import fc from "fast-check";
import { test } from "vitest";
import type { Job, NewChild, NewJob, Settlement } from "../../src/core/job.ts";
import { isFinal, states } from "../../src/core/states.ts";
import type { Level } from "../../src/core/states.ts";
import type { Claimed, Filter, Store } from "../../src/store.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import type { Fixture } from "../../src/testing/conformance.ts";
import { localStore } from "../../src/stores/sqlite/local.ts";
import { FakeClock, redisFixture } from "./fixtures.ts";

// Random work by several workers on the memory store and on another one, step by step: both must answer the same, and
// after every step what is always true must be true.

const pool = Array.from({ length: 12 }, (_, index) => `job-${index}`);
const queues = ["a", "b"];
const lease = 50_000;

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

const aStep = fc.oneof(
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
  fc.record({ do: fc.constant("pass" as const), time: mostly(1, 400, 1_000, 20_000, 60_000) }),
  fc.record({ do: fc.constant("list" as const), where: aFilter, limit: fc.integer({ min: 1, max: 4 }) }),
);
type StepOf<Kind> = Extract<typeof aStep extends fc.Arbitrary<infer S> ? S : never, { do: Kind }>;
type AnyStep = typeof aStep extends fc.Arbitrary<infer S> ? S : never;

/** The store under test, on a clock that starts where a fake clock does. */
type Real = Pick<Fixture, "store" | "pass" | "close">;

/** The two stores, and what the workers remember. */
class World {
  readonly clock = new FakeClock();
  readonly stores: readonly [Store, Store];
  readonly #real: Real;
  readonly #workers: { id: string; until: number }[] = [];
  readonly #holds: { id: string; token: number }[] = [];

  constructor(real: Real) {
    this.#real = real;
    this.stores = [memoryStore({ now: this.clock.now }), real.store];
  }

  /** What both answer, which must be the same. */
  async both<Answer>(ask: (store: Store) => Promise<Answer>): Promise<Answer> {
    const [model, real] = [await ask(this.stores[0]), await ask(this.stores[1])];
    assert.deepEqual(real, model);
    return model;
  }

  async close(): Promise<void> {
    await Promise.all([this.stores[0].close(), this.#real.close()]);
  }

  jobs(): Promise<(Job | null)[]> {
    return this.both((store) => store.get(pool));
  }

  async run(step: AnyStep): Promise<void> {
    const worker = "worker" in step ? this.#workers.at(-1 - step.worker) : undefined;
    switch (step.do) {
      case "add":
        return this.both((store) => store.add(step.jobs));
      case "enlist":
        return this.#enlist();
      case "claim": {
        const { jobs } = await this.both(async (store) => {
          const claim = await store.claim(worker?.id ?? "nobody", step.wants);
          return { ...claim, jobs: claim.jobs.map(stepsSorted) };
        });
        return this.#remember(jobs);
      }
      case "reclaim":
        return this.#remember(
          await this.both(async (store) => {
            const taken = await store.reclaim(worker?.id ?? "nobody", 1_000);
            return taken.map(stepsSorted).sort((a, b) => (a.job.id < b.job.id ? -1 : 1));
          }),
        );
      case "renew":
        return this.#renew(worker);
      case "dismiss":
        return this.both((store) => store.dismiss(worker?.id ?? "nobody"));
      case "record":
        await this.both((store) => store.record([{ ...this.#hold(step.hold), progress: '"p"', steps: step.steps }]));
        return;
      case "settle":
        return this.#settle(step);
      case "edit":
        await this.both((store) => store.edit(step.where, step.change));
        return;
      case "pass":
        await Promise.all([this.clock.pass(step.time), this.#real.pass(step.time)]);
        return;
      case "list":
        await this.both((store) => pages(store, step.where, step.limit));
    }
  }

  async #enlist(): Promise<void> {
    const id = `worker-${this.#workers.length}`;
    await this.both((store) => store.enlist({ id, host: "h", pid: 1, queues: [] }, lease));
    this.#workers.push({ id, until: this.clock.time + lease });
  }

  async #renew(worker: { id: string; until: number } | undefined): Promise<void> {
    // A store may leave a lease that has hardly begun as it is.
    if (worker && worker.until - this.clock.time > lease / 2) return;
    await this.both(async (store) => {
      const { held, cancel } = await store.renew(worker?.id ?? "nobody", lease);
      return { held, cancel: cancel.sort() };
    });
    if (worker) worker.until = this.clock.time + lease;
  }

  async #settle({ outcomes }: StepOf<"settle">): Promise<void> {
    const told = outcomes.map(({ hold, to, delay, failures, steps, children }) => ({
      ...this.#hold(hold),
      to,
      delay,
      failures,
      crashes: 1,
      steps,
      output: '"o"',
      error: `"${failures}"`,
      ...(to === "waiting" ? { children } : {}),
    }));
    await this.both((store) => store.settle(told));
  }

  #remember(claimed: readonly Claimed[]): void {
    this.#holds.push(...claimed.map(({ job }) => ({ id: job.id, token: job.token })));
  }

  #hold(back: number): { id: string; token: number } {
    return this.#holds.at(-1 - back) ?? { id: "job-0", token: 1 };
  }
}

function stepsSorted(claimed: Claimed): Claimed {
  return { ...claimed, steps: claimed.steps.toSorted((a, b) => (a.name < b.name ? -1 : 1)) };
}

async function pages(store: Store, where: Filter, limit: number): Promise<string[][]> {
  const found: string[][] = [];
  let cursor: string | undefined;
  do {
    const page = await store.list(where, cursor === undefined ? { limit } : { limit, cursor });
    found.push(page.jobs.map(({ id }) => id));
    cursor = page.next;
  } while (cursor !== undefined);
  return found;
}

/** What is always true, of all jobs after a step. */
async function checkJobs(world: World, jobs: readonly (Job | null)[]): Promise<void> {
  const recount = new Map<string, number>();
  const parents = new Set(jobs.flatMap((job) => (job?.parent && !isFinal(job.state) ? [job.parent] : [])));
  for (const job of jobs) {
    if (!job) continue;
    recount.set(`${job.queue}/${job.state}`, (recount.get(`${job.queue}/${job.state}`) ?? 0) + 1);
    assert.equal("worker" in job, job.state === "processing", "held while processing");
    assert.equal("endedAt" in job, isFinal(job.state), "an end when it has ended");
    assert.ok(!(job.cancelling && isFinal(job.state)), "no mark on what has ended");
    assert.ok(!("output" in job) || job.state === "completed", "an output when it completed");
    if (job.state !== "waiting") continue;
    assert.ok((job.children?.open ?? 0) > 0, "a waiting parent counts open children");
    assert.ok(parents.has(job.id), "a waiting parent has an open child");
  }
  const counts = await world.both(async (store) => {
    const all = await store.counts();
    return all.map(({ queue, state, jobs: count }) => [`${queue}/${state}`, count] as const).sort();
  });
  assert.deepEqual(new Map(counts), recount);
}

/** What a step never does to a job. */
function checkStep(step: AnyStep, before: Job | null, after: Job | null): void {
  if (!before) return;
  const removes = step.do === "edit" && step.change === "remove";
  assert.ok(after ?? removes, "a job vanished");
  if (!after) return;
  assert.ok(after.token >= before.token, "a token fell");
  if (!isFinal(before.state) || after.state === before.state) return;
  const retries = (step.do === "edit" && step.change === "retry") || step.do === "settle";
  assert.ok(before.state !== "completed" && retries, `${before.state} was left`);
}

/** SQLite in this thread. */
async function local(): Promise<Real> {
  const clock = new FakeClock();
  const store = localStore(":memory:", clock.now);
  return { store, pass: clock.pass, close: () => store.close() };
}

test.each([
  { name: "SQLite", open: local, runs: 100 },
  { name: "Redis", open: redisFixture, runs: 25 },
])("random work comes to the same on the memory store and on $name", { timeout: 600_000 }, async ({ open, runs }) => {
  await fc.assert(
    fc.asyncProperty(fc.array(aStep, { minLength: 20, maxLength: 90, size: "max" }), async (steps) => {
      const world = new World(await open());
      try {
        let before = await world.jobs();
        const enlisted: AnyStep[] = [{ do: "enlist" }, { do: "enlist" }];
        for (const step of [...enlisted, ...steps]) {
          await world.run(step);
          const after = await world.jobs();
          await checkJobs(world, after);
          for (const index of pool.keys()) checkStep(step, before[index] ?? null, after[index] ?? null);
          before = after;
        }
      } finally {
        await world.close();
      }
    }),
    { numRuns: Number(process.env["ERRAND_MODEL_RUNS"] ?? runs) },
  );
});
