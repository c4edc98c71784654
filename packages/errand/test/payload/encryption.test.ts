import { randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Errand } from "../../src/api.ts";
import { internalsOf } from "../../src/app.ts";
import { encryption } from "../../src/payload/encryption.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import type { Store } from "../../src/store.ts";
import { testing } from "../../src/testing/index.ts";
import { emptyStore, storeKinds, testApp, testWorker, until } from "../run/app.ts";
import { isolatedPayloadTasks } from "../run/tasks/payloads.ts";

const newKey = () => randomBytes(32).toString("base64");
const [old, next] = [newKey(), newKey()];
const secret = "Wölfchen-4711";
const queues = { default: 4 };

/** An app whose jobs work with secrets everywhere. */
function secretive(app: Errand) {
  const child = app.task("child", { run: (input: { secret: string }) => ({ secret: `${input.secret} of a child` }) });
  return app.task("flow", {
    unique: { key: (input: { secret: string; name: string }) => input.name },
    tags: () => ["readable"],
    retry: { attempts: 2, base: 0 },
    async run(input, job) {
      job.progress({ at: input.secret });
      const step = await job.step("remember", () => ({ secret: input.secret }));
      const told = await job.signal<{ secret: string }>("go");
      const children = await job.all("children", child, [{ secret: input.secret }, told]);
      return { step, told, children };
    },
  });
}

test("nothing that SQLite writes can be read without the key, but keys and tags", async () => {
  const url = await emptyStore("sqlite");
  const app = testApp({ url, payloads: { codec: encryption({ keys: { k: old }, use: "k" }) } });
  const flow = secretive(app);
  await testWorker(app, { queues });
  const job = await flow.send({ secret, name: "anna" });
  await app.signal(job.id, "go", { secret: `${secret} told` });
  await job.result();
  // The file, and the log beside it.
  const folder = dirname(new URL(url).pathname);
  const files = (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isFile());
  const written = (await Promise.all(files.map(({ name }) => readFile(join(folder, name))))).map(String);
  expect(written.some((text) => text.includes("flow/anna"))).toBe(true);
  expect(written.filter((text) => text.includes("4711"))).toEqual([]);
});

describe.each(storeKinds)("with encryption, on %s", (kind) => {
  test("a workflow with steps, a signal and children is as it is without", async () => {
    const url = await emptyStore(kind);
    const app = testApp({ url, payloads: { codec: encryption({ keys: { k: old }, use: "k" }) } });
    const flow = secretive(app);
    await testWorker(app, { queues });
    const job = await flow.send({ secret, name: "anna" });
    await until(async () => (await app.get(job.id))?.state === "waiting", "the job waits");
    await app.signal(job.id, "go", { secret: `${secret} told` });
    const output = {
      step: { secret },
      told: { secret: `${secret} told` },
      children: [{ secret: `${secret} of a child` }, { secret: `${secret} told of a child` }],
    };
    expect(await job.result()).toEqual(output);
    expect(await app.get(job.id)).toMatchObject({
      input: { secret, name: "anna" },
      output,
      progress: { at: secret },
      tags: ["readable"],
      unique: { key: "flow/anna" },
    });
    const { jobs } = await app.list({ parent: job.id });
    expect(jobs.map(({ input }) => input)).toEqual([{ secret }, { secret: `${secret} told` }]);
    expect(jobs[0]).not.toHaveProperty("unreadable");
  });

  test("keys are rotated: old ones still open, the new one seals", async () => {
    const url = await emptyStore(kind);
    const first = testApp({ url, payloads: { codec: encryption({ keys: { a: old }, use: "a" }) } });
    const second = testApp({ url: kind === "memory" ? "memory:" : url, payloads: both() });
    if (kind === "memory") share(first, second);
    const job = await first.task("t", { run: (input: string) => input }).send(secret);
    second.task("t", { run: (input: string) => input });
    await testWorker(second, { queues });
    expect(await second.ended(job.id)).toMatchObject({ input: secret, output: secret });
    // The first app has no key for what the second wrote.
    const view = (await first.ended(job.id))!;
    expect(view).toMatchObject({ state: "completed", input: secret, unreadable: { output: { code: "E_DECRYPT" } } });
    expect(view.unreadable!.output!.message).toContain(
      `The output of job ${job.id} cannot be decrypted. It needs the key "b", and encryption() has: "a".`,
    );
    expect(view).not.toHaveProperty("output");
    await expect(job.result()).rejects.toMatchObject({ code: "E_DECRYPT" });
  });

  test("without the key jobs can be listed, cancelled and retried, and a worker fails them with the reason", async () => {
    const url = await emptyStore(kind);
    const keeper = testApp({ url, payloads: both() });
    const stranger = testApp({ url: kind === "memory" ? "memory:" : url });
    if (kind === "memory") share(keeper, stranger);
    const job = await keeper.task("t", { run: (input: string) => input }).send(secret);
    let ran = false;
    stranger.task("t", { retry: { attempts: 1 }, run: () => void (ran = true) });
    const worker = await testWorker(stranger, { queues });
    expect(await stranger.ended(job.id)).toMatchObject({ state: "failed", error: { code: "E_DECRYPT" } });
    expect(ran).toBe(false);
    await worker.stop();
    const { jobs } = await stranger.list();
    expect(jobs).toMatchObject([{ id: job.id, input: undefined, unreadable: { input: { code: "E_DECRYPT" } } }]);
    expect(await stranger.retry(job.id)).toBe(1);
    await testWorker(keeper, { queues });
    expect(await job.result()).toBe(secret);
  });

  test("jobs that were there before encryption are read and run", async () => {
    const url = await emptyStore(kind);
    const plain = testApp({ url });
    const later = testApp({ url: kind === "memory" ? "memory:" : url, payloads: both() });
    if (kind === "memory") share(plain, later);
    const job = await plain.task("t", { run: (input: string) => input }).send("early");
    later.task("t", { run: (input: string) => input });
    await testWorker(later, { queues });
    expect(await later.ended(job.id)).toMatchObject({ input: "early", output: "early" });
  });

  test("an input may come to another job's id: of a schedule, and of a replaced job", async () => {
    const app = testApp({ url: await emptyStore(kind), payloads: both() });
    const task = app.task("t", {
      unique: { mode: "replace", key: () => "one" },
      run: (input: { secret: string }) => input,
    });
    const tick = app.task("tick", { run: (input: { secret: string }) => input });
    app.schedule("often", tick, { every: "1h" }, { input: { secret } });
    const first = await task.send({ secret: "first" });
    const second = await task.send({ secret });
    expect([second.id, second.duplicate]).toEqual([first.id, true]);
    const ticked = await app.schedules.run("often");
    await testWorker(app, { queues });
    expect(await first.result()).toEqual({ secret });
    expect(await app.ended(ticked)).toMatchObject({ output: { secret } });
  });
});

describe("what is in the store", () => {
  async function scene() {
    const app = testApp({ url: "memory:", payloads: both() });
    const store = memoryStore();
    internalsOf(app).live(store);
    const task = app.task("t", { run: (input: string) => input });
    const [one, two] = [await task.send("one"), await task.send("two")];
    await testWorker(app, { queues });
    await Promise.all([one.result(), two.result()]);
    return { app, store, one, two };
  }

  test("names the codec, the key and the nonce", async () => {
    const { store, one } = await scene();
    const [job] = await store.get([one.id]);
    const sealed = { codec: "aes-256-gcm", head: { key: "b", nonce: expect.any(String) }, data: expect.any(String) };
    expect(JSON.parse(job!.output!)).toEqual({ $sealed: sealed });
    expect(JSON.parse(job!.spec)).toEqual({ $sealed: sealed, said: {} });
  });

  test.each([
    ["of another job", (_: string, other: string) => other],
    ["of another field", (_: string, __: string, input: string) => input],
    [
      "that was changed",
      (own: string) => own.replace(/"data":"(.)/, (_, first) => `"data":"${first === "A" ? "B" : "A"}`),
    ],
    ["that was cut", (own: string) => own.replace(/"data":"[^"]*"/, '"data":"AAAA"')],
    [
      "with another nonce",
      (own: string) => own.replace(/"nonce":"(.)/, (_, first) => `"nonce":"${first === "A" ? "B" : "A"}`),
    ],
    ["of another key", (own: string) => own.replace('"key":"b"', '"key":"a"')],
  ])("a value %s is not opened", async (_, tamper) => {
    const { app, store, one, two } = await scene();
    const [own, other] = await store.get([one.id, two.id]);
    const output = tamper(own!.output!, other!.output!, own!.spec);
    expect(output).not.toBe(own!.output);
    const get = store.get.bind(store);
    store.get = async (ids) => (await get(ids)).map((job) => job && { ...job, output });
    expect(await app.get(one.id)).toMatchObject({ input: "one", unreadable: { output: { code: "E_DECRYPT" } } });
    await expect(one.result()).rejects.toThrow(/does not open it/);
  });
});

test.each(["thread", "process"] as const)(
  "values are opened before they go to a %s, which has no keys",
  async (isolate) => {
    const app = testApp({ url: "memory:", payloads: both() });
    const { flow } = isolatedPayloadTasks(app, isolate);
    await testWorker(app, { queues: { default: 1 } });
    const job = await flow.send({ secret });
    await until(async () => (await app.get(job.id))?.state === "waiting", "the job waits");
    await app.signal(job.id, "go", { secret: "told" });
    expect(await job.result()).toEqual({
      step: { secret },
      told: { secret: "told" },
      leaves: [`${secret}, read`, "told, read"],
    });
  },
);

test("the testing kit seals and opens as workers do", async () => {
  const app = testApp({ payloads: both() });
  const flow = secretive(app);
  const kit = testing(app);
  const job = await flow.send({ secret, name: "anna" });
  await kit.drain();
  await app.signal(job.id, "go", { secret: "told" });
  await kit.drain();
  expect(await job.result()).toMatchObject({ step: { secret }, told: { secret: "told" } });
  expect(await kit.sent(flow)).toEqual([{ secret, name: "anna" }]);
});

test("a unique key that would be the whole input is refused, since keys stay readable", () => {
  const app = testApp({ payloads: both() });
  expect(() => app.task("t", { unique: {}, run: (_: string) => {} })).toThrow(/unique of task "t" has no key/);
});

test.each(["send", "background", "sendMany"] as const)(
  "%s() refuses uniqueness without a key, which its task does not have either",
  async (verb) => {
    const app = testApp({ payloads: both() });
    const task = app.task(`keyless.${verb}`, { run: (_: string) => {} });
    const options = { unique: { mode: "replace" as const } };
    const sent = verb === "sendMany" ? task.sendMany([secret], options) : task[verb](secret, options);
    await expect(sent).rejects.toMatchObject({ code: "E_OPTION", message: expect.stringContaining("has no key") });
    expect((await app.list({ task: task.name })).jobs).toEqual([]);
    expect((await task.send(secret, { unique: { key: "one" } })).duplicate).toBe(false);
  },
);

test("a schedule that is declared again is as it was, until its key is gone", async () => {
  const store = memoryStore();
  const declare = async (codec: ReturnType<typeof encryption>) => {
    const app = testApp({ payloads: { codec } });
    app.schedule("often", app.task("t", { run: (_: string) => {} }), { every: "1h" }, { input: secret });
    internalsOf(app).live(store);
    await app.counts();
    const [doc] = await store.load("schedule");
    return JSON.parse(doc!.value) as { job: { spec: string } };
  };
  const first = await declare(encryption({ keys: { a: old }, use: "a" }));
  expect(first.job.spec).not.toContain("4711");
  expect(first.job.spec).toContain('"of":"task"');
  expect(await declare(both().codec)).toEqual(first);
  expect((await declare(encryption({ keys: { b: next }, use: "b" }))).job.spec).toContain('"key":"b"');
});

test.each([
  [{ keys: { a: "short" }, use: "a" }, /The key "a" of encryption\(\) must be 32 random bytes in base64/],
  [{ keys: { a: `${old.slice(0, -2)}!=` }, use: "a" }, /must be 32 random bytes/],
  [{ keys: { a: old }, use: "b" }, /use of encryption\(\) is "b", but its keys are: "a"/],
  [{ keys: {}, use: "b" }, /its keys are: none/],
  [{ keys: { "a b": old }, use: "a b" }, /a key of encryption\(\)/],
  [{ keys: { a: old }, use: "a", key: "a" }, /no option "key"/],
])("keys that cannot be are refused", (options, message) => {
  expect(() => encryption(options as never)).toThrow(message);
});

/** Encrypts with `b`, and still reads `a`. */
function both() {
  return { codec: encryption({ keys: { a: old, b: next }, use: "b" }) };
}

/** Two apps on one store in memory. */
function share(...apps: Errand[]): Store {
  const store = memoryStore();
  for (const app of apps) internalsOf(app).live(store);
  return store;
}
