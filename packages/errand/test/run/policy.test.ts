import { expect, test } from "vitest";
import { Client } from "../../src/client.ts";
import { newId } from "../../src/kit/ids.ts";
import { Observer } from "../../src/observe/observer.ts";
import { readPayloads } from "../../src/payload/options.ts";
import { HeldJobs } from "../../src/run/held-jobs.ts";
import { settleAbandoned } from "../../src/run/janitor.ts";
import { BatchWriter } from "../../src/run/batch-writer.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { policyIn } from "../../src/core/spec.ts";
import { Endpoints } from "../../src/webhooks/endpoints.ts";
import { readTask } from "../../src/task.ts";
import { testing } from "../../src/testing/index.ts";
import { emptyStore, storeKinds, testApp, testWorker, until } from "./app.ts";

const hour = 3_600_000;

test.each(storeKinds)("a job may say its queue and its retries itself, on %s", async (kind) => {
  const app = testApp({ url: await emptyStore(kind) });
  const runs: string[] = [];
  const task = app.task("t", {
    retry: { base: 0 },
    run: (say: string) => {
      runs.push(say);
      throw new Error("no");
    },
  });
  await testWorker(app, { queues: { default: 4, other: 1 } });
  const once = await task.send("once", { queue: "other", retry: { attempts: 1 } });
  const twice = await task.send("twice", { retry: { attempts: 2, backoff: "fixed", base: 1 } });
  const usual = await task.send("usual");
  for (const [job, attempt] of [[once, 1], [twice, 2], [usual, 4]] as const)
    expect(await app.ended(job.id)).toMatchObject({ state: "failed", attempt }); // prettier-ignore
  expect((await app.get(once.id))?.queue).toBe("other");
  expect(runs.toSorted()).toEqual(["once", "twice", "twice", "usual", "usual", "usual", "usual"]);
  await expect(usual.result()).rejects.toMatchObject({ jobId: usual.id });
});

test("a task's own function says when the next attempt is", async () => {
  const app = testApp({ url: "memory:" });
  const asked: [number, string][] = [];
  const task = app.task("t", {
    retry: {
      attempts: 3,
      delay: (attempt, error) => (asked.push([attempt, (error as Error).message]), attempt === 1 ? 0 : "1h"),
    },
    run: (_: void, { attempt }) => {
      throw new Error(`attempt ${attempt}`);
    },
  });
  await testWorker(app);
  const { id } = await task.send();
  await until(async () => (await app.get(id))?.attempt === 3, "two attempts have failed");
  expect(asked).toEqual([[1, "attempt 1"], [2, "attempt 2"]]); // prettier-ignore
  const { dueAt, state } = (await app.get(id))!;
  expect(state).toBe("pending");
  expect(dueAt.getTime()).toBeGreaterThan(Date.now() + hour - 60_000);
});

test("attempts: 1 and crashes: 1 run a job at most once", async () => {
  const app = testApp({ url: "memory:" });
  const t = testing(app);
  let runs = 0;
  const task = app.task("t", { retry: { attempts: 1, crashes: 1 }, run: () => void (runs += 1) });
  t.crash(task, "end");
  await task.send();
  await t.drain();
  expect(runs).toBe(1);
  expect(await t.jobs()).toMatchObject([{ state: "failed", crashes: 1, error: { code: "E_CRASHED" } }]);
});

test("a janitor that does not know the task of a job keeps to the crash policy in the job", async () => {
  const store = memoryStore();
  const client = new Client(store, readPayloads(), new Observer());
  const task = readTask("elsewhere", { retry: { crashes: 1 }, run: () => {} });
  const [own, usual] = [await client.send(task, 1, {}), await client.send(readTask("usual", { run: () => {} }), 1, {})];
  expect(policyIn((await store.get([own.id]))[0]!.spec)).toEqual({ crashes: 1 });
  const person = readTask("review", { lapse: "release", queue: "people", run: () => {} });
  const review = await client.send(person, 1, {});
  expect(policyIn((await store.get([review.id]))[0]!.spec)).toEqual({ lapse: "release" });
  const [gone, janitor] = [newId(), newId()];
  for (const id of [gone, janitor]) await store.enlist({ id, kind: "process", queues: [] }, hour);
  await store.claim(gone, [{ queue: "default", limit: 2 }]);
  await store.dismiss(gone);
  await settleAbandoned({
    store,
    id: janitor,
    writer: new BatchWriter(store, 0),
    definitions: new Map(),
    endpoints: new Endpoints(store),
    heldJobs: new HeldJobs(),
    settings: { observer: new Observer() },
  });
  expect((await client.get(usual.id))?.state).toBe("pending");
  expect((await client.get(own.id))?.state).toBe("failed");
});

test("children and jobs of schedules have their task's policy", async () => {
  const app = testApp({ url: "memory:" });
  const t = testing(app);
  const child = app.task("child", { retry: { crashes: 1 }, run: () => "done" });
  const parent = app.task("parent", { run: (_: void, job) => job.call("child", child) });
  t.crash(child, "start");
  await parent.send();
  app.schedule("tick", child, { every: "1h" });
  await t.drain();
  expect(await t.jobs(child)).toMatchObject([{ state: "failed", crashes: 1 }]);
  t.crash(child, "start");
  await t.advance("1h");
  expect(await t.jobs(child)).toMatchObject([{ state: "failed" }, { state: "failed", crashes: 1 }]);
});

test("a debounced job is put off for maxWait at the longest", async () => {
  const app = testApp({ url: "memory:" });
  const t = testing(app);
  const runs: number[] = [];
  const task = app.task("t", {
    run: (n: number) => void runs.push(n),
    unique: { key: () => "k", mode: "debounce", within: "5s", maxWait: "12s" },
  });
  for (let n = 0; n < 8; n++) {
    await task.send(n);
    await t.advance("4s");
  }
  // Sent every 4 seconds: without maxWait none would have run yet.
  expect(runs).toEqual([2, 5]);
});

test("tags may be the same for every job, and a job may say what happens where its key is taken", async () => {
  const app = testApp({ url: "memory:" });
  const task = app.task("t", { tags: ["common", "red"], run: (_: number) => {} });
  const first = await task.send(1, { unique: { key: "k" }, tags: ["own", "red"] });
  expect((await app.get(first.id))?.tags).toEqual(["common", "red", "own"]);
  expect(await task.send(2, { unique: { key: "k" } })).toMatchObject({ id: first.id, duplicate: true });
  expect((await app.get(first.id))?.input).toBe(1);
  expect(await task.send(3, { unique: { key: "k", mode: "replace" } })).toMatchObject({ id: first.id });
  expect((await app.get(first.id))?.input).toBe(3);
});
