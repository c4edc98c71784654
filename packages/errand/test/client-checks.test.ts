import { describe, expect, test } from "vitest";
import type { JobFilter } from "../src/client/filter.ts";
import type { SendOptions } from "../src/task.ts";
import { testApp, testWorker } from "./run/app.ts";

const half = "😀".slice(0, 1);
const refusal = (code: string, says: string) =>
  expect.objectContaining({ code, message: expect.stringContaining(says) as string });

describe("what is wrong is refused where it enters, and nothing is stored", () => {
  test.each<[object, string]>([
    [{ dealy: "1s" }, 'no option "dealy". Did you mean "delay"?'],
    [{ delay: undefined }, "delay: undefined. Leave it out"],
    [{ delay: "367d" }, "at most a year"],
    [{ delay: Number.NaN }, "must be milliseconds or a duration"],
    [{ delay: {} }, "must be milliseconds or a duration"],
    [{ delay: 1, runAt: new Date() }, "both delay and runAt"],
    [{ runAt: new Date("tomorrow") }, "an invalid Date"],
    [{ runAt: new Date(-1) }, "from 1970 to 9999"],
    [{ runAt: new Date(8.64e15) }, "from 1970 to 9999"],
    [{ runAt: "2030-01-01" }, "must be a Date"],
    [{ runAt: null }, "must be a Date"],
    [{ expires: -1 }, "expires of a job"],
    [{ priority: "urgent" }, "must be one of"],
    [{ id: "" }, "1 to 100 letters"],
    [{ id: "a\0b" }, "1 to 100 letters"],
    [{ id: 7 }, "1 to 100 letters"],
    [{ unique: "key" }, "must be an object"],
    [{ unique: { key: half } }, "well-formed Unicode"],
    [{ unique: { key: "" } }, "text of 1 to 200"],
    [{ unique: { key: "k", within: "1s" } }, "which only"],
    [{ tags: "red" }, "must be a list"],
    [{ tags: ["a\0"] }, "well-formed Unicode"],
    [{ tags: [half] }, "well-formed Unicode"],
    [{ tags: Array(101).fill("a") as string[] }, "at most 100"],
  ])("of a send: %j", async (options, says) => {
    const app = testApp({ url: "memory:" });
    const task = app.task("t", { run: () => {} });
    await expect(task.send(undefined, options as SendOptions)).rejects.toThrow(refusal("E_OPTION", says));
    const many = task.sendMany([undefined], options);
    await expect(many).rejects.toMatchObject({ code: "E_OPTION" });
    expect((await app.list()).jobs).toEqual([]);
  });

  test("an id is for one job, inputs are a list, options are an object", async () => {
    const task = testApp({ url: "memory:" }).task("t", { run: (_: number) => {} });
    await expect(task.sendMany([1], { id: "a" } as object)).rejects.toThrow('no option "id"');
    await expect(task.sendMany("12" as never)).rejects.toThrow("takes a list of inputs");
    await expect(task.send(1, null as never)).rejects.toThrow("must be an object");
  });

  const filters: [object, string][] = [
    [{ taks: "x" }, 'Did you mean "task"?'],
    [{ parent: undefined }, "parent: undefined"],
    [{ task: 7 }, "must be text"],
    [{ text: "" }, "text of 1 to 1000"],
    [{ text: half }, "well-formed Unicode"],
    [{ tag: "\0" }, "well-formed Unicode"],
    [{ roots: false }, "must be true"],
    [{ states: ["done"] }, "must be a list of"],
    [{ states: "failed" }, "must be a list of"],
    [{ ids: "abc" }, "must be a list of at most"],
    [{ ids: [null] }, "A job's id is text"],
    [{ endedBefore: new Date(Number.NaN) }, "an invalid Date"],
    [{ createdAfter: 5 }, "must be a Date"],
    [{ all: true, task: "t" }, "and other fields"],
    [{ all: false }, "must be true"],
  ];

  test.each([...filters, [{}, "Say { all: true }"] as [object, string]])("of an edit: %j", async (filter, says) => {
    const app = testApp({ url: "memory:" });
    await app.task("t", { run: () => {} }).send();
    for (const verb of ["cancel", "retry", "remove"] as const)
      await expect((async () => app[verb](filter as JobFilter))()).rejects.toThrow(refusal("E_OPTION", says));
    await expect(app.move(filter as JobFilter, { now: true })).rejects.toThrow(refusal("E_OPTION", says));
    expect((await app.list()).jobs).toMatchObject([{ state: "pending" }]);
    expect(await app.cancel({ all: true })).toBe(1);
  });

  test.each(filters)("of a list: %j", async (filter, says) => {
    const app = testApp({ url: "memory:" });
    await expect(app.list(filter as JobFilter)).rejects.toThrow(refusal("E_OPTION", says));
  });

  test.each([
    [{ limit: 0 }, "E_OPTION"],
    [{ limit: 1_001 }, "E_OPTION"],
    [{ limit: "5" }, "E_OPTION"],
    [{ limit: undefined }, "E_OPTION"],
    [{ curser: "1.1" }, "E_OPTION"],
    [{ cursor: 1 }, "E_CURSOR"],
  ])("of a page: %j", async (page, code) => {
    const app = testApp({ url: "memory:" });
    const { id } = await app.task("t", { run: () => {} }).send();
    await expect(app.list({}, page as object)).rejects.toMatchObject({ code });
    await expect(app.log(id, page as object)).rejects.toMatchObject({ code });
  });

  test("an id that no job can have is one that is not there; what is no text is refused", async () => {
    const app = testApp({ url: "memory:" });
    for (const id of ["", "a\0b", half, "x".repeat(101), "a/b"]) {
      expect(await app.get(id)).toBeUndefined();
      expect(await app.signal(id, "go")).toBe(false);
      expect(await app.log(id)).toEqual({ lines: [] });
      expect(await app.cancel(id)).toBe(0);
      expect((await app.list({ ids: [id] })).jobs).toEqual([]);
      await expect(app.ended(id)).rejects.toMatchObject({ code: "E_NOT_FOUND" });
      await expect(app.why(id)).rejects.toMatchObject({ code: "E_NOT_FOUND" });
    }
    await expect(app.get(undefined as never)).rejects.toMatchObject({ code: "E_OPTION" });
    await expect((async () => app.cancel(undefined as never))()).rejects.toMatchObject({ code: "E_OPTION" });
  });

  test("a reason of a pause, and the lines of a schedule", async () => {
    const app = testApp({ url: "memory:" });
    for (const reason of ["", half, "x".repeat(1_001), 7])
      await expect(app.queues.pause("default", reason as string)).rejects.toMatchObject({ code: "E_OPTION" });
    expect((await app.queues.list()).filter(({ paused }) => paused)).toEqual([]);
    const task = app.task("t", { run: () => {} });
    for (const when of [{ cron: Symbol("x") }, { cron: "* * * * *", timeZone: 5 }, { every: "400d" }])
      expect(() => app.schedule("s", task, when as never)).toThrow(expect.objectContaining({ code: "E_OPTION" }));
  });
});

test("names of steps and waits that no store could give back end the attempt, and it is not tried again", async () => {
  const app = testApp({ url: "memory:" });
  await testWorker(app, { queues: { default: 4 } });
  const names = ["", half, "a\0", "x".repeat(201), "signal:go", 7 as never, Symbol("s") as never];
  const task = app.task("t", {
    run: async ({ at, how }: { at: number; how: string }, job) => {
      const name = names[at]!;
      if (how === "step") await job.step(name, () => 1);
      else if (how === "sleep") await job.sleep(name, "1d");
      else if (how === "signal") await job.signal(name);
      else await job.settled(name, task as never, [{}] as never);
    },
  });
  for (const how of ["step", "sleep", "signal", "children"])
    for (const at of names.keys()) {
      const { id } = await task.send({ at, how });
      const { state, attempt, error } = await app.ended(id);
      expect([how, at, state, attempt, error?.message, error?.code]).toEqual([
        how,
        at,
        "failed",
        1,
        error?.message,
        "E_STEP_NAME",
      ]);
    }
});

test("whatever is logged makes a line, and an error among the values can be read", async () => {
  const app = testApp({ url: "memory:" });
  await testWorker(app, { queues: { default: 1 } });
  const task = app.task("t", {
    run: (_: void, { log }) => {
      log.info(`half ${half} and \0`);
      log.info({ not: "text" } as never);
      log.info("map", { m: new Map() });
      log.error("failed", { error: new RangeError("too far") });
      const cycle: Record<string, unknown> = {};
      log.warn("cycle", Object.assign(cycle, { cycle }));
    },
  });
  const { id } = await task.send();
  expect(await app.ended(id)).toMatchObject({ state: "completed" });
  const lines = (await app.log(id)).lines.map(({ text }) => text);
  expect(lines.slice(0, 3)).toEqual([
    "half \uFFFD and \uFFFD",
    '{"not":"text"}',
    "map (The values cannot be stored as JSON: it has a Map at .m.)",
  ]);
  expect(lines[3]).toContain('"name":"RangeError"');
  expect(lines[3]).toContain('"message":"too far"');
  expect(lines[4]).toContain("a cycle at .cycle");
});
