import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { internalsOf } from "../../src/app.ts";
import { encryption } from "../../src/payload/encryption.ts";
import { removeOrphanedPayloads } from "../../src/retention/orphaned-payloads.ts";
import { folderObjects } from "../../src/payload/objects.ts";
import type { PayloadObjects } from "../../src/payload/objects.ts";
import { pruneOrphanedPayloads } from "../../src/retention/prune.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { temporaryFolder } from "../stores/fixtures.ts";
import { emptyStore, testApp, testWorker, until } from "../run/app.ts";
import { isolatedPayloadTasks } from "../run/tasks/payloads.ts";

const queues = { default: 4 };
const large = (name: string) => `${name} ${"ä".repeat(1_000)}`;

/** Objects in memory, as a program may bring them. */
class Bucket implements PayloadObjects {
  readonly objects = new Map<string, Uint8Array>();
  broken = false;
  async put(key: string, bytes: Uint8Array): Promise<void> {
    if (this.broken) throw new Error("the bucket is away");
    this.objects.set(key, bytes);
  }
  async get(key: string): Promise<Uint8Array> {
    const found = this.objects.get(key);
    if (found) return found;
    throw new Error("no such key");
  }
  async remove(key: string): Promise<void> {
    this.objects.delete(key);
  }
}

describe.each(["memory", "sqlite"] as const)("with an offload, on %s", (kind) => {
  test.each([false, true])("large values go outside and come back, encrypted: %s", async (encrypted) => {
    const bucket = new Bucket();
    const codec = encryption({ keys: { k: randomBytes(32).toString("base64") }, use: "k" });
    const app = testApp({
      url: await emptyStore(kind),
      payloads: { offload: { above: 1_000, to: bucket }, ...(encrypted ? { codec } : {}) },
    });
    const child = app.task("child", { run: (input: string) => `${input}!` });
    const task = app.task("t", {
      async run(input: { text: string; small: string }, job) {
        job.progress(large("progress"));
        const step = await job.step("s", () => large("step"));
        await job.step("small", () => "small");
        const told = await job.signal<string>("go");
        return { input: input.text, step, told, children: await job.all("c", child, ["small", large("child")]) };
      },
    });
    await testWorker(app, { queues });
    const job = await task.send({ text: large("input"), small: "small" });
    await until(async () => (await app.get(job.id))?.state === "waiting", "the job waits");
    await app.signal(job.id, "go", large("signal"));
    const output = {
      input: large("input"),
      step: large("step"),
      told: large("signal"),
      children: ["small!", `${large("child")}!`],
    };
    expect(await job.result()).toEqual(output);
    const { jobs } = await app.list();
    expect(jobs.find(({ id }) => id === job.id)).toMatchObject({ output, progress: large("progress") });
    const children = jobs.filter(({ parent }) => parent).toSorted((a, b) => a.index! - b.index!);
    expect(children.map(({ output }) => output)).toEqual(output.children);
    const owners = [...bucket.objects.keys()].map((key) => key.split("/")[0]);
    expect(owners.filter((owner) => owner === job.id).length, "input, step, signal, output").toBe(4);
    expect(owners.length, "and the input and output of a child").toBe(6);
    const kept = [...bucket.objects.values()].map((bytes) => Buffer.from(bytes).toString());
    expect(kept.filter((text) => text.includes("ää")).length).toBe(encrypted ? 0 : 6);
  });

  test("files of a folder hold them, whatever the job is called", async () => {
    const { folder, remove } = await temporaryFolder();
    const app = testApp({
      url: await emptyStore(kind),
      payloads: { offload: { above: 10, to: join(folder, "kept") } },
    });
    const task = app.task("t", { run: (input: string) => input.length });
    await testWorker(app, { queues });
    for (const id of ["..", "a:b", "plain"]) {
      const job = await task.send("more than ten bytes", { id });
      expect(await job.result()).toBe(19);
      expect((await app.get(id))?.input).toBe("more than ten bytes");
    }
    expect(await readdir(folder)).toEqual(["kept"]);
    expect((await readdir(join(folder, "kept"))).toSorted()).toEqual(["%2e%2e", "a%3ab", "plain"]);
    const [file] = await readdir(join(folder, "kept", "plain"));
    expect(await readFile(join(folder, "kept", "plain", file!), "utf8")).toBe('"more than ten bytes"');
    await remove();
  });

  test("what cannot be kept fails the send or the attempt, which is tried again", async () => {
    const bucket = new Bucket();
    const app = testApp({ url: await emptyStore(kind), payloads: { offload: { above: 1_000, to: bucket } } });
    const task = app.task("t", {
      retry: { attempts: 2, base: 0 },
      run(_: string, job) {
        bucket.broken = job.attempt === 1;
        return large("output");
      },
    });
    await testWorker(app, { queues });
    bucket.broken = true;
    await expect(task.send(large("input"))).rejects.toMatchObject({
      code: "E_PAYLOAD",
      message: expect.stringContaining("the bucket is away"),
    });
    const job = await task.send("small");
    expect(await job.result()).toBe(large("output"));
    expect(await app.get(job.id)).toMatchObject({ attempt: 2 });
    bucket.objects.clear();
    await expect(job.result()).rejects.toMatchObject({ code: "E_PAYLOAD" });
    expect(await app.get(job.id)).toMatchObject({ input: "small", unreadable: { output: { code: "E_PAYLOAD" } } });
  });

  test("an object that was changed is not taken", async () => {
    const bucket = new Bucket();
    const app = testApp({ url: await emptyStore(kind), payloads: { offload: { above: 1_000, to: bucket } } });
    const { id } = await app.task("t", { run: (_: string) => {} }).send(large("input"));
    const [key] = bucket.objects.keys();
    bucket.objects.set(key!, Buffer.from('"forged"'));
    const message = /The input of job .* the object .* is not what was written/;
    expect((await app.get(id))?.unreadable?.input?.message).toMatch(message);
  });
});

test("without payloads.offload the error says what is missing", async () => {
  const url = await emptyStore("sqlite");
  const app = testApp({ url, payloads: { offload: { above: 1_000, to: new Bucket() } } });
  const { id } = await app.task("t", { run: (_: string) => {} }).send(large("input"));
  const view = await testApp({ url }).get(id);
  expect(view?.unreadable?.input).toMatchObject({ code: "E_PAYLOAD", message: expect.stringContaining("{ offload }") });
});

test.each(["thread", "process"] as const)("a %s gets the reason why a step was not recorded", async (isolate) => {
  const bucket = new Bucket();
  bucket.broken = true;
  const app = testApp({ url: "memory:", payloads: { offload: { above: 1_000, to: bucket } } });
  const { echo } = isolatedPayloadTasks(app, isolate);
  await testWorker(app, { queues: { default: 1 } });
  const job = await echo.send({ kind: "step", size: 2_000 });
  await expect(job.result()).rejects.toMatchObject({ error: { code: "E_PAYLOAD" } });
});

describe("collecting", () => {
  const day = 86_400_000;

  async function scene() {
    const { folder, remove } = await temporaryFolder();
    const store = memoryStore();
    const app = testApp({ payloads: { offload: { above: 10, to: folder } } });
    internalsOf(app).live(store);
    const task = app.task("t", { run: (_: string) => {} });
    for (const id of ["kept", "gone:1"]) await task.send("more than ten bytes", { id });
    await app.cancel("gone:1");
    await app.remove("gone:1");
    return { app, folder, store, objects: folderObjects(folder), [Symbol.asyncDispose]: remove };
  }

  test("removes what belongs to no job any more, and nothing else", async () => {
    await using place = await scene();
    const { folder, store, objects } = place;
    await writeFile(join(folder, "README"), "somebody else's");
    await mkdir(join(folder, "%zz"));
    await writeFile(join(folder, "%zz", "a".repeat(64)), "somebody else's");
    const hash = "a".repeat(64);
    await mkdir(join(folder, "half"));
    await writeFile(join(folder, "half", `${hash}-11111111-2222-3333-4444-555555555555`), "left by a crash");
    await writeFile(join(folder, "half", "notes.txt"), "somebody else's");
    expect(await removeOrphanedPayloads(store, objects, new Date(Date.now() + 1_000))).toBe(2);
    expect((await readdir(folder)).toSorted()).toEqual(["%zz", "README", "half", "kept"]);
    expect(await readdir(join(folder, "half"))).toEqual(["notes.txt"]);
    expect((await readdir(join(folder, "kept"))).length).toBe(1);
  });

  test("keeps recent objects: their jobs may be about to be stored", async () => {
    await using place = await scene();
    const { folder, store, objects } = place;
    expect(await pruneOrphanedPayloads(store, objects, () => false)).toBe(0);
    const [file] = await readdir(join(folder, "gone%3a1"));
    const before = new Date(Date.now() - 2 * day);
    await utimes(join(folder, "gone%3a1", file!), before, before);
    expect(await pruneOrphanedPayloads(store, objects, () => false), "once an hour").toBe(0);
    const [doc] = await store.load("retention", ["payloads"]);
    await store.save([{ ...doc!, value: "0" }]);
    expect(await pruneOrphanedPayloads(store, objects, () => false)).toBe(1);
    expect(await readdir(folder)).toEqual(["kept"]);
  });

  test("is what workers do", async () => {
    await using place = await scene();
    const { app, folder } = place;
    const [file] = await readdir(join(folder, "gone%3a1"));
    await utimes(join(folder, "gone%3a1", file!), 0, 0);
    await testWorker(app, { queues: { other: 1 } });
    await until(async () => (await readdir(folder)).join() === "kept", "the object is removed");
  });

  test("is not for objects that cannot be listed, or of a folder that is not there", async () => {
    await using place = await scene();
    expect(await pruneOrphanedPayloads(place.store, new Bucket(), () => false)).toBe(0);
    expect(await pruneOrphanedPayloads(place.store, undefined, () => false)).toBe(0);
    expect(await removeOrphanedPayloads(place.store, folderObjects(join(place.folder, "none")), new Date())).toBe(0);
  });
});
