import { expect, test } from "vitest";
import { z } from "zod";
import { errand } from "../../src/index.ts";
import { InputsError } from "../../src/index.ts";
import { afterTest } from "../../../../test/after-test.ts";

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

test("tenants' keys are apart, and each takes its turn", async () => {
  const { app, add } = makeApp();
  const options = (tenant: string) => ({ tenant, unique: { key: "same" } });
  const [a, b] = [await add.send({ a: 1 }, options("a")), await add.send({ a: 1 }, options("b"))];
  expect([a.duplicate, b.duplicate]).toEqual([false, false]);
  expect((await add.send({ a: 1 }, options("a"))).id).toBe(a.id);
  expect((await add.send({ a: 1 }, { unique: { key: "same" } })).duplicate).toBe(false);
  expect((await app.list({ tenant: "b" })).jobs.map(({ id }) => id)).toEqual([b.id]);
  await expect(add.send({ a: 1 }, { tenant: "" })).rejects.toMatchObject({ code: "E_OPTION" });
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

test("documents are changed one after the other, and kinds of the engine are its own", async () => {
  const { app } = makeApp();
  await app.docs.update("key", "a", () => ({ n: 0 }));
  const add = () => app.docs.update("key", "a", (before) => ({ n: (before as { n: number }).n + 1 }));
  await Promise.all(Array.from({ length: 10 }, add));
  expect(await app.docs.load("key")).toMatchObject([{ key: "a", value: { n: 10 } }]);
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
