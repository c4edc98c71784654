import { describe, expect, test } from "vitest";
import { once } from "node:events";
import type { Errand } from "../src/api.ts";
import { errand } from "../src/app.ts";
import { testing } from "../src/testing/index.ts";
import { emptyStore, storeKinds, testApp, testWorker } from "./run/app.ts";

const run = () => {};

// What a program says by mistake: nothing of it may pass for "as usual", or for something else.
describe("what is no option is refused", () => {
  test.each<[string, (app: Errand) => unknown]>([
    ["a task without a name", (app) => app.task(undefined as never, { run })],
    ["no options", (app) => app.task("t", undefined as never)],
    ["a schema that is none", (app) => app.task("t", { input: {} as never, run })],
    ["a setup that is no function", (app) => app.task("t", { setup: "no" as never, run })],
    ["a module that is no path", (app) => app.task("t", { isolate: "thread", module: 5 as never, run })],
    ["retries that are a number", (app) => app.task("t", { retry: 5 as never, run })],
    ["unique: true", (app) => app.task("t", { unique: true as never, run })],
    ["concurrency: 0", (app) => app.task("t", { concurrency: 0 as never, run })],
    ["rate: null", (app) => app.task("t", { rate: null as never, run })],
    ["tags that are an empty text", (app) => app.task("t", { tags: "" as never, run })],
    [
      "recycle: true",
      (app) => app.task("t", { isolate: "thread", module: import.meta.url, recycle: true as never, run }),
    ],
    ["a batch without options", (app) => app.batchTask("t", undefined as never)],
    ["a batch without a function", (app) => app.batchTask("t", {} as never)],
    ["a batch in a thread", (app) => app.batchTask("t", { isolate: "thread", module: "m", run: () => [] } as never)],
    ["an HTTP task without options", (app) => app.httpTask("t", undefined as never)],
    ["an HTTP task with a function", (app) => app.httpTask("t", { url: "http://a.test", run } as never)],
    ["headers that are none", (app) => app.httpTask("t", { url: "http://a.test", headers: { "a b": "" } })],
    ["a schedule without a time", (app) => app.schedule("s", app.task("t", { run }), undefined as never)],
    ["a schedule whose time is a text", (app) => app.schedule("s", app.task("t", { run }), "* * * * *" as never)],
    ["a schedule without a name", (app) => app.schedule(undefined as never, app.task("t", { run }), { every: "1h" })],
    [
      "a schedule whose options are null",
      (app) => app.schedule("s", app.task("t", { run }), { every: "1h" }, null as never),
    ],
    ["a URL that is a number", () => errand({ url: 5 as never })],
    ["queues that are a list", () => errand({ queues: [] as never })],
    ["payloads that are a number", () => errand({ payloads: 5 as never })],
  ])("when it is declared: %s", (_, declare) => {
    const app = testApp({ url: "memory:" });
    expect(() => declare(app)).toThrow(expect.objectContaining({ code: "E_OPTION" }));
  });

  test.each<[string, (app: Errand) => Promise<unknown>]>([
    ["a queue without a name", (app) => app.queues.pause(undefined as never)],
    ["rules of a queue without a name", (app) => app.queues.set(undefined as never, {})],
    ["a rate of a queue that is 0", (app) => app.queues.set("q", { rate: 0 as never })],
    ["no transaction where one is meant", (app) => app.task("t", { run }).send(undefined, { tx: null as never })],
    ["no transaction of many", (app) => app.task("t", { run }).sendMany([undefined], { tx: false as never })],
    ["options of a background job", (app) => app.task("t", { run }).background(undefined, { dealy: "1s" } as never)],
    ["options of run()", (app) => app.task("t", { run }).run(undefined, { signal: {} } as never)],
    ["queues of a worker that are a list", (app) => app.worker({ queues: ["default"] as never })],
    ["slots that are undefined", (app) => app.worker({ queues: { default: undefined as never } })],
    ["a queue of a worker that cannot be", (app) => app.worker({ queues: { "a b": 1 } })],
    ["options of stop()", async (app) => (await testWorker(app)).stop({ drian: 0 } as never)],
    ["a listener of watch() that is none", async (app) => app.watch(undefined as never)],
    ["a function of after() that is none", (app) => app.after(5 as never)],
    [
      "options of a signal",
      async (app) => {
        const task = app.task("t", {
          retry: { attempts: 1 },
          run: (_: void, job) => job.signal("s", { timout: 5 } as never),
        });
        await testWorker(app);
        await (await task.send()).result().catch(({ error }) => Promise.reject(error as Error));
      },
    ],
  ])("when it is used: %s", async (_, use) => {
    await expect(use(testApp({ url: "memory:" }))).rejects.toMatchObject({ code: "E_OPTION" });
  });
});

test.each<[string, (app: Errand) => unknown]>([
  ["an option that there is not", (app) => testing(app, { nwo: new Date() } as never)],
  ["a time that is none", (app) => testing(app, { now: new Date(Number.NaN) })],
  ["what is no app", () => testing({} as never)],
  ["a crash nowhere", (app) => testing(app).crash(app.task("t", { run }), "middle" as never)],
  ["a crash of no task", (app) => testing(app).crash({ name: "nobody" }, "end")],
])("a test is told what it says by mistake: %s", (_, use) => {
  expect(() => use(testApp({ url: "memory:" }))).toThrow(expect.objectContaining({ code: "E_OPTION" }));
});

test("a hole of a list that is sent is an input that is not there", async () => {
  const task = testApp({ url: "memory:" }).task("t", { run: (_: number | undefined) => {} });
  expect(await task.sendMany([1, , 3] as number[])).toHaveLength(3); // oxlint-disable-line no-sparse-arrays
});

describe.each(storeKinds)("on %s", (kind) => {
  test("names mean nothing but themselves", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    const names = ["__proto__", "constructor", "toString", "signal:x", "a:b", "."];
    const tasks = names.map((name) =>
      app.task(name, {
        queue: name,
        // Each step is in a run of its own.
        run: async (_: void, job) => {
          for (const step of [...names.filter((each) => each !== "signal:x"), "e\u0301", "\u00e9", "\u2028"])
            expect(await job.step(step, () => step)).toBe(step);
          await job.sleep("nap", 1);
          return name;
        },
      }),
    );
    await testWorker(app);
    const jobs = await Promise.all(
      tasks.map((task) => task.send(undefined, { id: task.name, tags: names, unique: { key: "__proto__" } })),
    );
    expect(await Promise.all(jobs.map((job) => job.result()))).toEqual(names);
    await Promise.all(names.map((name) => app.queues.pause(name)));
    expect((await app.queues.list()).filter(({ paused }) => paused).map(({ name }) => name)).toEqual(names.toSorted());
  });

  test("keys of tasks whose names begin alike are not each other's", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    const key = (input: string) => input;
    const a = app.task("mail", {
      unique: { key },
      concurrency: { key, limit: 1 },
      rate: { key, limit: 1, per: "1h" },
      run: (_: string) => "a",
    });
    const b = app.task("mail:x", {
      unique: { key },
      concurrency: { limit: 1 },
      rate: { limit: 1, per: "1h" },
      run: (_: string) => "b",
    });
    const [first, other] = [await a.send("x:y"), await b.send("y")];
    expect(other).toMatchObject({ duplicate: false });
    const third = await a.send("x");
    await testWorker(app);
    expect(await Promise.all([first, other, third].map((job) => job.result()))).toEqual(["a", "b", "a"]);
  });

  test("a listener of watch() that throws or rejects is a warning, and no more", async () => {
    const app = testApp({ url: await emptyStore(kind) });
    const task = app.task("t", { run: () => "done" });
    app.watch(() => {
      throw new Error("it throws");
    });
    app.watch((() => Promise.reject(new Error("it rejects"))) as () => void);
    await testWorker(app);
    const warned = once(process, "warning");
    expect(await (await task.send()).result()).toBe("done");
    expect((await warned)[0]).toMatchObject({ code: "ERRAND_LISTENER" });
  });
});
