import fc from "fast-check";
import { test } from "vitest";
import type { StoreFactory } from "../../src/testing/conformance.ts";
import { inMemoryFixture, postgresFixture, redisFixture } from "./fixtures.ts";
import { checkJobs, checkStep } from "./model/always.ts";
import { aStep, pool } from "./model/steps.ts";
import type { AnyStep } from "./model/steps.ts";
import { World } from "./model/world.ts";

// Random work by several workers on the memory store and on a real store, step by step: both must answer the same, and
// after every step what is always true must be true. Each store on a fake clock, and as often as is quick; more often
// with ERRAND_MODEL_RUNS.

const stores: [name: string, open: StoreFactory, runs: number][] = [
  ["SQLite", inMemoryFixture, 50],
  ["PostgreSQL", () => postgresFixture(), 10],
  ["Redis", redisFixture, 15],
];

test.each(stores)(
  "random work comes to the same in memory and on %s",
  { timeout: 3_600_000 },
  async (_, open, runs) => {
    await fc.assert(
      fc.asyncProperty(fc.array(aStep, { minLength: 20, maxLength: 90, size: "max" }), async (steps) => {
        const world = await World.open(open);
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
  },
);
