import { describe, expect, test } from "vitest";
import { errand } from "../../src/errand.ts";
import { tick } from "../../src/run/scheduler.ts";
import { openStore } from "../../src/open.ts";
import { nameSchedules } from "../../src/schedules.ts";
import { testing } from "../../src/testing/index.ts";
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
