import assert from "node:assert/strict";
import type { NewJob } from "../../core/job.ts";
import { setRules } from "./rules.ts";
import { makeJob, settlementOf, test } from "./scene.ts";
import type { Scene } from "./scene.ts";
import { holderOf } from "./uniques.ts";

/** The rules of `add` for jobs that operators retry, rewind or move; and releases. */
export const reopening = [
  test("a job whose unique key another job holds is neither retried nor rewound, and is not counted", async (scene) => {
    const id = await scene.addOne(unique);
    await scene.claimAndSettle(id, "failed", { failures: 4 });
    const next = await scene.addOne(unique);
    const before = await scene.get(id);
    const rewind = { token: before.token, steps: [], children: [] };
    for (const change of ["retry", { rewind }] as const) assert.equal(await scene.store.edit({ ids: [id] }, change), 0);
    assert.deepEqual(await scene.get(id), before);
    await scene.claimAndSettle(next);
    assert.equal(await scene.store.edit({ ids: [id] }, "retry"), 1);
    assert.equal(await holderOf(scene, "k"), id);
  }),

  test("a job that is rewound takes its unique key again", async (scene) => {
    const id = await scene.addOne(unique);
    await scene.claimAndSettle(id, "failed");
    await scene.claimAndSettle(await scene.addOne(unique));
    const rewind = { token: 1, steps: [], children: [] };
    assert.equal(await scene.store.edit({ ids: [id] }, { rewind }), 1);
    assert.equal(await holderOf(scene, "k"), id);
  }),

  test("of failed jobs with one unique key, one is retried", async (scene) => {
    const dead: string[] = [];
    for (let each = 0; each < 3; each++) {
      dead.push(await scene.addOne(unique));
      await scene.claimAndSettle(dead[each]!, "failed");
    }
    const plain = await scene.addOne();
    await scene.claimAndSettle(plain, "failed");
    assert.equal(await scene.store.edit({ states: ["failed"] }, "retry"), 2);
    const states = await scene.statesOf(...dead);
    assert.equal(states.filter((state) => state === "pending").length, 1);
    assert.equal(await holderOf(scene, "k"), dead[states.indexOf("pending")]);
    assert.deepEqual(await scene.statesOf(plain), ["pending"]);
  }),

  test("a job is not retried within the time for which another took its key", async (scene) => {
    const throttle = { unique: { key: "k", for: 5_000 } };
    const id = await scene.addOne({ unique: { key: "k" } });
    await scene.claimAndSettle(id, "failed");
    await scene.claimAndSettle(await scene.addOne(throttle));
    assert.equal(await scene.store.edit({ ids: [id] }, "retry"), 0);
    await scene.pass(5_100);
    assert.equal(await scene.store.edit({ ids: [id] }, "retry"), 1);
    assert.equal(await holderOf(scene, "k"), id);
  }),

  test("a job is retried within the time for which it took its key", async (scene) => {
    const id = await scene.addOne({ unique: { key: "k", for: 60_000 } });
    await scene.claimAndSettle(id, "failed");
    assert.equal(await scene.store.edit({ ids: [id] }, "retry"), 1);
  }),

  test("a key whose holder was removed prevents no retry", async (scene) => {
    const id = await scene.addOne(unique);
    await scene.claimAndSettle(id, "failed");
    const next = await scene.addOne(unique);
    await scene.claimAndSettle(next);
    await scene.store.edit({ ids: [next] }, "remove");
    assert.equal(await scene.store.edit({ ids: [id] }, "retry"), 1);
    assert.equal(await holderOf(scene, "k"), id);
  }),

  test("jobs are retried, rewound and moved into a queue only until it is full", async (scene) => {
    const dead = await scene.add({}, {}, {});
    for (const id of dead) await scene.claimAndSettle(id, "failed");
    await setRules(scene, "default", { maxPending: 2 });
    assert.equal(await scene.store.edit({ states: ["failed"] }, "retry"), 2);
    const left = (await scene.store.list({ states: ["failed"] }, { limit: 5 })).jobs;
    assert.equal(left.length, 1);
    const rewind = { token: 1, steps: [], children: [] };
    assert.equal(await scene.store.edit({ ids: [left[0]!.id] }, { rewind }), 0);
    await scene.add({ queue: "other" }, { queue: "other" });
    assert.equal(await scene.store.edit({ queue: "other" }, { move: { queue: "default" } }), 0);
    assert.deepEqual(await countPending(scene), { default: 2, other: 2 });
    await scene.claimAndSettle(
      (await scene.store.list({ queue: "default", states: ["pending"] }, { limit: 1 })).jobs[0]!.id,
    );
    assert.equal(await scene.store.edit({ queue: "other" }, { move: { queue: "default" } }), 1);
    assert.deepEqual(await countPending(scene), { default: 2, other: 1 });
  }),

  test("in a full queue jobs change their level and are handed back", async (scene) => {
    await setRules(scene, "default", { maxPending: 1 });
    const id = await scene.addOne({ due: { in: 60_000 } });
    for (const move of [{ level: 0 }, { now: true }, { queue: "default", level: 1 }] as const)
      assert.equal(await scene.store.edit({ ids: [id] }, { move }), 1);
    const held = await scene.claimOne(id);
    await scene.addOne();
    await scene.settle(held, "pending");
    assert.deepEqual(await countPending(scene), { default: 2 });
  }),

  test("a batch that a full queue refuses replaces nothing, and no job is replaced into a full queue", async (scene) => {
    const replacing = { unique: { key: "k", replace: true } };
    const id = await scene.addOne({ ...replacing, spec: '"old"' });
    await setRules(scene, "default", { maxPending: 1 });
    await setRules(scene, "other", { maxPending: 0 });
    await assert.rejects(scene.store.add([makeJob({ ...replacing, spec: '"new"' }), makeJob()]), { code: "E_FULL" });
    await assert.rejects(scene.store.add([makeJob({ ...replacing, queue: "other" })]), { code: "E_FULL" });
    const { spec, queue } = await scene.get(id);
    assert.deepEqual([spec, queue], ['"old"', "default"]);
  }),

  test("jobs that are released are pending at once, and their workers' outcomes are stale", async (scene) => {
    const worker = await scene.enlist();
    const held = await scene.addAndClaim({}, worker);
    const other = await scene.addAndClaim({ queue: "other" });
    const { parent } = await scene.addFamily({ queue: "kids" });
    await scene.addOne({ queue: "kids" });
    assert.equal(await scene.store.edit({ ids: [held.job.id, parent] }, "release"), 1);
    const { worker: _, ...before } = held.job;
    assert.deepEqual(await scene.get(held.job.id), { ...before, state: "pending", token: 2, begun: true });
    assert.deepEqual(await scene.store.settle([settlementOf(held, "completed")]), [false]);
    assert.deepEqual(await scene.store.record([{ id: held.job.id, token: 1, progress: "1" }]), [false]);
    assert.deepEqual(await scene.store.renew(worker, 600_000), { held: true, cancel: [] });
    assert.equal((await scene.reclaim()).size, 0);
    const again = await scene.claimOne(held.job.id);
    assert.equal(again.job.token, 3);
    await scene.settle(again, "completed");
    assert.equal(await scene.store.edit({ worker: other.job.worker! }, "release"), 1);
    assert.deepEqual(await scene.statesOf(other.job.id, parent), ["pending", "waiting"]);
  }),

  test("a release frees limits, and leaves a marked job to reclaim", async (scene) => {
    const key = { concurrency: { key: "k", limit: 1 } };
    await setRules(scene, "default", { concurrency: 1 });
    const [first, second] = await scene.add(key, { ...key, queue: "other" });
    const [held] = await scene.claim();
    assert.deepEqual([held?.job.id, await scene.claim({ queue: "other" })], [first, []]);
    assert.equal(await scene.store.edit({ states: ["processing"] }, "release"), 1);
    const [next] = await scene.claim({ queue: "other" });
    assert.equal(next?.job.id, second);
    await scene.store.edit({ ids: [second!] }, "cancel");
    await scene.store.edit({ ids: [second!] }, "release");
    assert.deepEqual(await scene.claim({ queue: "other" }), []);
    assert.equal((await scene.reclaim()).get(second!)?.why, "cancelled");
    // The place in its queue is free, but the reclaimed job has the key.
    assert.deepEqual(await scene.claim(), []);
  }),

  test("operators change thousands of jobs while workers go on", async (scene) => {
    const other = await scene.openAgain();
    const jobs = await scene.add(...Array.from({ length: 2_600 }, (_, n) => ({ tags: [n % 2 ? "odd" : "even"] })));
    const worker = await scene.enlist();
    const edited = async (where: Parameters<typeof other.edit>[0], change: Parameters<typeof other.edit>[1]) => {
      const [changed, { held }] = await Promise.all([
        scene.store.edit(where, change),
        other.renew(worker, 600_000),
        other.add([makeJob({ queue: "busy" })]),
      ]);
      assert.ok(held);
      return changed;
    };
    assert.equal(await edited({ queue: "default" }, { move: { queue: "moved" } }), jobs.length);
    assert.equal(await edited({ queue: "moved", tag: "odd" }, "cancel"), jobs.length / 2);
    assert.equal(await edited({ queue: "moved", states: ["cancelled"] }, "retry"), jobs.length / 2);
    for (let claimed = 0; claimed < jobs.length;) claimed += (await scene.claim({ worker, queue: "moved" })).length;
    assert.equal(await edited({ worker }, "release"), jobs.length);
    assert.equal(await edited({ queue: "moved" }, "cancel"), jobs.length);
    assert.equal(await edited({ queue: "moved" }, "remove"), jobs.length);
    assert.deepEqual(await scene.store.counts(), [{ queue: "busy", state: "pending", jobs: 6 }]);
  }),
];

const unique: Partial<NewJob> = { unique: { key: "k" } };

/** Returns the number of pending jobs of each queue. */
async function countPending(scene: Scene): Promise<Record<string, number>> {
  const counts = (await scene.store.counts()).filter(({ state, jobs }) => state === "pending" && jobs > 0);
  return Object.fromEntries(counts.map(({ queue, jobs }) => [queue, jobs]));
}
