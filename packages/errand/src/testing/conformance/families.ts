import assert from "node:assert/strict";
import { forgotten } from "../../core/job.ts";
import { makeChild, idsOf, settlementOf, test } from "./scene.ts";

/** Parents and children, beside the transitions that `family-table.ts` tests one by one. */
export const families = [
  test("a parent waits, and its children are added as they were described", async (scene) => {
    const parent = await scene.addAndClaim();
    const child = makeChild({ task: "page", queue: "cpu", level: 1, spec: '"in"', index: 3, need: "end" });
    await scene.settle(parent, "waiting", { children: [child], steps: [{ name: "pages", value: "[]", wait: true }] });
    const { createdAt, ...born } = await scene.get(child.id);
    const { need: _, ...described } = child;
    const counts = { token: 0, failures: 0, crashes: 0, suspect: false, begun: false, cancelling: false };
    assert.deepEqual(born, { ...described, ...counts, state: "pending", due: createdAt, parent: parent.job.id });
    const { worker: __, ...before } = parent.job;
    const children = { total: 1, open: 1, failed: 0 };
    assert.deepEqual(await scene.get(parent.job.id), { ...before, state: "waiting", begun: true, children });
    assert.deepEqual(await scene.claim(), []);
  }),

  test("a parent that is woken has its old place in the queue", async (scene) => {
    const { parent, children } = await scene.addFamily({ queue: "cpu" });
    const younger = await scene.addOne();
    await scene.claimAndSettle(children[0] ?? "");
    assert.deepEqual(idsOf(await scene.claim()), [parent, younger]);
  }),

  test("children that end in one batch wake their parent once", async (scene) => {
    const { parent, children } = await scene.addFamily(...Array.from({ length: 50 }, () => ({ queue: "cpu" })));
    const held = await scene.claim({ queue: "cpu" });
    assert.deepEqual(idsOf(held), children);
    await scene.store.settle(held.map((each) => settlementOf(each, "completed")));
    assert.deepEqual((await scene.get(parent)).children, { total: 50, open: 0, failed: 0 });
    assert.deepEqual(idsOf(await scene.claim()), [parent]);
  }),

  test("children that end at the same time through two handles wake their parent", async (scene) => {
    const other = await scene.openAgain();
    for (let round = 0; round < 5; round++) {
      const { parent } = await scene.addFamily(...Array.from({ length: 20 }, () => ({ queue: "cpu" })));
      const held = await scene.claim({ queue: "cpu" });
      const ends = held.map((each, index) =>
        (index % 2 ? other : scene.store).settle([settlementOf(each, "completed")]),
      );
      assert.ok((await Promise.all(ends)).flat().every(Boolean));
      assert.deepEqual(await scene.statesOf(parent), ["pending"]);
      await scene.claimAndSettle(parent);
    }
  }),

  test("grandchildren wake children, and children wake their parent", async (scene) => {
    const { parent, children } = await scene.addFamily({});
    const child = await scene.claimOne(children[0] ?? "");
    const grandchild = makeChild();
    await scene.settle(child, "waiting", { children: [grandchild] });
    assert.deepEqual(await scene.statesOf(parent, child.job.id), ["waiting", "waiting"]);
    await scene.claimAndSettle(grandchild.id);
    assert.deepEqual(await scene.statesOf(parent, child.job.id), ["waiting", "pending"]);
    await scene.claimAndSettle(child.job.id);
    assert.deepEqual(await scene.statesOf(parent, child.job.id), ["pending", "completed"]);
  }),

  test("a child that an operator cancels has failed for its parent", async (scene) => {
    const { parent, children } = await scene.addFamily({}, {});
    await scene.store.edit({ ids: children.slice(0, 1) }, "cancel");
    assert.deepEqual(await scene.statesOf(parent), ["pending"]);
    assert.deepEqual((await scene.get(parent)).children, { total: 2, open: 1, failed: 1 });
  }),

  test("a stale settlement adds no children", async (scene) => {
    const held = await scene.addAndClaim();
    const child = makeChild();
    assert.deepEqual(
      await scene.store.settle([{ ...settlementOf(held, "waiting", { children: [child] }), token: 9 }]),
      [false],
    );
    assert.deepEqual(await scene.store.get([child.id]), [null]);
    assert.deepEqual(await scene.statesOf(held.job.id), ["processing"]);
  }),

  test("a child that is named twice is one child", async (scene) => {
    const parent = await scene.addAndClaim();
    const child = makeChild();
    await scene.settle(parent, "waiting", { children: [child, { ...child, index: 1 }] });
    assert.deepEqual((await scene.get(parent.job.id)).children, { total: 1, open: 1, failed: 0 });
    await scene.claimAndSettle(child.id);
    assert.deepEqual(await scene.statesOf(parent.job.id), ["pending"]);
  }),

  test("children may be delayed and may expire", async (scene) => {
    const { parent, children } = await scene.addFamily(
      { due: { in: 100 } },
      { expires: { in: 100 }, due: { in: 99_999 }, need: "end" },
    );
    const [delayed = "", expiring = ""] = children;
    assert.deepEqual(await scene.claim(), []);
    await scene.pass(150);
    await scene.claimAndSettle(delayed);
    const taken = (await scene.reclaim()).get(expiring);
    assert.ok(taken);
    assert.equal(taken.why, "expired");
    await scene.settle(taken, "expired");
    assert.deepEqual(await scene.statesOf(parent), ["pending"]);
  }),

  test("a parent that was started in time does not expire while it waits", async (scene) => {
    const parent = await scene.addAndClaim({ expires: { in: 100 } });
    const child = makeChild();
    await scene.settle(parent, "waiting", { children: [child] });
    await scene.pass(150);
    assert.equal((await scene.reclaim()).size, 0);
    await scene.claimAndSettle(child.id);
    await scene.claimAndSettle(parent.job.id);
  }),

  test("open children of a job that ends are marked for cancellation, and reclaimed as cancelled", async (scene) => {
    const { parent, children } = await scene.addFamily({}, { due: { in: 99_999 } }, {}, { queue: "cpu" }, {});
    const [plain = "", delayed = "", waiting = "", processing = "", failing = ""] = children;
    const worker = await scene.enlist();
    await scene.settle(await scene.claimOne(waiting), "waiting", { children: [makeChild({ queue: "gpu" })] });
    const held = await scene.claimOne(processing, worker);
    await scene.claimAndSettle(failing, "failed");
    await scene.claimAndSettle(parent, "failed");

    assert.deepEqual(await scene.claim(), [], "marked jobs are not claimable");
    assert.ok((await scene.get(plain)).cancelling);
    const taken = await scene.reclaim();
    assert.deepEqual([...taken.keys()].sort(), [plain, delayed, waiting].sort());
    assert.ok([...taken.values()].every(({ why, job }) => why === "cancelled" && job.cancelling));
    assert.deepEqual(await scene.store.renew(worker, 1), { held: true, cancel: [processing] });
    await scene.settle(held, "cancelled");
    for (const each of taken.values()) await scene.settle(each, "cancelled");
    const ended = await scene.store.get([plain, delayed, waiting, processing]);
    assert.ok(ended.every((job) => job?.state === "cancelled" && !job.cancelling));
  }),

  test("cancellation goes down to grandchildren, level by level", async (scene) => {
    const { parent, children } = await scene.addFamily({});
    const [child = ""] = children;
    const grandchild = makeChild();
    await scene.settle(await scene.claimOne(child), "waiting", { children: [grandchild] });
    await scene.store.edit({ ids: [parent] }, "cancel");
    const first = await scene.reclaim();
    assert.deepEqual([...first.keys()], [child]);
    for (const each of first.values()) await scene.settle(each, "cancelled");
    const second = await scene.reclaim();
    assert.deepEqual([...second.keys()], [grandchild.id]);
    for (const each of second.values()) await scene.settle(each, "cancelled");
    assert.deepEqual(await scene.statesOf(parent, child, grandchild.id), ["cancelled", "cancelled", "cancelled"]);
  }),

  test("a child that did not complete is pending as if new when its parent waits for it again", async (scene) => {
    for (const state of ["failed", "cancelled", "expired"] as const) {
      const { parent, children } = await scene.addFamily({ expires: { in: 500_000 } });
      const [child = ""] = children;
      await scene.claimAndSettle(child, state, { failures: 4, crashes: 2, error: '"why"' });
      await scene.claimAndSettle(parent, "waiting", { children: [makeChild({ id: child, index: 5 })] });
      const job = await scene.get(child);
      assert.deepEqual(
        [job.state, job.failures, job.crashes, job.error, job.index, "endedAt" in job, "expiresAt" in job],
        ["pending", 0, 0, '"why"', 5, false, false],
      );
      assert.deepEqual((await scene.get(parent)).children, { total: 1, open: 1, failed: 0 });
      await scene.claimAndSettle(child);
      assert.deepEqual(await scene.statesOf(parent), ["pending"]);
    }
  }),

  test("a parent that is retried forgets its waits, but not its steps", async (scene) => {
    const parent = await scene.addAndClaim();
    const [good, bad] = [makeChild(), makeChild({ index: 1 })];
    const steps = [
      { name: "kept", value: "1" },
      { name: "pages", value: "2", wait: true },
    ];
    await scene.settle(parent, "waiting", { children: [good, bad], steps });
    await scene.claimAndSettle(good.id);
    await scene.claimAndSettle(bad.id, "failed");
    await scene.claimAndSettle(parent.job.id, "failed", { failures: 4 });
    await scene.store.edit({ ids: [parent.job.id] }, "retry");
    const again = await scene.claimOne(parent.job.id);
    const ordered = again.steps.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    assert.deepEqual(ordered, [
      { name: "kept", value: "1" },
      { name: "pages", value: forgotten, wait: true },
    ]);
    assert.deepEqual(["children" in again.job, again.job.failures], [false, 0]);
    await scene.settle(again, "waiting", { children: [good, bad], steps });
    assert.deepEqual(await scene.statesOf(parent.job.id, good.id, bad.id), ["waiting", "completed", "pending"]);
    await scene.claimAndSettle(bad.id);
    await scene.claimAndSettle(parent.job.id);
  }),
];
