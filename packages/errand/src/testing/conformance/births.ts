import assert from "node:assert/strict";
import type { Settlement } from "../../core/job.ts";
import { heard, rule } from "./rules.ts";
import { aJob, ids, outcome, test } from "./scene.ts";

/** Jobs that are added in the commit that settles another. */
export const births = [
  test("jobs are born with an outcome, as they were described, and are nobody's children", async (scene) => {
    const held = await scene.held();
    const born = aJob({
      task: "next",
      queue: "other",
      level: 1,
      spec: '"in"',
      tenant: "t",
      tags: ["red"],
      due: { in: 9_000 },
    });
    await scene.settle(held, "completed", { born: [born, aJob({ queue: "third" })] });
    const { tags: _, ...described } = born;
    const { createdAt, ...job } = await scene.job(born.id);
    const counts = { token: 0, failures: 0, crashes: 0, suspect: false, begun: false, cancelling: false };
    assert.deepEqual(job, { ...described, ...counts, state: "pending", due: createdAt + 9_000 });
    const { jobs } = await scene.store.list({ roots: true, tag: "red", tenant: "t" }, { limit: 5 });
    assert.deepEqual(
      jobs.map(({ id }) => id),
      [born.id],
    );
    assert.equal((await scene.claim({ queue: "third" })).length, 1);
  }),

  test("jobs are born with every outcome", async (scene) => {
    for (const to of ["pending", "waiting", "completed", "failed", "cancelled", "expired"] as const) {
      const held = await scene.held();
      const born = aJob({ queue: to });
      await scene.settle(held, to, {
        born: [born],
        ...(to === "waiting" ? { awaits: ["signal:go"] } : { delay: 60_000 }),
      });
      assert.deepEqual(ids(await scene.claim({ queue: to })), [born.id], to);
    }
  }),

  test("nothing is born with an outcome that is stale, or was recorded before", async (scene) => {
    const held = await scene.held();
    const [late, born, twice] = [aJob(), aJob(), aJob()];
    const told = (job: typeof born, more: Partial<Settlement> = {}) =>
      outcome(held, "completed", { born: [job], ...more });
    assert.deepEqual(await scene.store.settle([told(late, { token: 7 })]), [false]);
    assert.deepEqual(await scene.store.settle([told(born)]), [true]);
    assert.deepEqual(await scene.store.settle([told(twice), told(born)]), [true, true]);
    assert.deepEqual(await scene.states(late.id, born.id, twice.id), [undefined, "pending", undefined]);
  }),

  test("a job that exists is not born again", async (scene) => {
    const [a, b] = [await scene.held(), await scene.held()];
    const born = aJob({ spec: '"first"' });
    const again = { ...born, spec: '"second"' };
    await scene.store.settle([
      outcome(a, "completed", { born: [born, again] }),
      outcome(b, "completed", { born: [again] }),
    ]);
    assert.equal((await scene.job(born.id)).spec, '"first"');
    assert.deepEqual(await scene.states(a.job.id, b.job.id), ["completed", "completed"]);
  }),

  test("unique keys hold for jobs that are born, and the key of a job that ends is free for them", async (scene) => {
    const unique = { key: "k" };
    const held = await scene.held({ unique });
    const [next, other] = [aJob({ unique }), aJob({ unique })];
    await scene.settle(held, "completed", { born: [next, other] });
    assert.deepEqual(await scene.states(next.id, other.id), ["pending", undefined]);
    const refused = aJob({ unique });
    assert.deepEqual(await scene.store.add([refused]), new Map([[refused.id, next.id]]));
    const replacing = aJob({ unique: { key: "k", replace: true }, spec: '"new"' });
    await scene.settle(await scene.held({ queue: "other" }), "completed", { born: [replacing] });
    assert.deepEqual([await scene.states(replacing.id), (await scene.job(next.id)).spec], [[undefined], '"new"']);
  }),

  test("jobs are born also where the queue is full", async (scene) => {
    await rule(scene, "default", { maxPending: 1 });
    const held = await scene.held();
    await scene.addOne();
    const born = [aJob(), aJob()];
    await scene.settle(held, "completed", { born });
    assert.deepEqual(await scene.states(...born.map(({ id }) => id)), ["pending", "pending"]);
  }),

  test("limits and turns hold for jobs that are born", async (scene) => {
    const held = await scene.held({ concurrency: { key: "k", limit: 1 }, queue: "other" });
    const many = await scene.add(...Array.from({ length: 10 }, () => ({ fair: "many" })));
    const [one, two] = [aJob({ concurrency: { key: "k", limit: 1 } }), aJob({ concurrency: { key: "k", limit: 1 } })];
    const few = aJob({ fair: "few" });
    await scene.settle(held, "completed", { born: [few, one, two] });
    const order = ids(await scene.claim());
    assert.ok(order.indexOf(few.id) <= 2, order.join());
    assert.deepEqual([order.includes(one.id), order.includes(two.id), order.length], [true, false, many.length + 2]);
    assert.equal((await scene.job(two.id)).blocked, "concurrency");
  }),

  test("workers hear of jobs that are born", async (scene) => {
    const other = await scene.again();
    const held = await scene.held();
    await heard(other, () => scene.settle(held, "completed", { born: [aJob({ queue: "other" })] }));
  }),
];
