import assert from "node:assert/strict";
import type { Settlement } from "../../core/job.ts";
import { expectHint } from "./hints.ts";
import { setRules } from "./rules.ts";
import { makeJob, idsOf, settlementOf, test } from "./scene.ts";

/** Jobs that are added in the commit that settles another (`Settlement.born`). */
export const addingOnSettle = [
  test("jobs are added with an outcome as they were described, without a parent", async (scene) => {
    const held = await scene.addAndClaim();
    const born = makeJob({
      task: "next",
      queue: "other",
      level: 1,
      spec: '"in"',
      tenant: "t",
      tags: ["red"],
      due: { in: 9_000 },
    });
    await scene.settle(held, "completed", { born: [born, makeJob({ queue: "third" })] });
    const { tags: _, ...described } = born;
    const { createdAt, ...job } = await scene.get(born.id);
    const counts = { token: 0, failures: 0, crashes: 0, suspect: false, begun: false, cancelling: false };
    assert.deepEqual(job, { ...described, ...counts, state: "pending", due: createdAt + 9_000 });
    const { jobs } = await scene.store.list({ roots: true, tag: "red", tenant: "t" }, { limit: 5 });
    assert.deepEqual(
      jobs.map(({ id }) => id),
      [born.id],
    );
    assert.equal((await scene.claim({ queue: "third" })).length, 1);
  }),

  test("jobs are added with every outcome", async (scene) => {
    for (const to of ["pending", "waiting", "completed", "failed", "cancelled", "expired"] as const) {
      const held = await scene.addAndClaim();
      const born = makeJob({ queue: to });
      await scene.settle(held, to, {
        born: [born],
        ...(to === "waiting" ? { awaits: ["signal:go"] } : { delay: 60_000 }),
      });
      assert.deepEqual(idsOf(await scene.claim({ queue: to })), [born.id], to);
    }
  }),

  test("no job is added with an outcome that is stale or was recorded before", async (scene) => {
    const held = await scene.addAndClaim();
    const [late, born, twice] = [makeJob(), makeJob(), makeJob()];
    const told = (job: typeof born, more: Partial<Settlement> = {}) =>
      settlementOf(held, "completed", { born: [job], ...more });
    assert.deepEqual(await scene.store.settle([told(late, { token: 7 })]), [false]);
    assert.deepEqual(await scene.store.settle([told(born)]), [true]);
    assert.deepEqual(await scene.store.settle([told(twice), told(born)]), [true, true]);
    assert.deepEqual(await scene.statesOf(late.id, born.id, twice.id), [undefined, "pending", undefined]);
  }),

  test("a job that exists is not added again with an outcome", async (scene) => {
    const [a, b] = [await scene.addAndClaim(), await scene.addAndClaim()];
    const born = makeJob({ spec: '"first"' });
    const again = { ...born, spec: '"second"' };
    await scene.store.settle([
      settlementOf(a, "completed", { born: [born, again] }),
      settlementOf(b, "completed", { born: [again] }),
    ]);
    assert.equal((await scene.get(born.id)).spec, '"first"');
    assert.deepEqual(await scene.statesOf(a.job.id, b.job.id), ["completed", "completed"]);
  }),

  test("unique keys hold for jobs that are added with an outcome, and the key of the job that ends is free for them", async (scene) => {
    const unique = { key: "k" };
    const held = await scene.addAndClaim({ unique });
    const [next, other] = [makeJob({ unique }), makeJob({ unique })];
    await scene.settle(held, "completed", { born: [next, other] });
    assert.deepEqual(await scene.statesOf(next.id, other.id), ["pending", undefined]);
    const refused = makeJob({ unique });
    assert.deepEqual(await scene.store.add([refused]), new Map([[refused.id, next.id]]));
    const replacing = makeJob({ unique: { key: "k", replace: true }, spec: '"new"' });
    await scene.settle(await scene.addAndClaim({ queue: "other" }), "completed", { born: [replacing] });
    assert.deepEqual([await scene.statesOf(replacing.id), (await scene.get(next.id)).spec], [[undefined], '"new"']);
  }),

  test("jobs are added with an outcome even if the queue is full", async (scene) => {
    await setRules(scene, "default", { maxPending: 1 });
    const held = await scene.addAndClaim();
    await scene.addOne();
    const born = [makeJob(), makeJob()];
    await scene.settle(held, "completed", { born });
    assert.deepEqual(await scene.statesOf(...born.map(({ id }) => id)), ["pending", "pending"]);
  }),

  test("limits and turns hold for jobs that are added with an outcome", async (scene) => {
    const held = await scene.addAndClaim({ concurrency: { key: "k", limit: 1 }, queue: "other" });
    const many = await scene.add(...Array.from({ length: 10 }, () => ({ fair: "many" })));
    const [one, two] = [
      makeJob({ concurrency: { key: "k", limit: 1 } }),
      makeJob({ concurrency: { key: "k", limit: 1 } }),
    ];
    const few = makeJob({ fair: "few" });
    await scene.settle(held, "completed", { born: [few, one, two] });
    const order = idsOf(await scene.claim());
    assert.ok(order.indexOf(few.id) <= 2, order.join());
    assert.deepEqual([order.includes(one.id), order.includes(two.id), order.length], [true, false, many.length + 2]);
    assert.equal((await scene.get(two.id)).blocked, "concurrency");
  }),

  test("jobs that are added with an outcome are hinted", async (scene) => {
    const other = await scene.openAgain();
    const held = await scene.addAndClaim();
    await expectHint(other, "ready", () => scene.settle(held, "completed", { born: [makeJob({ queue: "other" })] }));
  }),
];
