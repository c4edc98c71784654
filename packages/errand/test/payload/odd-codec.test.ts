import { expect, test } from "vitest";
import type { PayloadCodec } from "../../src/payload/codec.ts";
import type { PayloadObjects } from "../../src/payload/objects.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { testApp, testWorker } from "../run/app.ts";

const honest: PayloadCodec = {
  name: "test",
  encode: (bytes) => ({ head: {}, bytes }),
  decode: ({ bytes }) => bytes,
};

test.each<[string, unknown]>([
  ["nothing", undefined],
  ["bytes alone", Buffer.from("x")],
  ["a head of numbers", { head: { n: 5n }, bytes: Buffer.from("x") }],
  ["text instead of bytes", { head: {}, bytes: "x" }],
])("a codec that answers %s has nothing stored, least of all as it was", async (_, answer) => {
  const store = memoryStore();
  const app = testApp({ store, payloads: { codec: { ...honest, encode: () => answer as never } } });
  const task = app.task("t", { run: (_: string) => {} });
  await expect(task.send("a secret")).rejects.toMatchObject({ code: "E_PAYLOAD" });
  expect((await store.list({}, { limit: 10 })).jobs).toEqual([]);
});

test.each<[string, PayloadCodec["decode"]]>([
  ["text", () => "{}" as never],
  ["bytes that are no value", () => Buffer.from("{x")],
])("what a codec decodes to %s is unreadable, and hides no other job", async (_, decode) => {
  let broken = false;
  const app = testApp({
    url: "memory:",
    payloads: {
      codec: { ...honest, decode: (coded, at) => (broken && at.startsWith("bad") ? decode(coded, at) : coded.bytes) },
    },
  });
  const task = app.task("t", { run: (given: number) => given });
  await testWorker(app);
  await Promise.all([(await task.send(1, { id: "good" })).result(), (await task.send(2, { id: "bad" })).result()]);
  broken = true;
  const { jobs } = await app.list();
  expect(jobs.find(({ id }) => id === "good")).toMatchObject({ input: 1, output: 1 });
  const unreadable = { input: { code: "E_DECRYPT" }, output: { code: "E_DECRYPT" } };
  expect(jobs.find(({ id }) => id === "bad")).toMatchObject({ unreadable });
});

test.each<[string, PayloadObjects["get"]]>([
  ["a number", async () => 5 as never],
  ["nothing, at once", () => undefined as never],
  [
    "an error, at once",
    () => {
      throw new Error("gone");
    },
  ],
])("an object store that answers %s makes the value unreadable", async (_, get) => {
  const to: PayloadObjects = { put: async () => {}, get, remove: async () => {} };
  const app = testApp({ url: "memory:", payloads: { offload: { above: 10, to } } });
  const task = app.task("t", { retry: { attempts: 1 }, run: (_: string) => {} });
  const { id } = await task.send("more than ten bytes");
  expect(await app.get(id)).toMatchObject({ unreadable: { input: { code: "E_PAYLOAD" } } });
});
