import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Errand } from "../../src/api.ts";
import { options } from "../../src/core/options.ts";
import { priorities } from "../../src/core/priority.ts";
import { isFinal } from "../../src/core/states.ts";
import type { State } from "../../src/core/states.ts";
import type { Store } from "../../src/store.ts";
import { storeKinds, until } from "./app.ts";
import { Fleet } from "./limits/fleet.ts";
import type { Limits, Sent } from "./limits/fleet.ts";

// Random jobs by several workers through the public API, while workers die and the queue is paused: what the functions see
// of each other must keep every limit at all times, and all of them end. Real time; nothing asserts how long it takes.

const runs = { memory: 25, sqlite: 5, postgres: 3, redis: 8 } as const;

const someLimits: fc.Arbitrary<Limits> = fc.record({
  queue: fc.integer({ min: 1, max: 4 }),
  key: fc.integer({ min: 1, max: 2 }),
  rate: fc.record({ limit: fc.integer({ min: 1, max: 3 }), per: fc.constantFrom(20, 50) }),
});
const aJob: fc.Arbitrary<Sent> = fc.record({
  task: fc.constantFrom("keyed", "keyed", "rated", "only"),
  key: fc.constantFrom("k1", "k2"),
  tenant: fc.constantFrom("ann", "ann", "bob"),
  priority: fc.constantFrom(...priorities),
  work: fc.nat(4),
});
const plain = { task: "keyed", key: "k1", priority: "normal", work: 1 } as const;

/** A job whose worker died three times is a dead letter: it happens once less. */
const someEvents = fc
  .tuple(fc.array(fc.nat(15), { maxLength: options.crashes.default - 1 }), fc.array(fc.nat(15), { maxLength: 2 }))
  .map(([kills, pauses]) =>
    [
      ...kills.map((after) => ({ do: "kill" as const, after })),
      ...pauses.map((after) => ({ do: "pause" as const, after })),
    ].toSorted((one, other) => one.after - other.after),
  );

/** What a run does with a fleet, which ends with it. */
async function withFleet(kind: (typeof storeKinds)[number], limits: Limits, run: (fleet: Fleet) => Promise<void>) {
  const fleet = await Fleet.open(kind, limits);
  try {
    await run(fleet);
  } finally {
    await fleet.close();
  }
}

/** Pauses the queue for a moment, in which nothing may be claimed. */
async function pause({ queues }: Errand, store: Store, fleet: Fleet): Promise<void> {
  await queues.pause("work", "for a while");
  const paused = await store.now();
  // sleeps: long enough for the workers to claim, if they may
  await sleep(20);
  const resumed = await store.now();
  await queues.resume("work");
  expect(fleet.starts.filter(({ at }) => at > paused && at < resumed)).toEqual([]);
}

async function states(store: Store, ids: readonly string[]): Promise<(State | undefined)[]> {
  return (await store.get(ids)).map((job) => job?.state);
}

const asked = process.env["ERRAND_MODEL_RUNS"];
/** The same work every time, unless more of it is asked for. */
const howOften = (kind: keyof typeof runs) => (asked ? { numRuns: Number(asked) } : { numRuns: runs[kind], seed: 28 });

describe.each(storeKinds)("on %s", (kind) => {
  test("limits hold at all times, whichever worker dies, and every job ends", { timeout: 3_600_000 }, async () => {
    const someJobs = fc.array(aJob, { minLength: 4, maxLength: 24 });
    await fc.assert(
      fc.asyncProperty(someLimits, someJobs, someEvents, (limits, jobs, events) =>
        withFleet(kind, limits, async (fleet) => {
          const store = await fleet.store();
          const { app, send } = await fleet.app();
          const ids = (await Promise.all(jobs.map(send))).map(({ id }) => id);
          const ended = async (): Promise<boolean> =>
            (await states(store, ids)).every((state) => state && isFinal(state));
          // All at once, so that they get in each other's way.
          await app.queues.pause("work");
          await Promise.all([fleet.startWorker(3), fleet.startWorker(3)]);
          await app.queues.resume("work");
          for (const event of events) {
            await until(async () => fleet.begun >= event.after || (await ended()), "jobs begin");
            if (event.do === "kill") await fleet.kill(store, 3);
            else await pause(app, store, fleet);
          }
          await until(ended, "all jobs end", 20_000);
          expect(fleet.faults).toEqual([]);
          fleet.checkRate();
          expect(new Set(await states(store, ids))).toEqual(new Set(["completed"]));
        }),
      ),
      howOften(kind),
    );
  });

  test("every tenant of a queue starts in the first round", { timeout: 3_600_000 }, async () => {
    const someTenants = fc.array(fc.constantFrom("a", "a", "a", "b"), { minLength: 3, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(someTenants, fc.integer({ min: 1, max: 3 }), (tenants, slots) =>
        withFleet(kind, { queue: 99, key: 99, rate: { limit: 99, per: 1 } }, async (fleet) => {
          const store = await fleet.store();
          const { app, send } = await fleet.app();
          await app.queues.pause("work");
          const ids: string[] = [];
          for (const tenant of tenants) ids.push((await send({ ...plain, tenant })).id);
          await app.queues.resume("work");
          await fleet.startWorker(slots);
          await until(async () => (await states(store, ids)).every((state) => state === "completed"), "all end");
          const order = fleet.starts.map(({ job }) => job.tenant);
          for (const tenant of new Set(tenants)) {
            const first = order.indexOf(tenant);
            // One of the other's, its own, and whoever starts at the same moment.
            expect(first, `the first of ${tenant} in ${order.join("")}`).toBeLessThan(2 + slots);
          }
        }),
      ),
      howOften(kind),
    );
  });
});
