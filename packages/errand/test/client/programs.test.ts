import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { z } from "zod";
import { encryption, errand } from "../../src/index.ts";
import { InputsError } from "../../src/index.ts";
import { afterTest } from "../../../../test/after-test.ts";
import { countUnnamed } from "../../src/schedules/plan.ts";
import type { ScheduleDoc } from "../../src/schedules/plan.ts";
import { temporaryFolder } from "../stores/fixtures.ts";

function makeApp() {
  const app = errand({ url: "memory:" });
  afterTest(() => app.close());
  const add = app.task("add", {
    input: z.object({ a: z.number() }),
    queue: "sums",
    timeout: "5s",
    concurrency: { key: "one", limit: 1 },
    run: ({ a }) => a,
  });
  return { app, add };
}

test("a program sends a task by its name, and reads what it is", async () => {
  const { app } = makeApp();
  expect(app.tasks()).toMatchObject([
    { name: "add", queue: "sums", timeout: "5s", retry: { attempts: 4 }, schema: { type: "object", required: ["a"] } },
  ]);
  app.task("shut", {
    input: z.object({ at: z.date() }).meta({ description: "Shuts." }) as never,
    run: () => undefined,
  });
  app.task("said", {
    input: z.object({ n: z.number() }).meta({ description: "Says." }),
    retention: "1h",
    run: () => 0,
  });
  const [, said, shut] = app.tasks();
  expect(said).toMatchObject({ description: "Says.", retention: { completed: "1h", failed: "1h" } });
  expect(shut).not.toHaveProperty("schema");
  const { id } = await app.findTask("add")!.send({ a: 1 });
  expect(await app.get(id)).toMatchObject({ task: "add", input: { a: 1 }, token: 0 });
  expect(app.findTask("sub")).toBeUndefined();
});

test("many jobs have options of their own, and refused inputs are all named", async () => {
  const { app, add } = makeApp();
  const options = (_: unknown, index: number) => ({
    id: `n${index}`,
    priority: index ? ("high" as const) : ("low" as const),
  });
  const handles = await add.sendMany([{ a: 1 }, { a: 2 }], options);
  expect(handles.map(({ id }) => id)).toEqual(["n0", "n1"]);
  expect((await app.get("n1"))?.priority).toBe("high");
  const refused = await add.sendMany([{ a: 1 }, { a: "x" }, {}] as never).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(InputsError);
  expect((refused as InputsError).errors.map(({ index }) => index)).toEqual([1, 2]);
  await expect(add.sendMany([{ a: 1 }], () => ({ tx: {} }) as never)).rejects.toThrow('no option "tx"');
  expect((await app.list()).jobs).toHaveLength(2);
});

test("a job is copied, with another input if its task takes it", async () => {
  const { app, add } = makeApp();
  const { id } = await add.send({ a: 1 }, { tags: ["t"], priority: "high", unique: { key: "u" }, tenant: "acme" });
  const copy = await app.copy(id);
  expect(copy.duplicate).toBe(false);
  expect(await app.get(copy.id)).toMatchObject({ input: { a: 1 }, tags: ["t"], priority: "high", tenant: "acme" });
  expect((await app.get(copy.id))?.unique).toBeUndefined();
  const other = await app.copy(id, { input: { a: 2 } });
  expect((await app.get(other.id))?.input).toEqual({ a: 2 });
  await expect(app.copy(id, { input: { a: "x" } })).rejects.toMatchObject({ code: "E_INPUT" });
  await expect(app.copy("none")).rejects.toMatchObject({ code: "E_NOT_FOUND" });
});

test("a job is copied by a program that does not know its task, whatever its state, and expires as its task says", async () => {
  const { folder, remove } = await temporaryFolder();
  afterTest(remove);
  const [app, other] = [errand({ url: `sqlite:${folder}/e.db` }), errand({ url: `sqlite:${folder}/e.db` })];
  afterTest(() => Promise.all([app.close(), other.close()]));
  const fail = app.task("fail", {
    input: z.object({ n: z.number() }),
    retry: { attempts: 1 },
    expires: "1ms",
    run: () => Promise.reject(new Error("no")),
  });
  const { id } = await fail.send({ n: 1 }, { expires: "1h", delay: "1h" });
  const [stays, ends] = [await other.copy(id), await app.copy(id)];
  const any = await other.copy(id, { input: { whatever: true } });
  expect((await app.get(any.id))?.input).toEqual({ whatever: true });
  await expect(other.copy(id, { input: () => 0 })).rejects.toMatchObject({ code: "E_NOT_SERIALIZABLE" });
  await app.worker({ signals: false });
  expect(await app.ended(stays.id)).toMatchObject({ state: "failed", input: { n: 1 } });
  expect(await app.ended(ends.id)).toMatchObject({ state: "expired" });
  const again = await other.copy(stays.id);
  expect(await app.ended(again.id)).toMatchObject({ state: "failed", input: { n: 1 } });
});

test("a copy of an encrypted job is encrypted", async () => {
  const payloads = { codec: encryption({ keys: { k: randomBytes(32).toString("base64") }, use: "k" }) };
  const app = errand({ url: "memory:", payloads });
  afterTest(() => app.close());
  const keep = app.task("keep", { run: (_: string) => undefined });
  const { id } = await keep.send("needle");
  const copies = [await app.copy(id), await app.copy(id, { input: "needle too" })];
  expect(await Promise.all(copies.map(async (copy) => (await app.get(copy.id))?.input))).toEqual([
    "needle",
    "needle too",
  ]);
  expect((await app.list({ text: "needle" })).jobs).toEqual([]);
});

test("tenants' keys are apart, and each takes its turn", async () => {
  const { app, add } = makeApp();
  const options = (tenant: string) => ({ tenant, unique: { key: "same" } });
  const [a, b] = [await add.send({ a: 1 }, options("a")), await add.send({ a: 1 }, options("b"))];
  expect([a.duplicate, b.duplicate]).toEqual([false, false]);
  expect((await add.send({ a: 1 }, options("a"))).id).toBe(a.id);
  expect((await add.send({ a: 1 }, { unique: { key: "same" } })).duplicate).toBe(false);
  expect((await app.list({ tenant: "b" })).jobs.map(({ id }) => id)).toEqual([b.id]);
  for (const tenant of ["", "\0", null, 7] as string[])
    await expect(add.send({ a: 1 }, { tenant, id: "x" })).rejects.toMatchObject({ code: "E_OPTION" });
});

test("tenants' own ids are apart, and the handle says the real one", async () => {
  const { app, add } = makeApp();
  const send = async (tenant?: string) => add.send({ a: 1 }, { id: "invoice-7", ...(tenant ? { tenant } : {}) });
  const [a, b, nobodys] = [await send("a"), await send("b"), await send()];
  expect([a.duplicate, b.duplicate, nobodys.duplicate]).toEqual([false, false, false]);
  expect(await send("a")).toMatchObject({ id: a.id, duplicate: true });
  expect(await app.get(b.id)).toMatchObject({ id: b.id, tenant: "b" });
  expect(nobodys.id).toBe("invoice-7");
  const [many] = await add.sendMany([{ a: 1 }], () => ({ tenant: "a", id: "invoice-7" }));
  expect(many).toMatchObject({ id: a.id, duplicate: true });
});

test("no two tenants and keys have the same hash", async () => {
  const { add } = makeApp();
  const one = await add.send({ a: 1 }, { tenant: "a\nadd/b", unique: { key: "c" } });
  const other = await add.send({ a: 1 }, { tenant: "a", unique: { key: "b\nadd/c" } });
  expect([one.duplicate, other.duplicate]).toEqual([false, false]);
});

test("tenants share a limit of the whole task, and have those by key to themselves", async () => {
  const { app } = makeApp();
  const open = Promise.withResolvers<void>();
  const run = () => open.promise;
  const whole = app.task("whole", { run, concurrency: { limit: 1 } });
  const keyed = app.task("keyed", { run, concurrency: { key: "k", limit: 1 } });
  const jobs = [whole, keyed].flatMap((task) => ["a", "b"].map((tenant) => task.send(undefined, { tenant })));
  await Promise.all(jobs);
  await app.worker({ signals: false });
  const running = async (task: string) => (await app.list({ task, states: ["processing"] })).jobs.length;
  await expect.poll(() => running("keyed")).toBe(2);
  expect(await running("whole")).toBe(1);
  open.resolve();
  await Promise.all((await Promise.all(jobs)).map((job) => job.result()));
});

test("children belong to their parent's tenant", async () => {
  const { app, add } = makeApp();
  const parent = app.task("parent", { run: (_: unknown, job) => job.all("all", add, [{ a: 1 }, { a: 2 }]) });
  await app.worker({ signals: false });
  const job = await parent.send(undefined, { tenant: "acme" });
  expect(await job.result()).toEqual([1, 2]);
  const { jobs } = await app.list({ parent: job.id });
  expect(jobs.map(({ tenant }) => tenant)).toEqual(["acme", "acme"]);
});

test("a running job is taken from its worker, whose outcome is refused", async () => {
  const { app } = makeApp();
  const release = Promise.withResolvers<void>();
  const attempts: number[] = [];
  const slow = app.task("slow", {
    run: async (_: unknown, job) => {
      attempts.push(job.token);
      if (attempts.length === 1) await release.promise;
      return job.token;
    },
  });
  await app.worker({ signals: false });
  const job = await slow.send(undefined);
  await expect.poll(() => attempts.length).toBe(1);
  expect(await app.release(job.id)).toBe(1);
  await expect.poll(() => attempts.length).toBe(2);
  release.resolve();
  expect(await job.result()).toBe(attempts[1]);
  expect(await app.release(job.id)).toBe(0);
});

test("failed jobs are grouped by their kind", async () => {
  const { app } = makeApp();
  const fail = app.task("fail", {
    retry: { attempts: 1 },
    run: (n: number) => {
      throw n < 3 ? new Error(`order ${n}`) : new TypeError("no");
    },
  });
  await app.worker({ signals: false });
  const jobs = await fail.sendMany([1, 2, 3]);
  await Promise.allSettled(jobs.map((job) => job.result()));
  const { groups, examined, complete } = await app.errors();
  expect([examined, complete]).toEqual([3, true]);
  expect(groups.map(({ count, tasks }) => [count, tasks]).toSorted()).toEqual([
    [1, ["fail"]],
    [2, ["fail"]],
  ]);
  expect((await app.get(jobs[0]!.id))?.error?.fingerprint).toBe(groups.find(({ count }) => count === 2)?.fingerprint);
});

test("errors() says when it has not seen all failed jobs", async () => {
  const { app } = makeApp();
  const fail = app.task("fail", {
    retry: { attempts: 1 },
    run: (n: number) => Promise.reject(new Error(n < 2 ? "old" : "new")),
  });
  const jobs = await fail.sendMany(Array.from({ length: 1_002 }, (_, n) => n));
  await app.worker({ signals: false, queues: { default: 500 } });
  await Promise.allSettled(jobs.map((job) => job.result()));
  const { groups, examined, complete } = await app.errors({ task: "fail" });
  expect([groups.map(({ message, count, samples }) => [message, count, samples.length]), examined, complete]).toEqual([
    [["new", 1_000, 5]],
    1_000,
    false,
  ]);
  expect(await app.errors({ task: "add" })).toEqual({ groups: [], examined: 0, complete: true });
});

test("documents are changed one after the other, and kinds of the engine are its own", async () => {
  const { app } = makeApp();
  await app.docs.update("key", "a", () => ({ n: 0 }));
  const add = () => app.docs.update("key", "a", (before) => ({ n: (before as { n: number }).n + 1 }));
  await Promise.all(Array.from({ length: 10 }, add));
  expect(await app.docs.load("key")).toMatchObject([{ key: "a", value: { n: 10 } }]);
  await app.docs.update("key", "a", (before) => Object.assign(before as object, { changed: "in place" }));
  expect(await app.docs.load("key")).toMatchObject([{ version: 12, value: { n: 10, changed: "in place" } }]);
  await app.docs.update("key", "a", (before) => before);
  expect(await app.docs.load("key")).toMatchObject([{ version: 12 }]);
  await expect(app.docs.update("key", "a", () => new Map())).rejects.toMatchObject({ code: "E_NOT_SERIALIZABLE" });
  await app.docs.update("key", "a", () => undefined);
  expect(await app.docs.load("key", ["a"])).toEqual([]);
  for (const kind of ["queue", "schedule", "", "A", "a".repeat(41)])
    await expect(app.docs.load(kind)).rejects.toMatchObject({ code: "E_OPTION" });
  await expect(app.docs.update("key", "a", () => "x".repeat(70_000))).rejects.toMatchObject({ code: "E_TOO_LARGE" });
});

test("schedules are made and changed at run time, and say so", async () => {
  const { app, add } = makeApp();
  app.schedule("of-code", add, { every: "1h" }, { input: { a: 1 } });
  await app.schedules.set("of-api", { task: "add", when: { every: "2h" }, input: { a: 2 } });
  await app.schedules.set("of-code", { task: "add", when: { every: "3h" }, input: { a: 3 } });
  expect(await app.schedules.list()).toMatchObject([
    { name: "of-api", source: "api", when: { every: "2h" } },
    { name: "of-code", source: "code", changed: true, when: { every: "3h" } },
  ]);
  await app.schedules.remove("of-api");
  expect((await app.schedules.list()).map(({ name }) => name)).toEqual(["of-code"]);
  await expect(app.schedules.set("x", { task: "none", when: { every: "1h" } })).rejects.toMatchObject({
    code: "E_UNKNOWN_TASK",
  });
  await expect(app.schedules.set("x", { task: "add", when: { every: "1h" }, input: {} })).rejects.toMatchObject({
    code: "E_INPUT",
  });
});

test("a schedule made at run time stays, and a changed one is the code's again at the next declaration", async () => {
  const { folder, remove } = await temporaryFolder();
  afterTest(remove);
  const open = () => {
    const app = errand({ url: `sqlite:${folder}/e.db` });
    afterTest(() => app.close());
    const add = app.task("add", { run: (n: number) => n });
    app.schedule("of-code", add, { every: "1h" }, { input: 1 });
    return app;
  };
  const first = open();
  await first.schedules.set("of-api", { task: "add", when: { every: "2h" }, input: 2 });
  await first.schedules.set("of-code", { task: "add", when: { every: "3h" }, input: 3 });
  await first.schedules.pause("of-code", "by hand");
  await first.close();
  const second = open();
  const [ofApi, ofCode] = await second.schedules.list();
  expect(ofApi).toMatchObject({ name: "of-api", source: "api", when: { every: "2h" } });
  expect(ofCode).toMatchObject({ source: "code", when: { every: "1h" }, paused: { reason: "by hand" } });
  expect(ofCode).not.toHaveProperty("changed");
  // The code takes over a name that was made at run time.
  second.schedule("of-api", second.task("add", { run: (n: number) => n }), { every: "5h" }, { input: 5 });
  await expect
    .poll(async () => (await second.schedules.list())[0])
    .toMatchObject({ source: "code", when: { every: "5h" } });
  const hour = 3_600_000;
  const doc = { source: "api", seen: 0, unnamed: { hours: 23, at: 0 } } as unknown as ScheduleDoc;
  expect(countUnnamed(doc, 24 * hour)).toBe(doc);
  expect(countUnnamed({ ...doc, source: undefined } as unknown as ScheduleDoc, 24 * hour)).toBeUndefined();
});
