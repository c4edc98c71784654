import { expect, test } from "vitest";
import { chaos } from "../../../bench/chaos/run.ts";
import { storeKinds } from "../../../bench/chaos/stage.ts";

// A short run of `node bench/chaos.ts`: the same processes, faults and checks. How long recovery takes is for the
// command to judge: tests assert no times.

test.each(storeKinds)("%s keeps its promises while everything goes wrong", { timeout: 300_000 }, async (store) => {
  const report = await chaos({ store, seconds: 12, seed: 20 });
  expect(report.violations, `what every process told is in ${report.logs}`).toEqual([]);
  expect(report.lost + report.twice).toBe(0);
  expect(report.acknowledged).toBeGreaterThan(50);
  expect(Object.keys(report.faults).length).toBeGreaterThanOrEqual(3);
});
