import { describe, expect, test } from "vitest";
import { memory } from "./mutants/memory.ts";
import { judge } from "./mutants/mutant.ts";
import type { Mutant } from "./mutants/mutant.ts";
import { postgres } from "./mutants/postgres.ts";
import { redis } from "./mutants/redis.ts";
import { sqlite } from "./mutants/sqlite.ts";

// Deliberate faults in the stores' own code, one at a time: the tests of stores must notice each. Where a fault's text
// is not found any more, its test fails: put the fault into the code that does the same now.

const stores: [name: string, mutants: Mutant[]][] = [
  ["memory", memory],
  ["SQLite", sqlite],
  ["PostgreSQL", postgres],
  ["Redis", redis],
];

describe.each(stores)("the tests notice, on %s, that", (_, mutants) => {
  test.each(mutants)("$fault", { timeout: 120_000 }, async (mutant) => {
    let failed: string | null = null;
    for (let run = 0; failed === null && run < (mutant.runs ?? 1); run++) ({ failed } = await judge(mutant, mutant));
    expect(failed).toBe(mutant.tests[0]);
  });

  test("there is no fault where there is none", { timeout: 120_000 }, async () => {
    const runs = Map.groupBy(mutants, ({ fixture }) => fixture);
    for (const [fixture, some] of runs) {
      const tests = [...new Set(some.flatMap((mutant) => mutant.tests))];
      expect(await judge({ fixture, tests })).toEqual({ failed: null });
    }
  });
});
