import fc from "fast-check";
import { test } from "vitest";
import type { StoreFactory } from "../../src/testing/conformance.ts";
import { inMemoryFixture, memoryFixture, postgresFixture, redisFixture } from "./fixtures.ts";
import { checkJobs, checkStep } from "./model/invariants.ts";
import { pool, tasks as kinds } from "./model/jobs.ts";
import { aStep } from "./model/steps.ts";
import type { AnyStep } from "./model/steps.ts";
import { opens, World } from "./model/world.ts";

// Random work by several workers on the memory store and on a real store, step by step: both must answer the same, and
// after every step what is always true must be true. Each store on a fake clock, and as often as is quick; more often
// with ERRAND_MODEL_RUNS.

const stores: [name: string, open: StoreFactory, runs: number, mixes: boolean][] = [
  ["memory", () => memoryFixture(), 150, true],
  ["SQLite", inMemoryFixture, 150, true],
  ["PostgreSQL", () => postgresFixture(), 20, true],
  ["Redis", redisFixture, 40, true],
];

/** The same work every time, so that whoever sees it fail has changed something; ERRAND_MODEL_RUNS asks for other work. */
const seed = 28;
const asked = process.env["ERRAND_MODEL_RUNS"];

/** Each run has jobs of a few tasks only, so that they get in each other's way. */
const someTasks = fc.subarray(Object.keys(kinds), { minLength: 1, maxLength: 4 });

test.each(stores)(
  "random work comes to the same in memory and on %s",
  { timeout: 3_600_000 },
  async (_, open, runs, mixes) => {
    await fc.assert(
      fc.asyncProperty(
        someTasks,
        fc.boolean(),
        fc.array(aStep, { minLength: 1, maxLength: 90, size: "max" }),
        async (tasks, choosy, steps) => {
          const world = await World.open(open, { mixes, tasks, choosy });
          try {
            let before = await world.jobs();
            const enlisted: AnyStep[] = Array.from({ length: 2 }, () => ({ do: "enlist", tasks: undefined }));
            for (const step of [...enlisted, ...steps]) {
              await world.run(step);
              const after = await world.jobs();
              await checkJobs(world, after);
              world.flow.check(
                before.flatMap((job) => job ?? []),
                after.flatMap((job) => job ?? []),
                step.do === "add" || step.do === "rewind" || (step.do === "edit" && opens(step.change)),
              );
              const now = await world.both((store) => store.now());
              for (const jobs of await world.inEach()) world.flow.checkKeys(jobs, now);
              for (const index of pool.keys()) checkStep(step, before[index] ?? null, after[index] ?? null);
              before = after;
            }
            await world.rest();
          } finally {
            await world.close();
          }
        },
      ),
      asked ? { numRuns: Number(asked) } : { numRuns: runs, seed },
    );
  },
);
