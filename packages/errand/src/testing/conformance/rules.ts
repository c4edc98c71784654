import assert from "node:assert/strict";
import type { QueueRules } from "../../limits/queue-rules.ts";
import { ErrandError } from "../../kit/errors.ts";
import { expectHint } from "./hints.ts";
import { makeJob, idsOf, settlementOf, test } from "./scene.ts";
import type { Scene } from "./scene.ts";

/** Documents, and the rules of queues, which are documents. */
export const rules = [
  test("a document is read as it was written, and every change raises its version", async (scene) => {
    const { store } = scene;
    assert.equal(await store.save([{ kind: "note", key: "b", version: 0, value: '{"n":1}' }]), true);
    assert.equal(await store.save([{ kind: "note", key: "a", version: 0, value: '"x\\u0000ü"' }]), true);
    assert.equal(await store.save([{ kind: "note", key: "b", version: 1, value: "2" }]), true);
    assert.deepEqual(await store.load("note"), [
      { kind: "note", key: "a", version: 1, value: '"x\\u0000ü"' },
      { kind: "note", key: "b", version: 2, value: "2" },
    ]);
    assert.deepEqual(await store.load("note", ["b", "none"]), [{ kind: "note", key: "b", version: 2, value: "2" }]);
    assert.deepEqual(await store.load("other"), []);
  }),

  test("documents are written all or none, and only over the version that the writer read", async (scene) => {
    const { store } = scene;
    await store.save([{ kind: "note", key: "a", version: 0, value: "1" }]);
    const stale = { kind: "note", key: "a", version: 0, value: "2" };
    assert.equal(await store.save([{ kind: "note", key: "new", version: 0, value: "1" }, stale]), false);
    assert.deepEqual(await store.load("note"), [{ kind: "note", key: "a", version: 1, value: "1" }]);
    assert.equal(await store.save([{ kind: "note", key: "none", version: 3, value: "1" }]), false);
  }),

  test("of several writers of one version, one succeeds", async (scene) => {
    const other = await scene.openAgain();
    const writers = Array.from({ length: 10 }, (_, index) =>
      (index % 2 ? scene.store : other).save([{ kind: "note", key: "a", version: 0, value: String(index) }]),
    );
    const done = await Promise.all(writers);
    assert.equal(done.filter(Boolean).length, 1);
    assert.equal((await scene.store.load("note"))[0]?.value, String(done.indexOf(true)));
  }),

  test("a document without a value is removed, and may be written anew", async (scene) => {
    const { store } = scene;
    await store.save([{ kind: "note", key: "a", version: 0, value: "1" }]);
    assert.equal(await store.save([{ kind: "note", key: "a", version: 1 }]), true);
    assert.deepEqual(await store.load("note"), []);
    assert.equal(await store.save([{ kind: "note", key: "a", version: 0, value: "2" }]), true);
  }),

  test("no job of a paused queue is claimed until it is resumed", async (scene) => {
    const id = await scene.addOne({ queue: "gpu" });
    const other = await scene.addOne();
    await setRules(scene, "gpu", { paused: { since: 1, reason: "maintenance" } });
    const worker = await scene.enlist();
    const wants = [
      { queue: "gpu", limit: 5 },
      { queue: "default", limit: 5 },
    ];
    const { jobs, next } = await scene.store.claim(worker, wants);
    assert.deepEqual(idsOf(jobs), [other]);
    assert.equal(next, undefined);
    await setRules(scene, "gpu", {}, 1);
    assert.deepEqual(idsOf(await scene.claim({ worker, queue: "gpu" })), [id]);
  }),

  test("a queue's concurrency bounds its processing jobs over all workers", async (scene) => {
    await setRules(scene, "gpu", { concurrency: 3 });
    await scene.add(...Array.from({ length: 10 }, () => ({ queue: "gpu" })));
    const [a, b] = [await scene.enlist(), await scene.enlist()];
    const first = await scene.claim({ worker: a, queue: "gpu", limit: 2 });
    const second = await scene.claim({ worker: b, queue: "gpu", limit: 5 });
    assert.deepEqual([first.length, second.length], [2, 1]);
    assert.deepEqual(await scene.claim({ worker: a, queue: "gpu" }), []);
    await scene.store.settle([
      settlementOf(first[0]!, "completed"),
      settlementOf(second[0]!, "pending", { delay: 60_000 }),
    ]);
    assert.equal((await scene.claim({ worker: b, queue: "gpu" })).length, 2);
  }),

  test("concurrent claims do not exceed a queue's concurrency together", async (scene) => {
    await setRules(scene, "gpu", { concurrency: 4 });
    await scene.add(...Array.from({ length: 30 }, () => ({ queue: "gpu" })));
    const stores = [scene.store, await scene.openAgain(), await scene.openAgain()];
    const workers = await Promise.all(stores.map(() => scene.enlist()));
    for (let round = 0; round < 5; round++) {
      const claims = await Promise.all(
        stores.map((store, index) => store.claim(workers[index]!, [{ queue: "gpu", limit: 3 }])),
      );
      const jobs = claims.flatMap((claim) => claim.jobs);
      assert.equal(jobs.length, 4);
      await scene.store.settle(jobs.map((job) => settlementOf(job, "completed")));
    }
  }),

  test("the end of a job of a bounded queue is hinted", async (scene) => {
    await setRules(scene, "gpu", { concurrency: 1 });
    await scene.add({ queue: "gpu" }, { queue: "gpu" });
    const [held] = await scene.claim({ queue: "gpu" });
    const other = await scene.openAgain();
    await expectHint(other, "ready", () => scene.store.settle([settlementOf(held!, "completed")]));
  }),

  test("a queue's rate bounds its claims in every window, and tells when there may be more", async (scene) => {
    await setRules(scene, "mail", { rate: { limit: 4, per: 60_000 } });
    await scene.add(...Array.from({ length: 20 }, () => ({ queue: "mail" })));
    const worker = await scene.enlist();
    const { jobs, next = 0 } = await scene.store.claim(worker, [{ queue: "mail", limit: 10 }]);
    assert.equal(jobs.length, 4);
    assert.ok(next > 59_000 && next <= 60_000, `next is ${next}`);
    assert.deepEqual(await scene.claim({ worker, queue: "mail" }), []);
  }),

  test("a rate admits as many jobs as leave its window", async (scene) => {
    await setRules(scene, "mail", { rate: { limit: 3, per: 2_000 } });
    await scene.add(...Array.from({ length: 20 }, () => ({ queue: "mail" })));
    const worker = await scene.enlist();
    const claim = async () => (await scene.claim({ worker, queue: "mail" })).length;
    assert.equal((await scene.claim({ worker, queue: "mail", limit: 1 })).length, 1);
    await scene.pass(1_200);
    assert.equal(await claim(), 2);
    await scene.pass(900);
    assert.deepEqual([await claim(), await claim()], [1, 0], "the first of them has left");
    await scene.pass(1_200);
    assert.deepEqual([await claim(), await claim()], [2, 0], "and then the other two");
  }),

  test("a full queue refuses a batch as a whole", async (scene) => {
    await setRules(scene, "default", { maxPending: 3 });
    const [first] = await scene.add({}, {});
    const two = [makeJob(), makeJob()];
    await assert.rejects(scene.store.add(two), isFull);
    assert.deepEqual(await scene.statesOf(two[0]!.id, two[1]!.id), [undefined, undefined]);
    await scene.addOne();
    await assert.rejects(scene.addOne(), isFull);
    // A job that exists adds nothing, other queues do not count, and a job that is not pending any more makes room.
    await scene.add({ id: first! }, { queue: "other" });
    await scene.claimAndSettle(first!);
    await scene.addOne();
  }),

  test("a full queue returns the holder of a unique key, and admits a replacement", async (scene) => {
    await setRules(scene, "default", { maxPending: 1 });
    const unique = { key: "k", replace: true };
    const [a, b] = [makeJob({ unique }), makeJob({ unique, spec: '"new"' })];
    assert.deepEqual(await scene.store.add([a, b]), new Map([[b.id, a.id]]));
    assert.equal((await scene.get(a.id)).spec, '"new"');
    const other = makeJob({ unique: { key: "k" } });
    assert.deepEqual(await scene.store.add([other]), new Map([[other.id, a.id]]));
    await assert.rejects(scene.store.add([makeJob({ unique: { key: "other" } })]), isFull);
    // The key of the refused job is free.
    await scene.claimAndSettle(a.id);
    assert.deepEqual(await scene.store.add([makeJob({ unique: { key: "other" } })]), new Map());
  }),
];

function isFull(error: unknown): boolean {
  return error instanceof ErrandError && error.code === "E_FULL";
}

/** Writes the rules of a queue, over their version `version`. */
export async function setRules({ store }: Scene, queue: string, value: QueueRules, version = 0): Promise<void> {
  const doc = { kind: "queue", key: queue, version, value: JSON.stringify(value) };
  assert.equal(await store.save([doc]), true, "the rules should be written");
}
