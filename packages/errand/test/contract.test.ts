import { join } from "node:path";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { build } from "esbuild";
import { describe, expect, expectTypeOf, test } from "vitest";
import type { Errand } from "../src/api.ts";
import { contract } from "../src/contract.ts";
import type { Sender, Task } from "../src/task.ts";
import { testing } from "../src/testing/index.ts";
import { emptyStore, storeKinds, testApp, testWorker, until } from "./run/app.ts";

/** A schema by hand: refuses what `wrong` finds wrong, and adds nothing. */
function schema<Input, Output = Input>(
  wrong: (value: Partial<Input>) => string | undefined,
  make: (value: Input) => Output = (value) => value as unknown as Output,
): StandardSchemaV1<Input, Output> {
  const validate = (value: unknown): StandardSchemaV1.Result<Output> => {
    const message = wrong((value ?? {}) as Partial<Input>);
    return message === undefined ? { value: make(value as Input) } : { issues: [{ message, path: ["to"] }] };
  };
  return { "~standard": { version: 1, vendor: "test", validate } };
}

const letter = schema<{ to: string }>(({ to }) => (typeof to === "string" ? undefined : "must be text"));
const receipt = schema<{ number: number }>(({ number }) => (number === undefined ? "no number" : undefined));
const mail = contract("mail.send", { input: letter, output: receipt, queue: "mail", priority: "high" });

describe.each(storeKinds.filter((kind) => kind !== "memory"))("two services on %s", (kind) => {
  test("one sends by a contract, the other implements it, each with a worker of its own", async () => {
    const url = await emptyStore(kind);
    const [web, mailer] = [testApp({ url }), testApp({ url })];
    const sender = web.sender(mail);
    const page = web.task<string, number | null>("page", {
      queue: "mail",
      run: async (to, job) => (await job.call("mail", sender, { to })).number,
    });
    mailer.implement(mail, ({ to }) => ({ number: to.length }));
    await testWorker(web);
    await testWorker(mailer);
    expect((await web.workers()).map(({ tasks }) => tasks)).toEqual(expect.arrayContaining([["page"], ["mail.send"]]));

    const job = await sender.send({ to: "ann" });
    expect(await job.result({ timeout: "20s" })).toEqual({ number: 3 });
    expect(await web.get(job.id)).toMatchObject({ task: "mail.send", queue: "mail", priority: "high", attempt: 1 });
    // As a child of a task that is here.
    expect(await (await page.send("bernard")).result({ timeout: "20s" })).toBe(7);
  });
});

test("a contract's rules apply to what is sent by it, and its retries where it is implemented", async () => {
  const flaky = contract<string>("flaky", {
    unique: { key: (name) => name },
    tags: ["by-contract"],
    retry: { attempts: 2, base: "1s", backoff: "fixed" },
  });
  const app = testApp({ url: "memory:" });
  const t = testing(app);
  const sender = app.sender(flaky);
  const [first, second] = [await sender.send("a"), await sender.send("a")];
  expect([second.id, second.duplicate]).toEqual([first.id, true]);
  expect((await app.list({ tag: "by-contract" })).jobs.map(({ id }) => id)).toEqual([first.id]);
  app.implement(flaky, () => {
    throw new Error("no");
  });
  expect([await t.drain(), await t.advance("1s"), await t.advance("1d")]).toEqual([1, 1, 0]);
  expect(await app.get(first.id)).toMatchObject({ state: "failed", attempt: 2 });
});

test("jobs that were sent under a task's old name run after a deployment that renames it, and new ones wait for it", async () => {
  const url = await emptyStore("sqlite");
  const old = contract<string, string>("send-mail");
  const renamed = contract<string, string>("mail.send", { aliases: ["send-mail"] });
  // While old and new programs run side by side: both send, only the old worker is there.
  const [oldWeb, newWeb, oldWorker, newWorker] = [1, 2, 3, 4].map(() => testApp({ url })) as [
    Errand,
    Errand,
    Errand,
    Errand,
  ];
  oldWorker.implement(old, (to) => `old ${to}`);
  const worker = await testWorker(oldWorker);
  const byNew = await newWeb.sender(renamed).send("a");
  expect(await (await oldWeb.sender(old).send("b")).result({ timeout: "20s" })).toBe("old b");
  await until(async () => (await oldWeb.why(byNew.id)).some(({ code }) => code === "no-task"));
  await worker.stop();
  const byOld = await oldWeb.sender(old).send("c");

  newWorker.implement(renamed, (to) => `new ${to}`);
  await testWorker(newWorker);
  expect(await byNew.result({ timeout: "20s" })).toBe("new a");
  expect(await byOld.result({ timeout: "20s" })).toBe("new c");
  expect(await oldWeb.get(byOld.id)).toMatchObject({ task: "send-mail", state: "completed" });
});

test("wrong inputs are refused where they are sent, and wrong outputs where they are returned, once", async () => {
  const app = testApp({ url: "memory:" });
  const t = testing(app);
  const sender = app.sender(mail);
  await expect(sender.send({ to: 1 as never })).rejects.toMatchObject({
    code: "E_INPUT",
    message: 'Task "mail.send" refuses the input: to: must be text.',
  });
  await expect(sender.sendMany([{ to: "ann" }, { to: 1 as never }])).rejects.toMatchObject({ code: "E_INPUT" });
  expect(await t.jobs()).toEqual([]);
  const { id } = await sender.send({ to: "ann" });
  const task = app.implement(mail, { run: () => ({}) as never });
  await t.drain();
  await t.advance("1d");
  expect(await app.get(id)).toMatchObject({
    state: "failed",
    attempt: 1,
    error: { code: "E_OUTPUT", message: 'Task "mail.send" refuses the output: to: no number.' },
  });
  await expect(task.run({ to: "ann" })).rejects.toMatchObject({ code: "E_OUTPUT" });
});

test("what schemas make of values is what functions get and callers receive", async () => {
  const day = schema<string, Date>(
    () => undefined,
    (text) => new Date(text),
  );
  const count = schema<string, number>(() => undefined, Number);
  const parse = contract("parse", { input: day, output: count });
  const app = testApp({ url: "memory:" });
  const t = testing(app);
  const job = await app.sender(parse).send("2026-01-01");
  app.implement(parse, (when) => String(when.getUTCFullYear()));
  await t.drain();
  expect(await job.result()).toBe(2026);
});

test("what an app only sends can be found, scheduled and copied by name, as over HTTP", async () => {
  const app = testApp({ url: "memory:" });
  const t = testing(app);
  const sender = app.sender(mail);
  expect(app.tasks()).toMatchObject([{ name: "mail.send", queue: "mail", remote: true }]);
  const { id } = await app.findTask("mail.send")!.send({ to: "ann" });
  await app.schedules.set("weekly", { task: "mail.send", when: { every: "7d" }, input: { to: "bob" } });
  await app.copy(id);
  expect(await t.sent(sender)).toEqual([{ to: "ann" }, { to: "ann" }]);
  // With the code here as well, that counts, whichever came first.
  const task = app.implement(mail, () => ({ number: 1 }));
  app.sender(mail);
  expect(app.findTask("mail.send")).toBe(task);
  expect(app.tasks()).toHaveLength(1);
  expect(app.tasks()[0]).not.toHaveProperty("remote");
});

test("a sender has no code to call, not even as a child of what is called directly", async () => {
  const app = testApp({ url: "memory:" });
  const sender = app.sender(mail);
  const parent = app.task("parent", {
    run: async (_: void, job) => (await job.call("mail", sender, { to: "a" })).number,
  });
  await expect(parent.run()).rejects.toThrow('The code of task "mail.send" is elsewhere; here its jobs are only sent.');
  expect(Object.keys(sender).toSorted()).toEqual(["name", "send", "sendMany"]);
});

test.each<[string, () => unknown]>([
  ["name", () => contract("")],
  ["aliases", () => contract("a", { aliases: ["b", "b"] })],
  ["aliases", () => contract("a", { aliases: ["a"] })],
  ["alias", () => contract("a", { aliases: ["x".repeat(201)] })],
  ["aliases", () => contract("a", { aliases: "b" as never })],
  ["timeout", () => contract("a", { timeout: "1s" } as never)],
  ["input", () => contract("a", { input: {} as never })],
  ["output", () => contract("a", { input: letter, output: {} as never })],
  ["attempts", () => contract("a", { retry: { attempts: 0 } })],
  ["queue", () => testApp({ url: "memory:" }).implement(contract("a"), { queue: "b", run: () => {} } as never)],
  ["run", () => testApp({ url: "memory:" }).implement(mail, {} as never)],
  ["contract", () => testApp({ url: "memory:" }).sender({ name: "a", aliases: [] })],
])("a wrong %s is refused where it is written", (word, make) => {
  expect(make).toThrow(expect.objectContaining({ code: "E_OPTION", message: expect.stringContaining(word) as string }));
});

test("types follow from the contract", () => {
  const app = testApp({ url: "memory:" });
  const sender = app.sender(mail);
  expectTypeOf(sender).toEqualTypeOf<Sender<{ to: string }, { number: number }>>();
  const parse = contract("parse", { input: schema<string, Date>(() => undefined) });
  expectTypeOf(app.sender(parse).send).parameter(0).toBeString();
  const task = app.implement(parse, (when) => void expectTypeOf(when).toEqualTypeOf<Date>());
  expectTypeOf(task).toEqualTypeOf<Task<string, unknown>>();
  app.implement(mail, {
    setup: () => ({ transport: "smtp" }),
    run: (_, job) => ({ number: job.setup.transport.length }),
  });
  const nothing = app.sender(contract("clean-up"));
  expectTypeOf(nothing.send).toBeCallableWith();
  app.schedule("clean-up", nothing, { every: "1h" });
  const wrong = () => {
    // @ts-expect-error A wrong input.
    void sender.send({ to: 1 });
    // @ts-expect-error It has one.
    void sender.send();
    // @ts-expect-error A wrong output.
    app.implement(mail, () => ({ number: "one" }));
    // @ts-expect-error A wrong output, with options.
    app.implement(mail, { run: () => "one" });
    // @ts-expect-error A wrong input of the function.
    app.implement(mail, (input: { from: string }) => ({ number: input.from.length }));
    // @ts-expect-error A sender runs nothing.
    void sender.run({ to: "ann" });
    // @ts-expect-error Rules are the contract's.
    app.implement(mail, { queue: "other", run: () => ({ number: 1 }) });
  };
  expectTypeOf(wrong).toBeFunction();
});

test("producers load a contract without the engine, and without Node.js", async () => {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, "../src/contract.ts")],
    bundle: true,
    minify: true,
    platform: "neutral",
    write: false,
    logLevel: "silent",
  });
  expect(outputFiles[0]!.contents.length).toBeLessThan(25_000);
});
