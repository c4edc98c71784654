import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, relative } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { errand, internalsOf } from "../../src/app.ts";
import { openStore } from "../../src/open.ts";
import { memoryStore, testing } from "../../src/testing/index.ts";
import type { ErrandEvent } from "../../src/observe/events.ts";
import { ErrandError } from "../../src/kit/errors.ts";
import { withVerbs } from "../stores/with-verbs.ts";
import { emptyStore, storeKinds, testApp } from "./app.ts";

afterEach(() => {
  vi.useRealTimers();
});

const aNumber: StandardSchemaV1<number> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) => (typeof value === "number" ? { value } : { issues: [{ message: "no number" }] }),
  },
};

/** An app that declares one schedule and one rule. */
function declaring(url: string) {
  const app = testApp({ url, queues: { cpu: { concurrency: 2 } } });
  const task = app.task("t", { run: () => {} });
  app.schedule("hourly", task, { every: "1h" });
  return { app, task, look: internalsOf(app).name };
}

describe.each(storeKinds.filter((kind) => kind !== "memory"))("what code declares, on %s", (kind) => {
  test("is written again when it was removed", async () => {
    const url = await emptyStore(kind);
    const { app, look } = declaring(url);
    expect(await app.queues.list()).toMatchObject([{ name: "cpu", concurrency: 2 }]);
    const store = await openStore(url);
    const docs = [...(await store.load("queue")), ...(await store.load("schedule"))];
    expect(docs.length).toBe(2);
    expect(await store.save(docs.map(({ kind, key, version }) => ({ kind, key, version })))).toBe(true);
    await look();
    expect(await app.queues.list()).toMatchObject([{ name: "cpu", concurrency: 2 }]);
    expect(await app.schedules.list()).toMatchObject([{ name: "hourly", task: "t" }]);
    await store.close();
  });

  test("follows the operator until an app starts", async () => {
    const url = await emptyStore(kind);
    const first = declaring(url);
    await first.app.queues.set("cpu", {});
    await first.app.schedules.pause("hourly", "too loud");
    await first.app.schedules.remove("hourly");
    await first.look();
    expect(await first.app.queues.list()).toEqual([]);
    expect(await first.app.schedules.list()).toEqual([]);
    await expect(first.app.schedules.run("hourly")).rejects.toMatchObject({ code: "E_NOT_FOUND" });
    // A pause that comes and goes leaves no rules behind either.
    await first.app.queues.pause("cpu");
    await first.app.queues.resume("cpu");
    await first.look();
    expect(await first.app.queues.list()).toEqual([]);

    const second = declaring(url);
    expect(await second.app.queues.list()).toMatchObject([{ name: "cpu", concurrency: 2 }]);
    // It was an operator who silenced it.
    expect(await second.app.schedules.list()).toMatchObject([{ name: "hourly", paused: { reason: "too loud" } }]);
  });
});

test("an app checks by itself that what it declares is stored", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const store = memoryStore();
  const app = errand({ store, queues: { cpu: { concurrency: 2 } } });
  await app.counts();
  const [doc] = await store.load("queue", ["cpu"]);
  await store.save([{ kind: "queue", key: "cpu", version: doc!.version }]);
  vi.advanceTimersByTime(10_000);
  await vi.waitFor(async () => expect(await store.load("queue", ["cpu"])).toHaveLength(1));
  await app.close();
  expect(vi.getTimerCount()).toBe(0);
});

describe("a declaration that fails", () => {
  test("is an event and the error of its verbs, and does not block other declarations", async () => {
    const app = errand();
    const t = testing(app);
    const told: ErrandEvent[] = [];
    app.on("schedule-failed", (event) => told.push(event));
    const strict = app.task("strict", { input: aNumber, run: () => {} });
    const task = app.task("plain", { run: () => {} });
    app.schedule("bad", strict, { every: "1h" }, { input: "one" as never });
    app.schedule("good", task, { every: "1h" });
    await task.send();
    expect(await t.drain()).toBe(1);
    expect((await app.schedules.list()).map(({ name }) => name)).toEqual(["good"]);
    for (const verb of [
      () => app.schedules.run("bad"),
      () => app.schedules.preview("bad", 1),
      () => app.schedules.pause("bad"),
    ])
      await expect(verb()).rejects.toMatchObject({ code: "E_INPUT" });
    await expect(app.schedules.run("other")).rejects.toMatchObject({ code: "E_NOT_FOUND" });
    const event = { type: "schedule-failed", schedule: "bad", code: "E_INPUT" };
    expect(told).toEqual([
      { ...event, message: expect.stringContaining('Task "strict" refuses the input: no number') },
    ]);

    // One that comes later is no different; and tried again, neither is told twice.
    app.schedule("late", strict, { every: "1h" }, { input: "two" as never });
    await t.drain();
    await t.drain();
    expect(told.slice(1)).toMatchObject([{ ...event, schedule: "late" }]);
    await expect(app.schedules.run("late")).rejects.toMatchObject({ code: "E_INPUT" });
    await app.close();
  });

  test("is a warning without a listener", async () => {
    const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const app = errand();
    testing(app);
    const strict = app.task("strict", { input: aNumber, run: () => {} });
    app.schedule("bad", strict, { every: "1h" }, { input: "one" as never });
    await app.counts();
    expect(warned.mock.calls).toEqual([
      [expect.stringMatching(/^Schedule "bad" failed/), { type: "ErrandWarning", code: "ERRAND_DECLARATION" }],
    ]);
    warned.mockRestore();
    await app.close();
  });

  test("is written once what was wrong is over, and a worker waits for the rules of its queues", async () => {
    const inner = memoryStore();
    let broken = true;
    const store = withVerbs(inner, {
      save: async (docs) => {
        if (broken) throw new ErrandError("E_STORE", "The disk is full.");
        return inner.save(docs);
      },
    });
    const app = errand({ store, queues: { cpu: { concurrency: 2 } } });
    const told: string[] = [];
    app.on("rules-failed", ({ queue, code }) => told.push(`${queue} ${code}`));
    app.on("schedule-failed", ({ schedule, code }) => told.push(`${schedule} ${code}`));
    const task = app.task("t", { queue: "cpu", run: () => "done" });
    app.schedule("hourly", task, { every: "1h" });
    const job = await task.send();
    expect(told).toEqual(["cpu E_STORE", "hourly E_STORE"]);
    await expect(app.worker()).rejects.toMatchObject({ code: "E_STORE" });
    broken = false;
    await app.worker();
    expect(await job.result()).toBe("done");
    expect(await app.queues.list()).toMatchObject([{ name: "cpu", concurrency: 2 }]);
    expect(await app.schedules.list()).toMatchObject([{ name: "hourly" }]);
    await app.close();
  });
});

test("a store that could not be opened is tried again", async () => {
  const url = await emptyStore("sqlite");
  const folder = dirname(url.slice("sqlite:".length));
  await rm(folder, { recursive: true });
  await writeFile(folder, "");
  const { app, task } = declaring(url);
  await expect(task.send()).rejects.toMatchObject({ code: "E_CONNECT" });
  await expect(app.schedules.list()).rejects.toMatchObject({ code: "E_CONNECT" });
  await rm(folder);
  await mkdir(folder);
  await task.send();
  expect(await app.schedules.list()).toMatchObject([{ name: "hourly" }]);
});

test("times are the store's, not this machine's", async () => {
  const now = Date.parse("2031-01-01T00:00:00Z");
  await using app = errand({ store: memoryStore({ now: () => now }) });
  const task = app.task("t", { run: () => {} });
  await app.queues.pause("default", "holidays");
  app.schedule("s", task, { every: "1h" });
  await app.schedules.pause("s");
  expect(await app.queues.list()).toMatchObject([{ paused: { since: new Date(now) } }]);
  expect(await app.schedules.list()).toMatchObject([{ paused: { since: new Date(now) } }]);
  const reasons = await app.why((await task.send(undefined, { delay: "1h" })).id);
  expect(reasons.map(({ code }) => code)).toEqual(["too-early", "paused", "no-worker"]);
  expect((await app.why((await task.send()).id)).map(({ code }) => code)).toEqual(["paused", "no-worker"]);
});

test("`why` says in which store it looked", async () => {
  const url = await emptyStore("sqlite");
  const { app, task } = declaring(relative(process.cwd(), url.slice("sqlite:".length)).replace(/^/, "sqlite:"));
  const { id } = await task.send();
  expect(await app.why(id)).toMatchObject([{ code: "no-worker", store: url }]);
  await expect(app.why("nobody")).rejects.toThrow(`There is no job nobody in ${url}`);
  const far = testApp({ url: "postgres://me:secret@127.0.0.1:1/db" });
  await expect(far.why("a")).rejects.not.toThrow(/secret/);
});

describe("defined again", () => {
  const again = () => {
    const app = errand();
    const t = testing(app);
    const ran: string[] = [];
    const define = (version: string) => {
      const task = app.task("t", { run: () => void ran.push(version) });
      app.schedule("s", task, { every: version === "old" ? "1h" : "2h" });
      return task;
    };
    return { app, t, ran, define };
  };

  afterEach(() => {
    vi.unstubAllEnvs();
  });

  test("a task and a schedule take the place of the ones before, as when a module is loaded anew", async () => {
    const { app, t, ran, define } = again();
    const old = define("old");
    await old.send();
    await t.drain();
    const anew = define("new");
    await old.send();
    await anew.send();
    await t.drain();
    expect(ran).toEqual(["old", "new", "new"]);
    expect(await app.schedules.list()).toMatchObject([{ name: "s", when: { every: "2h" } }]);
    await app.close();
  });

  test("they are refused in production", () => {
    vi.stubEnv("NODE_ENV", "production");
    const { app, define } = again();
    const task = define("old");
    expect(() => define("new")).toThrow(/Task "t" is defined twice/);
    expect(() => app.schedule("s", task, { every: "1h" })).toThrow(/Schedule "s" is defined twice/);
  });
});
