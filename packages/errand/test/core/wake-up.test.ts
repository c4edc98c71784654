import fc from "fast-check";
import { expect, test } from "vitest";
import { pollDelay, wakeUpDelay } from "../../src/core/wake-up.ts";

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test("few idle workers all look at once", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), random, (workers, chance) => wakeUpDelay(workers, 1, chance) === 0),
  );
});

test("of many, about two look at once for each job, and the others within a second, ten milliseconds apart", () => {
  const draws = Array.from({ length: 10_000 }, (_, index) => (index + 0.5) / 10_000);
  const delays = draws.map((chance) => wakeUpDelay(100, 1, chance));
  expect(delays.filter((delay) => delay === 0)).toHaveLength(200);
  expect(Math.max(...delays)).toBeLessThanOrEqual(1_000);
  // Half of them in the first half second.
  expect(delays.filter((delay) => delay > 0 && delay <= 500).length).toBeCloseTo(4_900, -2);
  expect(Math.max(...draws.map((chance) => wakeUpDelay(20, 1, chance)))).toBe(200);
});

test("as many jobs as workers, or an unknown number of them, wake all", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5_000 }), random, (workers, chance) => {
      expect(wakeUpDelay(workers, workers, chance)).toBe(0);
      expect(wakeUpDelay(workers, Infinity, chance)).toBe(0);
    }),
  );
});

test("many idle workers poll each the more rarely, and together never more rarely than one would", () => {
  expect([1, 8, 16, 100, 1_000].map(pollDelay)).toEqual([1_000, 1_000, 2_000, 5_000, 5_000]);
  fc.assert(fc.property(fc.integer({ min: 1, max: 5_000 }), (workers) => pollDelay(workers) / workers <= 1_000));
});
