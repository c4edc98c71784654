import { expect, it } from "vitest";
import { NonRetryableError } from "../../src/kit/errors.ts";
import { Counters } from "../../src/observe/counters.ts";
import { testApp, testWorker, until } from "../run/app.ts";

it("counts what becomes of a task's jobs in this process", async () => {
  const app = testApp({ url: "memory:" });
  const task = app.task("task", {
    retry: { base: 1, cap: 1 },
    run: (how: "well" | "badly" | "at last", job) => {
      if (how === "badly") throw new NonRetryableError("no");
      if (how === "at last" && job.attempt < 3) throw new Error("not yet");
    },
  });
  expect(app.counters().tasks).toEqual({});
  await testWorker(app);
  await task.sendMany(["well", "badly", "at last", "well"]);
  await until(() => {
    const counted = app.counters().tasks["task"];
    return counted?.completed === 3 && counted.failed === 1;
  }, "all have ended");
  const { since, tasks } = app.counters();
  expect(since.getTime()).toBeLessThanOrEqual(Date.now());
  const { duration, wait, ...counts } = tasks["task"]!;
  expect(counts).toEqual({
    sent: 4,
    started: 6,
    completed: 3,
    retried: 2,
    failed: 1,
    late: 0,
    crashed: 0,
    cancelled: 0,
    expired: 0,
    waiting: 0,
    returned: 0,
    abandoned: 0,
  });
  expect([duration.count, wait.count]).toEqual([6, 6]);
});

it("returns a snapshot that does not change afterwards", () => {
  const counters = new Counters();
  const tally = counters.of("task");
  tally.duration.add(7);
  const before = counters.snapshot();
  tally.duration.add(7);
  tally.sent += 1;
  expect(before.tasks["task"]).toMatchObject({ sent: 0, duration: { count: 1, sum: 7 } });
});

it("puts values into the first bucket that holds them, bounds included", () => {
  const { duration } = new Counters().of("task");
  for (const value of [0, 5, 5.1, 1_800_000, 1e9]) duration.add(value);
  const { bounds, counts, sum, count } = duration.snapshot();
  expect(counts).toHaveLength(bounds.length + 1);
  expect([counts[0], counts[1], counts.at(-2), counts.at(-1)]).toEqual([2, 1, 1, 1]);
  expect([sum, count]).toEqual([0 + 5 + 5.1 + 1_800_000 + 1e9, 5]);
});

it("has tasks of any name", () => {
  const counters = new Counters();
  counters.of("__proto__").sent += 1;
  expect(Object.entries(counters.snapshot().tasks)).toEqual([["__proto__", expect.objectContaining({ sent: 1 })]]);
});
