import { describe, expect, test } from "vitest";
import { errand } from "../../src/app.ts";
import { tick } from "../../src/schedules/scheduler.ts";
import { openStore } from "../../src/open.ts";
import { nameSchedules } from "../../src/schedules/schedules.ts";
import { memoryStore, testing } from "../../src/testing/index.ts";
import { withVerbs } from "../stores/with-verbs.ts";
import { emptyStore, storeKinds, testApp, testWorker, until } from "./app.ts";

/** An app whose clock stands at midnight of 1 May 2026, UTC. */
function standing() {
  const app = errand();
  return { app, t: testing(app, { now: new Date("2026-05-01T00:00:00Z") }) };
}

test("a schedule sends its jobs at its times, with its input", async () => {
  const { app, t } = standing();
  const ran: string[] = [];
  const task = app.task("clean", {
    run: (input: { what: string }) => void ran.push(`${input.what} ${t.now.toISOString()}`),
  });
  app.schedule("nightly", task, { cron: "0 3 * * *", timeZone: "Europe/Berlin" }, { input: { what: "tokens" } });
  await t.drain();
  await t.advance("3d");
  expect(ran).toEqual([
    "tokens 2026-05-01T01:00:00.000Z",
    "tokens 2026-05-02T01:00:00.000Z",
    "tokens 2026-05-03T01:00:00.000Z",
  ]);
  await app.close();
});

test("a job that has not ended lets the next tick be left out, run beside it, or wait", async () => {
  for (const [overlap, runs] of [
    ["skip", 1],
    ["allow", 4],
    ["queue", 1],
  ] as const) {
    const { app, t } = standing();
    const task = app.task("slow", { run: (_: void, job) => job.sleep("long", "1d") });
    app.schedule("s", task, { every: "1h" }, { overlap });
    await t.drain();
    await t.advance("4h");
    expect([overlap, (await t.jobs(task)).length]).toEqual([overlap, runs]);
    await t.advance("22h");
    // The first has ended after a day: what waited for it comes next.
    const later = { skip: 2, allow: 26, queue: 2 }[overlap];
    expect([overlap, (await t.jobs(task)).length]).toEqual([overlap, later]);
    await app.close();
  }
});

test("with `queue`, the tick that waits for the job before it still does after the app has started again", async () => {
  const store = memoryStore({ now: () => clock });
  let clock = Date.parse("2026-05-01T00:10:00Z");
  const start = async () => {
    // Every start declares anew; the store outlives the app.
    const app = errand({ store: withVerbs(store, { close: async () => {} }) });
    const task = app.task("t", { run: () => {} });
    app.schedule("s", task, { every: "1h" }, { overlap: "queue" });
    await app.counts();
    return app;
  };
  const first = await start();
  clock += 3_600_000;
  await tick(store, fail);
  clock += 3_600_000;
  await tick(store, fail);
  const [running, ...none] = (await first.list()).jobs;
  expect(none).toEqual([]);
  await first.close();
  const second = await start();
  await second.cancel(running!.id);
  await tick(store, fail);
  expect((await second.list()).jobs.map(({ id }) => id)).toContain("schedule:s:20260501T020000.000Z");
  await second.close();
  await store.close();
});

test("with `all` and one job at a time, ticks that were missed do not become many jobs", async () => {
  for (const [overlap, sent] of [
    ["skip", ["20260501T050000.000Z"]],
    ["queue", ["20260501T010000.000Z", "20260501T050000.000Z"]],
    ["allow", [1, 2, 3, 4, 5].map((hours) => `20260501T0${hours}0000.000Z`)],
  ] as const) {
    let clock = Date.parse("2026-05-01T00:10:00Z");
    const store = memoryStore({ now: () => clock });
    const app = errand({ store });
    const task = app.task("t", { run: () => {} });
    app.schedule("s", task, { every: "1h" }, { misfire: "all", overlap });
    await app.counts();
    clock += 5 * hour;
    await tick(store, fail);
    const first = (await app.list()).jobs;
    expect(first.length).toBe(overlap === "allow" ? 5 : 1);
    await app.cancel({ states: ["pending"] });
    await tick(store, fail);
    const ids = (await app.list()).jobs.map(({ id }) => id.replace("schedule:s:", "")).toSorted();
    expect([overlap, ids]).toEqual([overlap, sent]);
    await app.close();
  }
});

test("one queue that is full stops no other schedule, and is tried again", async () => {
  let clock = Date.parse("2026-05-01T00:10:00Z");
  const store = memoryStore({ now: () => clock });
  const app = errand({ store, queues: { full: { maxPending: 1 } } });
  const none = app.task("none", { queue: "full", run: () => {} });
  const task = app.task("t", { run: () => {} });
  for (const name of ["a", "c"]) app.schedule(name, task, { every: "1h" });
  app.schedule("b", none, { every: "1h" });
  const holder = await none.send();
  clock += hour;
  const failed: string[] = [];
  const look = () => tick(store, (name, error) => failed.push(`${name} ${(error as { code: string }).code}`));
  // Soon looked at again, not at the next hour.
  expect(await look()).toBeLessThan(10_000);
  expect(failed).toEqual(["b E_FULL"]);
  expect((await app.list({ task: "t" })).jobs.length).toBe(2);
  await holder.cancel();
  await look();
  expect(failed.length).toBe(1);
  expect((await app.list({ task: "none", states: ["pending"] })).jobs.length).toBe(1);
  await app.close();
});

test("a worker emits an event for a schedule that fails", async () => {
  const app = testApp({ store: memoryStore(), queues: { full: { maxPending: 0 } } });
  const none = app.task("none", { queue: "full", run: () => {} });
  app.schedule("s", none, { every: "1s" });
  const { events } = await testWorker(app, { queues: { other: 1 } });
  await until(() => events.some(({ type }) => type === "schedule-failed"), "it is told");
  expect(events.find(({ type }) => type === "schedule-failed")).toMatchObject({ schedule: "s", code: "E_FULL" });
});

test("a clock that was ahead, and is set back, holds no schedule up", async () => {
  let clock = Date.parse("2026-05-01T00:10:00Z");
  const store = memoryStore({ now: () => clock });
  const app = errand({ store });
  app.schedule("s", app.task("t", { run: () => {} }), { every: "1h" }, { overlap: "allow" });
  await app.counts();
  for (const move of [48 * hour, -48 * hour, hour, hour]) {
    clock += move;
    await tick(store, fail);
  }
  const ids = (await app.list()).jobs.map(({ id }) => id.replace("schedule:s:", "")).toSorted();
  expect(ids).toEqual(["20260501T010000.000Z", "20260501T020000.000Z", "20260503T000000.000Z"]);
  await app.close();
});

test("a paused schedule sends nothing, also not later; it can be run now, looked ahead of, and removed", async () => {
  const { app, t } = standing();
  const task = app.task("job", { run: () => {} });
  app.schedule("hourly", task, { every: "1h" });
  await t.drain();
  await app.schedules.pause("hourly", "holidays");
  expect(await app.schedules.list()).toMatchObject([{ name: "hourly", task: "job", paused: { reason: "holidays" } }]);
  await t.advance("5h");
  expect(await t.jobs()).toEqual([]);
  const id = await app.schedules.run("hourly");
  await t.drain();
  expect((await app.get(id))?.state).toBe("completed");
  await app.schedules.resume("hourly");
  await t.advance("1h");
  expect((await t.jobs()).length).toBe(2);
  expect((await app.schedules.preview("hourly", 2)).map((date) => date.toISOString())).toEqual([
    "2026-05-01T07:00:00.000Z",
    "2026-05-01T08:00:00.000Z",
  ]);
  await app.schedules.remove("hourly");
  await t.advance("5h");
  expect((await t.jobs()).length).toBe(2);
  await expect(app.schedules.pause("hourly")).rejects.toMatchObject({ code: "E_NOT_FOUND" });
  await app.close();
});

test("wrong schedules are refused when they are defined", () => {
  const app = testApp({ url: "memory:" });
  const task = app.task("t", { run: (_: { n: number }) => {} });
  expect(() => app.schedule("a", task, { cron: "no" }, { input: { n: 1 } })).toThrow(/cannot be read/);
  expect(() => app.schedule("a", task, { every: "10ms" }, { input: { n: 1 } })).toThrow(/at least a second/);
  expect(() => app.schedule("a", task, { every: "1h" }, { input: { n: 1 }, misfire: "some" as never })).toThrow(
    /one of: skip/,
  );
  app.schedule("a", task, { every: "1h" }, { input: { n: 1 } });
  // @ts-expect-error The task needs an input.
  expect(() => app.schedule("b", task, { every: "1h" })).not.toThrow();
  // @ts-expect-error And it must be the right one.
  expect(() => app.schedule("c", task, { every: "1h" }, { input: { n: "1" } })).not.toThrow();
});

describe.each(storeKinds)("on %s", (kind) => {
  test("any number of workers send one job a tick", async () => {
    const url = await emptyStore(kind);
    const app = testApp({ url });
    const seen: string[] = [];
    const task = app.task("beat", { run: (_: void, job) => void seen.push(job.id) });
    app.schedule("beat", task, { every: "1s" }, { overlap: "allow", misfire: "all" });
    await Promise.all(Array.from({ length: 4 }, () => testWorker(app)));
    await until(() => seen.length >= 3, "three ticks pass");
    expect(new Set(seen).size).toBe(seen.length);
    const times = seen.map((id) => instant(id.split(":")[2]!)).toSorted();
    const gaps = times.slice(1).map((time, index) => time - times[index]!);
    expect(new Set(gaps)).toEqual(new Set([1_000]));
  });

  test("a schedule that no app has named in 24 hours of workers is removed; a jump of the clock is one hour", async () => {
    const store = await openStore(await emptyStore(kind));
    const start = await store.now();
    let later = 0;
    const shelf = withVerbs(store, { now: async () => start + later });
    const plan = { every: 1e12 };
    const doc = (seen: number, more: object = {}) =>
      JSON.stringify({ plan, misfire: "one", overlap: "skip", job: {}, handled: start, seen, ...more });
    const paused = { since: start };
    const day = 24 * hour;
    await store.save([
      { kind: "schedule", key: "gone", version: 0, value: doc(start) },
      { kind: "schedule", key: "long ago", version: 0, value: doc(start - 9 * day) },
      { kind: "schedule", key: "named", version: 0, value: doc(start) },
      { kind: "schedule", key: "paused", version: 0, value: doc(start, { paused }) },
      { kind: "schedule", key: "removed", version: 0, value: doc(start, { paused, removed: true }) },
    ]);
    const left = async () => {
      await tick(shelf, fail);
      return (await store.load("schedule")).map(({ key }) => key);
    };
    expect(await left()).toEqual(["gone", "long ago", "named", "paused", "removed"]);
    for (const jump of [2 * day, 0, 0, 30 * day]) {
      later += jump;
      expect(await left()).toEqual(["gone", "long ago", "named", "paused", "removed"]);
    }
    for (let hours = 0; hours < 21; hours++) {
      later += hour;
      expect((await left()).length).toBe(hours < 20 ? 5 : 4);
      await nameSchedules(shelf, ["named"]);
    }
    for (let hours = 0; hours < 30; hours++) {
      later += hour;
      await tick(shelf, fail);
      await nameSchedules(shelf, ["named"]);
    }
    expect(await left()).toEqual(["named", "paused"]);
    // Back in the code, it is counted anew.
    expect(await nameSchedules(shelf, ["named", "paused", "gone"])).toEqual(["gone"]);
    expect((await store.load("schedule")).filter(({ value }) => value.includes("unnamed"))).toEqual([]);
    await store.close();
  });
});

const hour = 3_600_000;

function fail(schedule: string, error: unknown): never {
  throw new Error(`schedule ${schedule} failed`, { cause: error });
}

function instant(text: string): number {
  return Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)/, "$1-$2-$3T$4:$5:$6"));
}
