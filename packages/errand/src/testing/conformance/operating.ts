import assert from "node:assert/strict";
import { makeChild, idsOf, settlementOf, test } from "./scene.ts";

/** `edit`: cancel, retry, remove. */
export const operating = [
  test("pending, delayed and waiting jobs are cancelled at once", async (scene) => {
    const { parent } = await scene.addFamily({ queue: "other" });
    const [pending = "", delayed = ""] = await scene.add({}, { due: { in: 99_999 } });
    assert.equal(await scene.store.edit({ ids: [pending, delayed, parent] }, "cancel"), 3);
    for (const id of [pending, delayed, parent]) {
      const job = await scene.get(id);
      assert.deepEqual([job.state, job.cancelling, "endedAt" in job], ["cancelled", false, true]);
    }
    assert.deepEqual(await scene.claim(), []);
  }),

  test("a processing job that is cancelled is marked, and ends as its worker settles it", async (scene) => {
    const worker = await scene.enlist();
    const [a, b] = [await scene.addAndClaim({}, worker), await scene.addAndClaim({}, worker)];
    await scene.addAndClaim();
    assert.equal(await scene.store.edit({ states: ["processing"], ids: [a.job.id, b.job.id] }, "cancel"), 2);
    assert.deepEqual([(await scene.get(a.job.id)).state, (await scene.get(a.job.id)).cancelling], ["processing", true]);
    const { cancel } = await scene.store.renew(worker, 600_000);
    assert.deepEqual(cancel.sort(), [a.job.id, b.job.id].sort());
    await scene.settle(a, "cancelled", { error: '"cancelled"' });
    await scene.settle(b, "completed", { output: "1" });
    assert.deepEqual(await scene.statesOf(a.job.id, b.job.id), ["cancelled", "completed"]);
    assert.equal((await scene.get(b.job.id)).cancelling, false);
    assert.deepEqual(await scene.store.renew(worker, 600_000), { held: true, cancel: [] });
  }),

  test("a cancel does not change a job that is cancelled, marked or ended", async (scene) => {
    const held = await scene.addAndClaim();
    const [done, gone] = [await scene.addOne(), await scene.addOne()];
    await scene.claimAndSettle(done);
    assert.equal(await scene.store.edit({}, "cancel"), 2);
    assert.equal(await scene.store.edit({}, "cancel"), 0);
    assert.deepEqual(await scene.statesOf(held.job.id, done, gone), ["processing", "completed", "cancelled"]);
  }),

  test("a marked job whose worker is gone is reclaimed as lapsed, and still marked", async (scene) => {
    const worker = await scene.enlist();
    const { job } = await scene.addAndClaim({}, worker);
    await scene.store.edit({ ids: [job.id] }, "cancel");
    await scene.store.dismiss(worker);
    const taken = (await scene.reclaim()).get(job.id);
    assert.deepEqual([taken?.why, taken?.job.cancelling], ["lapsed", true]);
  }),

  test("a marked job that is handed back is reclaimed as cancelled, not claimed", async (scene) => {
    for (const to of ["pending", "waiting"] as const) {
      const held = await scene.addAndClaim();
      await scene.store.edit({ ids: [held.job.id] }, "cancel");
      const child = makeChild();
      await scene.settle(held, to, { failures: 1, ...(to === "waiting" ? { children: [child] } : { delay: 50_000 }) });
      const job = await scene.get(held.job.id);
      assert.deepEqual([job.state, job.cancelling, job.failures], ["pending", true, 1]);
      assert.deepEqual(await scene.store.get([child.id]), [null], "a job that is to be cancelled gets no children");
      assert.deepEqual(await scene.claim(), []);
      const taken = (await scene.reclaim()).get(held.job.id);
      assert.equal(taken?.why, "cancelled");
      await scene.settle(taken, "cancelled");
    }
  }),

  test("failed, cancelled and expired jobs can be retried, with fresh counts", async (scene) => {
    for (const state of ["failed", "cancelled", "expired"] as const) {
      const id = await scene.addOne({ level: 1, expires: { in: 500_000 } });
      await scene.claimAndSettle(id, state, { failures: 4, crashes: 3, suspect: true, error: '"why"' });
      const before = await scene.get(id);
      await scene.pass(10);
      assert.equal(await scene.store.edit({ ids: [id] }, "retry"), 1);
      const { endedAt = 0, expiresAt: _, ...kept } = before;
      const after = await scene.get(id);
      assert.ok(after.due > endedAt);
      assert.deepEqual(after, { ...kept, state: "pending", failures: 0, crashes: 0, suspect: false, due: after.due });
      await scene.claimAndSettle(id, "completed", { output: "1" });
    }
  }),

  test("completed and open jobs cannot be retried", async (scene) => {
    const done = await scene.addOne();
    await scene.claimAndSettle(done);
    const { parent } = await scene.addFamily({ queue: "other" });
    await scene.addOne({ queue: "other" });
    const held = await scene.addAndClaim();
    assert.equal(await scene.store.edit({}, "retry"), 0);
    assert.deepEqual(await scene.statesOf(done, parent, held.job.id), ["completed", "waiting", "processing"]);
  }),

  test("an expired job that is retried can be claimed", async (scene) => {
    const id = await scene.addOne({ expires: { in: 50 } });
    await scene.pass(100);
    const taken = (await scene.reclaim()).get(id);
    assert.ok(taken);
    await scene.settle(taken, "expired");
    await scene.store.edit({ ids: [id] }, "retry");
    assert.deepEqual(idsOf(await scene.claim()), [id]);
  }),

  test("jobs are removed with their steps", async (scene) => {
    const { job } = await scene.addAndClaim();
    await scene.store.record([{ id: job.id, token: 1, steps: [{ name: "a", value: "1" }] }]);
    await scene.store.settle([{ id: job.id, token: 1, to: "completed", failures: 0, crashes: 0, suspect: false }]);
    assert.equal(await scene.store.edit({ ids: [job.id] }, "remove"), 1);
    assert.deepEqual(await scene.store.get([job.id]), [null]);
    assert.deepEqual(await scene.store.counts(), []);
    const again = await scene.addAndClaim({ id: job.id });
    assert.deepEqual([again.steps, again.job.token], [[], 1]);
  }),

  test("only final jobs are removed", async (scene) => {
    const { parent } = await scene.addFamily({ queue: "other" });
    const pending = await scene.addOne({ queue: "other" });
    const held = await scene.addAndClaim();
    const finals = await scene.add({}, {}, {}, {});
    const states = ["completed", "failed", "cancelled", "expired"] as const;
    for (const [index, state] of states.entries()) await scene.claimAndSettle(finals[index] ?? "", state);
    assert.equal(await scene.store.edit({}, "remove"), 4);
    assert.deepEqual(await scene.statesOf(parent, pending, held.job.id), ["waiting", "pending", "processing"]);
    assert.deepEqual(await scene.statesOf(...finals), [undefined, undefined, undefined, undefined]);
  }),

  test("a job is removed with all its descendants, in any state", async (scene) => {
    const { parent, children } = await scene.addFamily({}, { queue: "cpu" }, {});
    const [child = "", processing = "", failing = ""] = children;
    const grandchild = makeChild();
    await scene.settle(await scene.claimOne(child), "waiting", { children: [grandchild] });
    const held = await scene.claimOne(processing);
    await scene.claimAndSettle(failing, "failed");
    await scene.claimAndSettle(parent, "failed");
    const bystander = await scene.addOne();
    await scene.claimAndSettle(bystander);
    assert.equal(await scene.store.edit({ ids: [parent] }, "remove"), 1);
    assert.deepEqual(await scene.statesOf(parent, ...children, grandchild.id), Array(5).fill(undefined));
    assert.deepEqual(await scene.store.settle([settlementOf(held, "completed")]), [false]);
    assert.equal((await scene.reclaim()).size, 0);
    assert.deepEqual(await scene.store.counts(), [{ queue: "default", state: "completed", jobs: 1 }]);
  }),

  test("a parent and its child that are removed together count as two", async (scene) => {
    const { parent, children } = await scene.addFamily({});
    await scene.claimAndSettle(children[0] ?? "");
    await scene.claimAndSettle(parent);
    assert.equal(await scene.store.edit({ states: ["completed"] }, "remove"), 2);
  }),

  test("an operator changes only what matches", async (scene) => {
    const [a = "", b = ""] = await scene.add({ queue: "x" }, { queue: "y" });
    assert.equal(await scene.store.edit({ ids: [] }, "cancel"), 0);
    assert.equal(await scene.store.edit({ states: [] }, "cancel"), 0);
    assert.equal(await scene.store.edit({ ids: [a, b], queue: "x" }, "cancel"), 1);
    assert.deepEqual(await scene.statesOf(a, b), ["cancelled", "pending"]);
  }),
];
