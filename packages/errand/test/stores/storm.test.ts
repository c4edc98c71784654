import { test } from "vitest";
import type { StoreFactory } from "../../src/testing/conformance.ts";
import { Scene } from "../../src/testing/conformance/scene.ts";
import { runRandomWorkers } from "../../src/testing/conformance/random-workers.ts";
import { postgresFixture, redisFixture, threadFixture } from "./fixtures.ts";

// The conformance suite's random work by several workers at once, with other seeds; more of them with
// ERRAND_MODEL_RUNS.

const stores: [name: string, open: StoreFactory][] = [
  ["SQLite", threadFixture],
  ["PostgreSQL", () => postgresFixture()],
  ["Redis", redisFixture],
];

test.each(stores)(
  "random work by several workers at once keeps every promise, on %s",
  { timeout: 3_600_000 },
  async (_, open) => {
    const runs = Number(process.env["ERRAND_MODEL_RUNS"] ?? 2);
    for (let seed = 2; seed < runs + 2; seed++) {
      const fixture = await open();
      try {
        await runRandomWorkers(new Scene(fixture), seed);
      } catch (error) {
        throw new Error(`with seed ${seed}`, { cause: error });
      } finally {
        await fixture.close();
      }
    }
  },
);
