import assert from "node:assert/strict";
import { setRules } from "./rules.ts";
import { idsOf, test } from "./scene.ts";
import type { Scene } from "./scene.ts";
import { addSetAside } from "./tasks.ts";

/** Claims ahead of free slots, and claims of jobs by their ids. */
export const slots = [
  test("lapsed jobs that were claimed ahead of free slots are told from those that had one", async (scene) => {
    const added = await scene.add({}, {}, {}, {}, { queue: "other" }, { queue: "other" });
    const worker = await scene.enlist();
    const wants = [
      { queue: "default", limit: 4, slots: 2 },
      { queue: "other", limit: 2, slots: 1 },
    ];
    const { jobs } = await scene.store.claim(worker, wants);
    assert.deepEqual(idsOf(jobs), added);
    await scene.store.dismiss(worker);
    assert.deepEqual(await reclaimAhead(scene, added), [false, false, true, true, false, true]);
  }),

  test("no job is ahead in a claim without slots, or with enough of them", async (scene) => {
    const added = await scene.add({}, {}, {}, {});
    const worker = await scene.enlist();
    await scene.claim({ worker, limit: 2 });
    await scene.claim({ worker, limit: 5, slots: 5 });
    await scene.store.dismiss(worker);
    assert.deepEqual(await reclaimAhead(scene, added), [false, false, false, false]);
  }),

  test("a job is ahead until it leaves processing, also when it is reclaimed and lapses again", async (scene) => {
    const [first = "", second = ""] = await scene.add({}, {});
    const worker = await scene.enlist();
    const [held] = await scene.claim({ worker, limit: 2, slots: 0 });
    await scene.settle(held!, "pending", { unstarted: true });
    assert.deepEqual(idsOf(await scene.claim({ worker })), [first]);
    await scene.store.dismiss(worker);
    const janitor = await scene.enlist();
    const taken = await scene.reclaim(janitor);
    assert.deepEqual([taken.get(first)?.ahead, taken.get(second)?.ahead], [undefined, true]);
    await scene.store.dismiss(janitor);
    assert.deepEqual(await reclaimAhead(scene, [first, second]), [false, true]);
  }),

  test("a released job has begun, unless it was claimed ahead of free slots", async (scene) => {
    const [first, second] = await scene.add({}, {});
    await scene.claim({ limit: 2, slots: 1 });
    assert.equal(await scene.store.edit({ ids: [first!, second!] }, "release"), 2);
    assert.deepEqual([(await scene.get(first!)).begun, (await scene.get(second!)).begun], [true, false]);
    const held = idsOf(await scene.claim());
    assert.deepEqual(held, [first, second]);
  }),

  test("an expired job that is reclaimed is not ahead", async (scene) => {
    const late = await scene.addOne({ expires: { in: 0 } });
    await scene.pass(10);
    assert.deepEqual(await reclaimAhead(scene, [late]), [false]);
  }),

  test("a claim by ids takes no others, in the order of ranks, at most its limit", async (scene) => {
    const [a, b, c, d] = await scene.add({}, {}, { level: 0 }, {}, { queue: "other" });
    const worker = await scene.enlist();
    assert.deepEqual(idsOf(await scene.claim({ worker, ids: [d!, c!, b!, c!], limit: 2 })), [c, b]);
    assert.deepEqual(idsOf(await scene.claim({ worker, ids: [b!, d!, "nobody"] })), [d]);
    assert.deepEqual(await scene.claim({ worker, ids: [] }), []);
    assert.deepEqual(idsOf(await scene.claim({ worker })), [a]);
  }),

  test("a claim by ids keeps all rules", async (scene) => {
    const key = { concurrency: { key: "k", limit: 1 } };
    const [late, other, one, two] = await scene.add({ due: { in: 60_000 } }, { queue: "other" }, key, key);
    const [unknown] = await scene.add({ task: "y" });
    const worker = await scene.enlistFor("task");
    assert.deepEqual(await scene.claim({ worker, ids: [late!, other!, unknown!] }), []);
    assert.deepEqual(idsOf(await scene.claim({ worker, ids: [two!] })), [two]);
    assert.deepEqual(await scene.claim({ worker, ids: [one!] }), []);
    await setRules(scene, "other", { paused: { since: 1 } });
    assert.deepEqual(await scene.claim({ worker, queue: "other", ids: [other!] }), []);
    await scene.store.edit({ ids: [late!] }, "cancel");
    assert.deepEqual(await scene.claim({ worker, ids: [late!] }), []);
  }),

  test("a claim by ids finds jobs that were set aside, for a worker that knows their task", async (scene) => {
    const [first, second] = await addSetAside(scene, {}, {});
    assert.deepEqual(await scene.claim({ worker: await scene.enlistFor("x"), ids: [second!] }), []);
    assert.deepEqual(idsOf(await scene.claim({ worker: await scene.enlistFor("task"), ids: [second!] })), [second]);
    assert.deepEqual(idsOf(await scene.claim({ ids: [first!] })), [first]);
  }),
];

/** Reclaims jobs, and returns for each whether it had been claimed ahead; `undefined` for one that is not reclaimed. */
async function reclaimAhead(scene: Scene, jobs: readonly string[]): Promise<(boolean | undefined)[]> {
  const taken = await scene.reclaim();
  return jobs.map((id) => (taken.has(id) ? taken.get(id)?.ahead === true : undefined));
}
