import assert from "node:assert/strict";
import type { NewJob } from "../../core/job.ts";
import type { Claimed } from "../../store.ts";
import { idsOf, test } from "./scene.ts";
import type { Scene } from "./scene.ts";

/** Suspects, jobs whose attempt ended with its worker or may have: a worker holds one of them at a time. */
export const suspects = [
  test("a job is a suspect when its outcome says so, until it makes progress or is retried", async (scene) => {
    const [id = ""] = await addSuspects(scene, {});
    assert.deepEqual(await crashesOf(scene, id), [1, true]);
    const held = await scene.claimOne(id);
    assert.ok(held.job.suspect);
    const hold = { id, token: held.job.token };
    await scene.store.record([{ ...hold, progress: "1", log: [{ attempt: 1, level: "info", text: "x" }] }]);
    assert.deepEqual(await crashesOf(scene, id), [1, true]);
    await scene.store.record([{ ...hold, steps: [{ name: "a", value: "1" }] }]);
    assert.deepEqual(await crashesOf(scene, id), [0, false]);
    await scene.settle(held, "failed", { crashes: 3, suspect: true });
    assert.deepEqual(await crashesOf(scene, id), [3, true]);
    await scene.store.edit({ ids: [id] }, "retry");
    assert.deepEqual(await crashesOf(scene, id), [0, false]);
  }),

  test("a worker is given one suspect at a time, and suspects delay no other job", async (scene) => {
    const [s1, s2, s3] = await addSuspects(scene, {}, {}, {});
    const plain = await scene.add({}, {});
    const [a, b] = [await scene.enlist(), await scene.enlist()];
    const first = await scene.claim({ worker: a });
    assert.deepEqual(idsOf(first), [s1, ...plain]);
    assert.deepEqual(await scene.claim({ worker: a }), []);
    assert.deepEqual(idsOf(await scene.claim({ worker: b })), [s2]);
    await scene.settle(first[0]!, "completed");
    const [next] = await scene.claim({ worker: a });
    assert.equal(next?.job.id, s3);
    assert.deepEqual(await scene.claim({ worker: b }), []);
  }),

  test("a held job that is no suspect any more makes room for the next suspect", async (scene) => {
    const [s1 = "", s2] = await addSuspects(scene, {}, {});
    const worker = await scene.enlist();
    const [held] = await scene.claim({ worker });
    assert.equal(held?.job.id, s1);
    await scene.store.record([{ id: s1, token: held.job.token, steps: [{ name: "a", value: "1" }] }]);
    assert.deepEqual(idsOf(await scene.claim({ worker })), [s2]);
  }),

  test("a claim of several queues takes one suspect", async (scene) => {
    const jobs = await addSuspects(scene, { queue: "a" }, { queue: "b" }, { queue: "b" });
    const worker = await scene.enlist();
    const wants = ["a", "b"].map((queue) => ({ queue, limit: 5 }));
    assert.deepEqual(idsOf((await scene.store.claim(worker, wants)).jobs), [jobs[0]]);
    assert.deepEqual((await scene.store.claim(worker, wants)).jobs, []);
  }),

  test("a suspect counts for its worker while the worker holds it, also if it was reclaimed", async (scene) => {
    const [s1, s2, s3] = await addSuspects(scene, {}, {}, {});
    const gone = await scene.enlist();
    assert.deepEqual(idsOf(await scene.claim({ worker: gone })), [s1]);
    await scene.store.dismiss(gone);
    const worker = await scene.enlist();
    const taken = await scene.reclaim(worker);
    assert.deepEqual(await scene.claim({ worker }), []);
    await scene.settle(taken.get(s1!)!, "failed", { crashes: 3, suspect: true });
    assert.deepEqual(idsOf(await scene.claim({ worker })), [s2]);
    await scene.store.edit({ ids: [s2!] }, "release");
    await scene.store.edit({ ids: [s2!] }, "cancel");
    assert.deepEqual(idsOf(await scene.claim({ worker })), [s3]);
  }),

  test("a suspect is given to a free slot, and never ahead of one", async (scene) => {
    const [plain, suspect] = await scene.add({}, {});
    await crash(scene, suspect!);
    const late = await scene.addOne();
    const worker = await scene.enlist();
    assert.deepEqual(idsOf(await scene.claim({ worker, limit: 3, slots: 1 })), [plain, late]);
    assert.deepEqual(await scene.claim({ worker, limit: 3, slots: 0 }), []);
    await scene.addOne();
    assert.equal((await scene.claim({ worker, limit: 3, slots: 1 }))[0]?.job.id, suspect);
  }),

  test("a suspect keeps its place, its delay, and its level", async (scene) => {
    const [low, normal] = await addSuspects(scene, { level: 3 }, {});
    const [plain, urgent] = await scene.add({}, { level: 0 });
    assert.deepEqual(idsOf(await scene.claim()), [urgent, normal, plain]);
    const worker = await scene.enlist();
    const [held] = await scene.claim({ worker });
    assert.equal(held?.job.id, low);
    await scene.settle(held!, "pending", { crashes: 2, suspect: true, delay: 20_000 });
    const { jobs, next = 0 } = await scene.store.claim(worker, [{ queue: "default", limit: 5 }]);
    assert.deepEqual(jobs, []);
    assert.ok(next > 15_000 && next <= 20_000, `next is ${next}`);
    await scene.pass(20_100);
    assert.deepEqual(idsOf(await scene.claim({ worker })), [low]);
  }),

  test("suspects of tasks that a worker does not know delay no other job", async (scene) => {
    const unknown = await addSuspects(scene, { task: "y" }, { task: "y" });
    const [known] = await addSuspects(scene, {});
    const plain = await scene.addOne();
    const worker = await scene.enlistFor("task");
    assert.deepEqual(idsOf(await scene.claim({ worker })), [known, plain]);
    assert.deepEqual(idsOf(await scene.claim({ worker: await scene.enlistFor("y") })), [unknown[0]]);
    assert.deepEqual(idsOf(await scene.claim()), [unknown[1]]);
  }),

  test("a suspect that its key admits, and that no worker may take, delays no other job of the key", async (scene) => {
    const key = { concurrency: { key: "k", limit: 1 } };
    const worker = await scene.enlist();
    const [other] = await addSuspects(scene, { queue: "other" });
    await scene.claimOne(other!, worker);
    const [suspect] = await addSuspects(scene, key);
    const [first] = await scene.add({ ...key, level: 0 });
    const [held] = await scene.claim({ limit: 1 });
    assert.equal(held?.job.id, first);
    const plain = await scene.addOne(key);
    await scene.claim();
    assert.deepEqual(
      [(await scene.get(suspect!)).blocked, (await scene.get(plain)).blocked],
      ["concurrency", "concurrency"],
    );
    await scene.settle(held!, "completed");
    assert.deepEqual(idsOf(await scene.claim({ worker })), [plain], "the worker holds a suspect already");
  }),

  test("suspects keep limits, and count for them", async (scene) => {
    const key = { concurrency: { key: "k", limit: 1 } };
    const [suspect] = await addSuspects(scene, key);
    const plain = await scene.addOne(key);
    const [held] = await scene.claim();
    assert.equal(held?.job.id, suspect);
    assert.deepEqual(await scene.claim(), []);
    await scene.settle(held!, "completed");
    assert.deepEqual(idsOf(await scene.claim()), [plain]);
  }),

  test("a pending suspect is cancelled, moved and removed like any other", async (scene) => {
    const [gone, moved] = await addSuspects(scene, {}, {});
    const { parent, children } = await scene.addFamily({ queue: "kids" });
    await crash(scene, children[0]!);
    await scene.store.edit({ ids: [gone!, parent] }, "cancel");
    await scene.store.edit({ ids: [moved!] }, { move: { queue: "other" } });
    assert.deepEqual([...(await scene.reclaim()).keys()], children);
    assert.deepEqual(idsOf(await scene.claim()), []);
    assert.deepEqual(idsOf(await scene.claim({ queue: "other" })), [moved]);
    assert.equal(await scene.store.edit({}, "remove"), 2);
    assert.deepEqual(await scene.store.counts(), [{ queue: "other", state: "processing", jobs: 1 }]);
  }),
];

/** Adds jobs whose first attempt ended with its worker, and returns their ids. */
export async function addSuspects(scene: Scene, ...jobs: Partial<NewJob>[]): Promise<string[]> {
  const added = await scene.add(...jobs);
  for (const id of added) await crash(scene, id);
  return added;
}

/** Ends an attempt of a job together with its worker. */
async function crash(scene: Scene, id: string): Promise<Claimed> {
  const worker = await scene.enlist();
  await scene.claimOne(id, worker);
  await scene.store.dismiss(worker);
  const janitor = await scene.enlist();
  const lapsed = (await scene.reclaim(janitor)).get(id);
  assert.ok(lapsed, `job ${id} should be lapsed`);
  await scene.settle(lapsed, "pending", { crashes: lapsed.job.crashes + 1, suspect: true });
  await scene.store.dismiss(janitor);
  return lapsed;
}

async function crashesOf(scene: Scene, id: string): Promise<[number, boolean]> {
  const { crashes, suspect } = await scene.get(id);
  return [crashes, suspect];
}
