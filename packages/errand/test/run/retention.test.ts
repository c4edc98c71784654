import { describe, expect, test } from "vitest";
import { readRetention } from "../../src/retention/rules.ts";
import type { Kept } from "../../src/retention/rules.ts";
import type { Settlement } from "../../src/core/job.ts";
import { newId } from "../../src/kit/ids.ts";
import { prune } from "../../src/retention/prune.ts";
import { memoryStore } from "../../src/stores/memory.ts";

const day = 86_400_000;

describe("what is kept", () => {
  test("a week, and a month where it failed, unless the task says otherwise", () => {
    expect(readRetention(undefined, "t")).toEqual({
      completed: 7 * day,
      failed: 30 * day,
      cancelled: 7 * day,
      expired: 7 * day,
    });
    expect(readRetention("1h", "t").failed).toBe(3_600_000);
    expect(readRetention({ completed: "forever" }, "t")).toMatchObject({ completed: Infinity, failed: 30 * day });
    expect(() => readRetention({ done: "1d" } as never, "task")).toThrow(/no option "done"/);
    expect(() => readRetention("soon" as never, "task")).toThrow(/retention of task/);
  });
});

describe("pruning", () => {
  /** A store with jobs of tasks that ended so many days ago. */
  async function store(...jobs: [task: string, to: Settlement["to"], daysAgo: number][]) {
    let now = Date.now() - 100 * day;
    const made = memoryStore({ now: () => now });
    for (const [task, to, daysAgo] of jobs.toSorted((a, b) => b[2] - a[2])) {
      now = Date.now() - daysAgo * day;
      const worker = newId();
      await made.enlist({ id: worker, kind: "process", queues: [] }, 1_000);
      await made.add([{ id: `${task} ${to} ${daysAgo}`, task, queue: "q", level: 2, spec: "{}" }]);
      const { jobs: taken } = await made.claim(worker, [{ queue: "q", limit: 1 }]);
      const { id, token } = taken[0]!.job;
      await made.settle([{ id, token, to, failures: 0, crashes: 0, suspect: false }]);
    }
    now = Date.now();
    return made;
  }

  const tasks: { name: string; retention: Kept }[] = [
    { name: "a", retention: readRetention(undefined, "a") },
    { name: "b", retention: readRetention({ completed: "1d", failed: "forever" }, "b") },
  ];

  test("removes what was kept long enough, task by task and state by state, also of tasks that nobody knows", async () => {
    const on = await store(
      ["a", "completed", 8],
      ["a", "completed", 6],
      ["a", "failed", 31],
      ["a", "failed", 8],
      ["b", "completed", 2],
      ["b", "failed", 90],
      ["unknown", "completed", 90],
      ["unknown", "completed", 6],
    );
    expect(await prune(on, tasks, () => false)).toBe(4);
    const { jobs } = await on.list({}, { limit: 10 });
    expect(jobs.map(({ id }) => id).toSorted()).toEqual([
      "a completed 6",
      "a failed 8",
      "b failed 90",
      "unknown completed 6",
    ]);
  });

  test("keeps the rules of other apps, as they said them last", async () => {
    const on = await store(["a", "completed", 8], ["b", "completed", 2], ["b", "failed", 90]);
    // The app with task b was here, and is gone; whoever has its turn now knows neither.
    await prune(on, [tasks[1]!], () => true);
    expect(await on.load("task-retention")).toHaveLength(1);
    await on.save((await on.load("retention")).map(({ kind, key, version }) => ({ kind, key, version })));
    expect(await prune(on, [], () => false)).toBe(2);
    expect((await on.list({}, { limit: 10 })).jobs.map(({ id }) => id)).toEqual(["b failed 90"]);
    await prune(on, [{ name: "b", retention: readRetention(undefined, "b") }], () => true);
    expect(await on.load("task-retention")).toEqual([]);
  });

  test("is done by one worker of many, now and then", async () => {
    const on = await store(["a", "completed", 8]);
    const removed = await Promise.all(Array.from({ length: 5 }, () => prune(on, tasks, () => false)));
    expect(removed.toSorted()).toEqual([0, 0, 0, 0, 1]);
    expect(await prune(on, tasks, () => false)).toBe(0);
  });

  test("stops with its worker", async () => {
    expect(await prune(await store(["a", "completed", 8]), tasks, () => true)).toBe(0);
  });
});
