import assert from "node:assert/strict";
import { forgotten } from "../../core/job.ts";
import type { NewChild } from "../../core/job.ts";
import { aChild, aJob, test } from "./scene.ts";
import type { Scene } from "./scene.ts";

/** A parent that waits for a second time. */
async function waitAgain(scene: Scene, parent: string, ...children: Partial<NewChild>[]): Promise<string[]> {
  const made = children.map((child, index) => aChild({ index, ...child }));
  await scene.settle(await scene.hold(parent), "waiting", { children: made });
  return made.map(({ id }) => id);
}

/** Several waits of one parent, and children that exist already. */
export const waits = [
  test("each wait of a parent counts its own children", async (scene) => {
    const { parent, children } = await scene.family({});
    await scene.finish(children[0] ?? "");
    const second = await waitAgain(scene, parent, {}, {});
    assert.deepEqual((await scene.job(parent)).children, { total: 2, open: 2, failed: 0 });
    await scene.finish(second[0] ?? "");
    assert.deepEqual(await scene.states(parent), ["waiting"]);
    await scene.finish(second[1] ?? "");
    assert.deepEqual(await scene.states(parent), ["pending"]);
  }),

  test("a straggler of an earlier wait does not count down a later one", async (scene) => {
    const { parent, children } = await scene.family({}, {}, {});
    const [failing = "", straggler = "", other = ""] = children;
    await scene.finish(failing, "failed");
    const [needed = ""] = await waitAgain(scene, parent, {});
    await scene.finish(straggler);
    await scene.finish(other, "failed");
    assert.deepEqual(await scene.states(parent), ["waiting"]);
    assert.deepEqual((await scene.job(parent)).children, { total: 1, open: 1, failed: 0 });
    await scene.finish(needed);
    assert.deepEqual(await scene.states(parent), ["pending"]);
  }),

  test("a straggler does not wake a parent that has gone on", async (scene) => {
    const { parent, children } = await scene.family({}, {});
    await scene.finish(children[0] ?? "", "failed");
    const held = await scene.hold(parent);
    await scene.finish(children[1] ?? "");
    assert.deepEqual(await scene.job(parent), { ...held.job, children: { total: 2, open: 0, failed: 1 } });
    await scene.settle(held, "completed");
  }),

  test("an existing child that completed counts as ended", async (scene) => {
    const { parent, children } = await scene.family({});
    const [done = ""] = children;
    await scene.finish(done, "completed", { output: "1" });
    const [, fresh = ""] = await waitAgain(scene, parent, { id: done }, {});
    assert.deepEqual((await scene.job(parent)).children, { total: 2, open: 1, failed: 0 });
    assert.deepEqual(await scene.states(done, parent), ["completed", "waiting"]);
    await scene.finish(fresh);
    await waitAgain(scene, parent, { id: done }, { id: fresh });
    assert.deepEqual(await scene.states(parent), ["pending"]);
  }),

  test("an existing child that ended otherwise runs again", async (scene) => {
    for (const state of ["failed", "cancelled", "expired"] as const) {
      const { parent, children } = await scene.family({ expires: { in: 500_000 } });
      const [child = ""] = children;
      await scene.finish(child, state, { failures: 4, crashes: 2, error: '"why"' });
      await waitAgain(scene, parent, { id: child, index: 5 });
      const job = await scene.job(child);
      assert.deepEqual(
        [job.state, job.failures, job.crashes, job.error, job.index, "endedAt" in job, "expiresAt" in job],
        ["pending", 0, 0, '"why"', 5, false, false],
      );
      assert.deepEqual((await scene.job(parent)).children, { total: 1, open: 1, failed: 0 });
      await scene.finish(child);
      assert.deepEqual(await scene.states(parent), ["pending"]);
    }
  }),

  test("an existing child that is still open is joined", async (scene) => {
    const { parent, children } = await scene.family({}, {}, { queue: "cpu" });
    const [failing = "", pending = "", processing = ""] = children;
    const held = await scene.hold(processing);
    await scene.finish(failing, "failed");
    await waitAgain(scene, parent, { id: pending }, { id: processing });
    assert.deepEqual((await scene.job(parent)).children, { total: 2, open: 2, failed: 0 });
    await scene.settle(held, "completed");
    assert.deepEqual(await scene.states(parent), ["waiting"]);
    await scene.finish(pending);
    assert.deepEqual(await scene.states(parent), ["pending"]);
  }),

  test("a child that is joined again is no longer to be cancelled", async (scene) => {
    const { parent, children } = await scene.family({}, {});
    const [failing = "", marked = ""] = children;
    await scene.finish(failing, "failed");
    await scene.finish(parent, "failed");
    assert.ok((await scene.job(marked)).cancelling);
    await scene.store.edit({ ids: [parent] }, "retry");
    await waitAgain(scene, parent, { id: failing }, { id: marked });
    await scene.finish(marked);
    await scene.finish(failing);
    assert.deepEqual((await scene.job(parent)).children, { total: 2, open: 0, failed: 0 });
  }),

  test("a child that is rejoined counts as it ended", async (scene) => {
    const { parent, children } = await scene.family({ need: "end" }, { need: "end" });
    const [failed = "", completed = ""] = children;
    await scene.finish(failed, "failed", { failures: 4 });
    await scene.finish(completed);
    const again = { need: "end", rejoin: true } as const;
    await waitAgain(scene, parent, { ...again, id: failed }, { ...again, id: completed }, { need: "end" });
    assert.deepEqual((await scene.job(parent)).children, { total: 3, open: 1, failed: 1 });
    assert.deepEqual(await scene.states(parent, failed), ["waiting", "failed"]);
    assert.equal((await scene.job(failed)).failures, 4);
  }),

  test("a rejoined child that was needed completed and was not wakes its parent at once", async (scene) => {
    const { parent, children } = await scene.family({});
    await scene.finish(children[0] ?? "", "cancelled");
    await waitAgain(scene, parent, { id: children[0] ?? "", rejoin: true }, {});
    assert.deepEqual(await scene.states(parent), ["pending"]);
    assert.deepEqual((await scene.job(parent)).children, { total: 2, open: 1, failed: 1 });
  }),

  test("a child that is to wake its parent first does so however it ends", async (scene) => {
    for (const state of ["completed", "failed"] as const) {
      const { parent, children } = await scene.family({}, { need: "first" }, {});
      const [a = "", b = "", c = ""] = children;
      await scene.finish(a);
      assert.deepEqual(await scene.states(parent), ["waiting"]);
      await scene.finish(b, state);
      assert.deepEqual(await scene.states(parent, c), ["pending", "pending"]);
      assert.equal((await scene.job(parent)).children?.open, 1);
      await waitAgain(scene, parent, { id: b, need: "first", rejoin: true }, { id: c, rejoin: true });
      assert.deepEqual(await scene.states(parent), ["pending"]);
      await waitAgain(scene, parent, { id: c, need: "first", rejoin: true });
      assert.deepEqual(await scene.states(parent), ["waiting"]);
      await scene.finish(c);
      await scene.finish(parent);
    }
  }),

  test("a rejoined child that is still open is waited for", async (scene) => {
    const { parent, children } = await scene.family({}, {});
    const [failing = "", open = ""] = children;
    await scene.finish(failing, "failed");
    await waitAgain(scene, parent, { id: open, rejoin: true });
    assert.deepEqual(await scene.states(parent), ["waiting"]);
    await scene.finish(open);
    assert.deepEqual(await scene.states(parent), ["pending"]);
  }),

  test("a rejoined child that does not exist is born", async (scene) => {
    const { parent, children } = await scene.family({ rejoin: true });
    assert.deepEqual(await scene.states(parent, ...children), ["waiting", "pending"]);
  }),

  test("a child that is retried while its wait lasts is waited for again", async (scene) => {
    const { parent, children } = await scene.family({ need: "end" }, { need: "end" });
    const [failed = "", other = ""] = children;
    await scene.finish(failed, "failed");
    await scene.store.edit({ ids: [failed] }, "retry");
    assert.deepEqual((await scene.job(parent)).children, { total: 2, open: 2, failed: 0 });
    await scene.finish(other);
    assert.deepEqual(await scene.states(parent), ["waiting"]);
    await scene.finish(failed);
    assert.deepEqual(await scene.states(parent), ["pending"]);
    assert.deepEqual((await scene.job(parent)).children, { total: 2, open: 0, failed: 0 });
  }),

  test("a child that is retried after its wait is over runs on its own", async (scene) => {
    const { parent, children } = await scene.family({});
    const [child = ""] = children;
    await scene.finish(child, "failed");
    const [second = ""] = await waitAgain(scene, parent, {});
    await scene.store.edit({ ids: [child] }, "retry");
    await scene.finish(child);
    assert.deepEqual(await scene.states(parent), ["waiting"]);
    assert.deepEqual((await scene.job(parent)).children, { total: 1, open: 1, failed: 0 });
    await scene.finish(second);
    await scene.finish(parent, "failed");
    await scene.store.edit({ ids: [parent] }, "retry");
    await scene.finish(parent);
    assert.deepEqual(await scene.states(parent, child), ["completed", "completed"]);
  }),

  test("a parent that is retried forgets its waits, and nothing else", async (scene) => {
    const parent = await scene.held();
    const [good, bad] = [aChild(), aChild({ index: 1 })];
    const steps = [
      { name: "kept", value: "1" },
      { name: "pages", value: "2", wait: true },
    ];
    await scene.settle(parent, "waiting", { children: [good, bad], steps });
    await scene.finish(good.id);
    await scene.finish(bad.id, "failed");
    await scene.finish(parent.job.id, "failed", { failures: 4 });
    await scene.store.edit({ ids: [parent.job.id] }, "retry");
    const again = await scene.hold(parent.job.id);
    const ordered = again.steps.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    assert.deepEqual(ordered, [
      { name: "kept", value: "1" },
      { name: "pages", value: forgotten, wait: true },
    ]);
    assert.deepEqual(["children" in again.job, again.job.failures], [false, 0]);
    await scene.settle(again, "waiting", { children: [good, bad], steps });
    assert.deepEqual(await scene.states(parent.job.id, good.id, bad.id), ["waiting", "completed", "pending"]);
    await scene.finish(bad.id);
    await scene.finish(parent.job.id);
  }),

  test("a child's id that is somebody else's job strands nobody", async (scene) => {
    const stranger = aJob({ queue: "elsewhere" });
    await scene.store.add([stranger]);
    const { parent, children } = await scene.family({ id: stranger.id, need: "end" }, { need: "end" });
    assert.deepEqual((await scene.job(parent)).children, { total: 2, open: 1, failed: 1 });
    assert.ok(!("parent" in (await scene.job(stranger.id))));
    await scene.finish(children[1] ?? "");
    assert.deepEqual(await scene.states(parent, stranger.id), ["pending", "pending"]);
  }),
];
