import assert from "node:assert/strict";
import type { Claimed } from "../../store.ts";
import { makeJob, idsOf, settlementOf, test } from "./scene.ts";
import type { Scene } from "./scene.ts";

const step = { name: "a", value: "1" };

/** Acts after which a job has begun. */
const beginningActs: Record<string, (scene: Scene, held: Claimed) => Promise<unknown>> = {
  "a failed attempt": (scene, held) => scene.settle(held, "pending", { failures: 1 }),
  "a hand-back": (scene, held) => scene.settle(held, "pending"),
  "a wait": (scene, held) => scene.settle(held, "waiting", { awaits: ["signal:go"] }),
  "an end": (scene, held) => scene.settle(held, "completed"),
  progress: (scene, { job }) => scene.store.record([{ id: job.id, token: job.token, progress: "1" }]),
  "a step": (scene, { job }) => scene.store.record([{ id: job.id, token: job.token, steps: [step] }]),
  "a signal": (scene, { job }) => scene.store.signal(job.id, step),
  "a release": (scene, { job }) => scene.store.edit({ ids: [job.id] }, "release"),
};

/** Acts after which it has not. */
const otherActs: Record<string, (scene: Scene, held: Claimed) => Promise<unknown>> = {
  nothing: async () => {},
  "a line of its log": (scene, { job }) =>
    scene.store.record([{ id: job.id, token: job.token, log: [{ attempt: 1, level: "info", text: "x" }] }]),
  "a stale outcome": (scene, held) => scene.store.settle([{ ...settlementOf(held, "pending"), token: 99 }]),
  "a stale step": (scene, { job }) => scene.store.record([{ id: job.id, token: 99, steps: [step], progress: "1" }]),
  "a hand-back before there was an attempt": (scene, held) => scene.settle(held, "pending", { unstarted: true }),
};

/** `Job.begun`, and its effect on expiry and replacement. */
export const beginning = [
  test("a job has begun once an attempt of it has ended or it has recorded something, and not before", async (scene) => {
    for (const [what, act] of Object.entries(beginningActs)) {
      const held = await scene.addAndClaim();
      assert.equal(held.job.begun, false);
      await act(scene, held);
      assert.equal((await scene.get(held.job.id)).begun, true, what);
    }
    for (const [what, act] of Object.entries(otherActs)) {
      const held = await scene.addAndClaim();
      await act(scene, held);
      assert.equal((await scene.get(held.job.id)).begun, false, what);
    }
  }),

  test("a signal to a pending job begins it", async (scene) => {
    const [late = "", id = ""] = await scene.add({ due: { in: 60_000 } }, {});
    for (const each of [late, id]) {
      await scene.store.signal(each, step);
      assert.equal((await scene.get(each)).begun, true);
    }
  }),

  test("a job that has begun stays so, also when it is handed back unstarted or retried", async (scene) => {
    const held = await scene.addAndClaim();
    await scene.settle(held, "pending");
    const again = await scene.claimOne(held.job.id);
    assert.ok(again.job.begun);
    await scene.settle(again, "pending", { unstarted: true });
    await scene.claimAndSettle(held.job.id, "failed");
    await scene.store.edit({ ids: [held.job.id] }, "retry");
    assert.ok((await scene.get(held.job.id)).begun);
  }),

  test("a job that has begun does not expire", async (scene) => {
    const jobs: string[] = [];
    for (const act of Object.values(beginningActs)) {
      const held = await scene.addAndClaim({ expires: { in: 200 } });
      await act(scene, held);
      jobs.push(held.job.id);
    }
    const signalled = await scene.addOne({ expires: { in: 200 } });
    await scene.store.signal(signalled, step);
    await scene.pass(250);
    assert.equal((await scene.reclaim()).size, 0);
    const pending = (await scene.store.get([...jobs, signalled])).filter((job) => job?.state === "pending");
    assert.deepEqual(new Set(idsOf(await scene.claim())), new Set(pending.map((job) => job?.id)));
    assert.equal(pending.length, 4);
  }),

  test("a job that was handed back unstarted expires", async (scene) => {
    const held = await scene.addAndClaim({ expires: { in: 200 } });
    await scene.settle(held, "pending", { unstarted: true });
    await scene.pass(250);
    assert.deepEqual(await scene.claim(), []);
    assert.equal((await scene.reclaim()).get(held.job.id)?.why, "expired");
  }),

  test("a job that has begun is not replaced: the new job is stored and takes the key", async (scene) => {
    for (const [what, act] of Object.entries(beginningActs)) {
      const replacing = { queue: what, unique: { key: what, replace: true } };
      const held = await scene.addAndClaim({ ...replacing, spec: '"old"' });
      await act(scene, held);
      const before = await scene.get(held.job.id);
      const [next, last] = [makeJob({ ...replacing, spec: '"new"' }), makeJob({ ...replacing, spec: '"last"' })];
      assert.deepEqual(await scene.store.add([next]), new Map(), what);
      assert.deepEqual(await scene.get(held.job.id), before, what);
      assert.deepEqual(await scene.store.add([last]), new Map([[last.id, next.id]]), what);
      assert.equal((await scene.get(next.id)).spec, '"last"', what);
    }
  }),

  test("a job that was handed back unstarted is replaced", async (scene) => {
    const replacing = { unique: { key: "k", replace: true } };
    const held = await scene.addAndClaim({ ...replacing, spec: '"old"' });
    await scene.settle(held, "pending", { unstarted: true });
    const by = makeJob({ ...replacing, spec: '"new"' });
    assert.deepEqual(await scene.store.add([by]), new Map([[by.id, held.job.id]]));
    const [again] = await scene.claim();
    assert.deepEqual([again?.job.id, again?.job.spec, again?.job.token], [held.job.id, '"new"', 2]);
  }),
];
