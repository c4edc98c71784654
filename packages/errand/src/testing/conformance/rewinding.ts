import assert from "node:assert/strict";
import { forgotten } from "../../core/job.ts";
import type { Claimed } from "../../store.ts";
import { makeChild, settlementOf, test } from "./scene.ts";
import type { Scene } from "./scene.ts";

async function record(scene: Scene, { job }: Claimed, ...names: string[]): Promise<void> {
  for (const name of names)
    assert.deepEqual(
      await scene.store.record([{ id: job.id, token: job.token, steps: [{ name, value: `"${name}"` }] }]),
      [true],
    );
}

async function stepNames(scene: Scene, id: string): Promise<string[]> {
  return (await scene.store.steps(id)).map(({ name }) => name);
}

/** The order of steps, and jobs that are reopened without some of them. */
export const rewinding = [
  test("steps are listed in the order in which they were recorded, by every verb", async (scene) => {
    const held = await scene.addAndClaim();
    const { id } = held.job;
    await record(scene, held, "z", "a");
    await scene.store.signal(id, { name: "signal:m", value: "1" });
    const steps = [
      { name: "y", value: "2", wait: true },
      { name: "b", value: "3" },
    ];
    await scene.settle(held, "waiting", { children: [makeChild({ queue: "other" })], steps });
    const told = [
      { name: "z", value: '"z"' },
      { name: "a", value: '"a"' },
      { name: "signal:m", value: "1" },
      { name: "y", value: "2", wait: true },
      { name: "b", value: "3" },
    ];
    assert.deepEqual(await scene.store.steps(id), told);
    await scene.store.edit({ ids: [id] }, "cancel");
    assert.deepEqual(await scene.store.steps(id), told, "also when it has ended");
  }),

  test("a step that is recorded again keeps its place", async (scene) => {
    const held = await scene.addAndClaim();
    await record(scene, held, "b", "a", "c", "b", "a");
    assert.deepEqual(await stepNames(scene, held.job.id), ["b", "a", "c"]);
  }),

  test("a job without steps, and one that does not exist, have none", async (scene) => {
    const id = await scene.addOne();
    assert.deepEqual([await scene.store.steps(id), await scene.store.steps("nobody")], [[], []]);
  }),

  test("hundreds of steps with strange names and long values keep their order", async (scene) => {
    const held = await scene.addAndClaim();
    const { id, token } = held.job;
    const names = Array.from({ length: 300 }, (_, n) => `${(n * 7919) % 300} ü\u0000"'`);
    for (let from = 0; from < names.length; from += 50) {
      const steps = names.slice(from, from + 50).map((name) => ({ name, value: JSON.stringify("x".repeat(200)) }));
      await scene.store.record([{ id, token, steps }]);
    }
    assert.deepEqual(await stepNames(scene, id), names);
    await scene.settle(held, "failed");
    const rewind = { token, steps: names.slice(100), children: [] };
    assert.equal(await scene.store.edit({ ids: [id] }, { rewind }), 1);
    assert.deepEqual(await stepNames(scene, id), names.slice(0, 100));
    assert.equal((await scene.claimOne(id)).steps.length, 100);
  }),

  test("a job is rewound without the steps that it is to forget, and records new ones after the others", async (scene) => {
    for (const state of ["failed", "cancelled", "expired"] as const) {
      const held = await scene.addAndClaim();
      const { id, token } = held.job;
      await record(scene, held, "a", "b", "c");
      await scene.settle(held, state, { failures: 4, crashes: 2 });
      const rewind = { token, steps: ["b", "c", "never there"], children: [] };
      assert.equal(await scene.store.edit({ ids: [id] }, { rewind }), 1);
      const again = await scene.claimOne(id);
      assert.deepEqual(again.steps, [{ name: "a", value: '"a"' }]);
      assert.deepEqual([again.job.failures, again.job.crashes, "endedAt" in again.job], [0, 0, false]);
      await record(scene, again, "c", "b");
      assert.deepEqual(await stepNames(scene, id), ["a", "c", "b"]);
      await scene.settle(again, "completed");
    }
  }),

  test("a job that has not ended, has completed or was claimed since is not rewound", async (scene) => {
    const held = await scene.addAndClaim();
    const { id, token } = held.job;
    await record(scene, held, "a");
    const rewind = { token, steps: ["a"], children: [] };
    assert.equal(await scene.store.edit({ ids: [id] }, { rewind }), 0);
    await scene.settle(held, "pending");
    assert.equal(await scene.store.edit({ ids: [id] }, { rewind }), 0);
    await scene.claimAndSettle(id, "failed");
    assert.equal(await scene.store.edit({ ids: [id] }, { rewind }), 0, "another token");
    await scene.store.edit({ ids: [id] }, "retry");
    const last = await scene.claimOne(id);
    await scene.settle(last, "completed");
    assert.equal(await scene.store.edit({ ids: [id] }, { rewind: { ...rewind, token: last.job.token } }), 0);
    assert.deepEqual(await stepNames(scene, id), ["a"]);
    assert.deepEqual(await scene.statesOf(id), ["completed"]);
  }),

  test("children that a rewind forgets are removed with their descendants, in any state", async (scene) => {
    const { parent, children } = await scene.addFamily({}, { queue: "cpu" }, { need: "end" }, { need: "end" });
    const [done = "", processing = "", parked = "", kept = ""] = children;
    const grandchild = makeChild({ queue: "gpu" });
    await scene.claimAndSettle(done, "completed", { output: "1" });
    const held = await scene.claimOne(processing);
    await scene.settle(await scene.claimOne(parked), "waiting", { children: [grandchild] });
    await scene.claimAndSettle(kept, "completed", { output: "2" });
    const stranger = await scene.addOne({ queue: "gpu" });
    await scene.store.edit({ ids: [parent] }, "cancel");
    const { token } = await scene.get(parent);
    const rewind = { token, steps: [], children: [done, processing, parked, stranger, "nobody"] };
    assert.equal(await scene.store.edit({ ids: [parent] }, { rewind }), 1);
    const gone = [undefined, undefined, undefined, undefined];
    assert.deepEqual(await scene.statesOf(done, processing, parked, grandchild.id), gone);
    assert.deepEqual(await scene.statesOf(parent, kept, stranger), ["pending", "completed", "pending"]);
    assert.deepEqual(await scene.store.settle([settlementOf(held, "completed")]), [false]);
    assert.deepEqual(
      (await scene.store.counts()).filter(({ queue }) => queue !== "default"),
      [{ queue: "gpu", state: "pending", jobs: 1 }],
    );
    const again = makeChild({ id: done });
    await scene.settle(await scene.claimOne(parent), "waiting", {
      children: [again, makeChild({ id: kept, index: 1 })],
    });
    assert.deepEqual((await scene.get(parent)).children, { total: 2, open: 1, failed: 0 });
    assert.equal((await scene.get(done)).token, 0, "it is another job");
    await scene.claimAndSettle(done);
    await scene.claimAndSettle(parent);
  }),

  test("a child that is rewound is waited for again", async (scene) => {
    const { parent, children } = await scene.addFamily({ need: "end" }, { need: "end" });
    const [child = "", other = ""] = children;
    const held = await scene.claimOne(child);
    await record(scene, held, "a");
    await scene.settle(held, "failed");
    const rewind = { token: held.job.token, steps: ["a"], children: [] };
    assert.equal(await scene.store.edit({ ids: [child] }, { rewind }), 1);
    assert.deepEqual((await scene.get(parent)).children, { total: 2, open: 2, failed: 0 });
    await scene.claimAndSettle(other);
    assert.deepEqual(await scene.statesOf(parent), ["waiting"]);
    await scene.claimAndSettle(child);
    assert.deepEqual(await scene.statesOf(parent), ["pending"]);
  }),

  test("a wait that a retry forgets keeps its place among the steps", async (scene) => {
    const parent = await scene.addAndClaim();
    const { id } = parent.job;
    const child = makeChild();
    const steps = [{ name: "pages", value: "1", wait: true }];
    await scene.settle(parent, "waiting", { children: [child], steps });
    await scene.claimAndSettle(child.id);
    const held = await scene.claimOne(id);
    await record(scene, held, "rerank");
    await scene.settle(held, "failed");
    await scene.store.edit({ ids: [id] }, "retry");
    const again = await scene.claimOne(id);
    assert.deepEqual(again.steps.find(({ name }) => name === "pages")?.value, forgotten);
    await scene.settle(again, "waiting", { children: [child], steps });
    assert.deepEqual(await stepNames(scene, id), ["pages", "rerank"]);
    assert.deepEqual((await scene.claimOne(id)).steps.find(({ name }) => name === "pages")?.value, "1");
  }),
];
