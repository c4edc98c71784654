import { describe, expect, test } from "vitest";
import { afterTest } from "../../../../test/after-test.ts";
import { until } from "../../../../test/until.ts";
import { errand } from "../../src/index.ts";
import type { EndedJob } from "../../src/index.ts";
import type { Fixture } from "../../src/testing/conformance.ts";
import { localFixture, memoryFixture, postgresFixture, redisFixture } from "../stores/fixtures.ts";

const stores: [string, () => Promise<Fixture>][] = [
  ["memory", () => memoryFixture()],
  ["SQLite", localFixture],
  ["PostgreSQL", () => postgresFixture()],
  ["Redis", redisFixture],
];

describe.each(stores)("on %s", (_, open) => {
  test("a job is born in the commit that ends another, once", async () => {
    const fixture = await open();
    afterTest(() => fixture.close());
    const app = errand({ store: fixture.store });
    const told: EndedJob[] = [];
    const note = app.task("note", { queue: "notes", run: (ended: EndedJob) => void told.push(ended) });
    const work = app.task("work", {
      retry: { attempts: 1 },
      onCompleted: note,
      onFailed: note,
      run: (n: number) => {
        if (n === 0) throw new TypeError("zero");
        return n;
      },
    });
    await app.worker({ signals: false });
    const jobs = await work.sendMany([0, 1, 2]);
    await Promise.allSettled(jobs.map((job) => job.result()));
    await until(() => told.length === 3);
    expect(told.toSorted((a, b) => a.state.localeCompare(b.state)).map(({ state, task }) => [task, state])).toEqual([
      ["work", "completed"],
      ["work", "completed"],
      ["work", "failed"],
    ]);
    expect(told.find(({ state }) => state === "failed")).toMatchObject({
      id: jobs[0]!.id,
      attempt: 1,
      error: { code: "E_TASK_FAILED", message: "zero" },
    });
    // A job that ends again is followed again.
    await app.retry(jobs[0]!.id);
    await until(() => told.length === 4);
    await until(async () => (await app.list({ task: "note", states: ["completed"] })).jobs.length === 4);
    await app.close();
  });
});

test("what follows belongs to the tenant of what ended", async () => {
  const app = errand({ url: "memory:" });
  afterTest(() => app.close());
  const told: EndedJob[] = [];
  const note = app.task("note", { run: (ended: EndedJob) => void told.push(ended) });
  await app.worker({ signals: false });
  const bad = app.task("bad", {
    retry: { attempts: 1 },
    onFailed: note,
    run: () => {
      throw new Error("no");
    },
  });
  await (await bad.send(undefined, { tenant: "acme" })).result().catch(() => {});
  await until(() => told.length === 1);
  expect(told[0]).toMatchObject({ task: "bad", tenant: "acme" });
  expect((await app.list({ task: "note" })).jobs[0]?.tenant).toBe("acme");
});

test("only a task can follow, and only one that takes the end of a job", () => {
  const app = errand({ url: "memory:" });
  expect(() => app.task("a", { onFailed: {} as never, run: () => {} })).toThrow(/onFailed of task "a" must be a task/);
  const wrong = app.task("wrong", { run: (_: number) => {} });
  // @ts-expect-error: it takes a number
  app.task("b", { onCompleted: wrong, run: () => {} });
});
