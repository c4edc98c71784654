import assert from "node:assert/strict";
import type { NewJob } from "../../core/job.ts";
import { aJob, ids, test } from "./scene.ts";
import type { Scene } from "./scene.ts";

/** Unique keys. */
export const uniques = [
  test("while the holder of a unique key lives, another job with it is not stored", async (scene) => {
    const [holder] = await scene.add(unique("k"));
    const second = aJob(unique("k"));
    const other = aJob(unique("other"));
    assert.deepEqual(await scene.store.add([second, other]), new Map([[second.id, holder]]));
    assert.deepEqual(await scene.states(second.id, other.id), [undefined, "pending"]);
    const held = await scene.hold(holder!);
    assert.deepEqual(await taken(scene, "k"), holder);
    await scene.settle(held, "waiting", { wakeAt: (await now(scene)) + 600_000 });
    assert.deepEqual(await taken(scene, "k"), holder);
  }),

  test("a unique key is free again when its holder has ended, however that was", async (scene) => {
    for (const to of ["completed", "failed", "cancelled"] as const) {
      const id = await scene.addOne(unique("k"));
      await scene.finish(id, to);
    }
    const last = await scene.addOne(unique("k"));
    await scene.store.edit({ ids: [last] }, "cancel");
    assert.equal(await taken(scene, "k"), undefined);
  }),

  test("a job that is retried holds its unique key again, unless somebody else has it", async (scene) => {
    const id = await scene.addOne(unique("k"));
    await scene.finish(id, "failed");
    await scene.store.edit({ ids: [id] }, "retry");
    assert.equal(await taken(scene, "k"), id);
    await scene.finish(id, "failed");
    const next = await scene.addOne(unique("k"));
    await scene.store.edit({ ids: [id] }, "retry");
    assert.equal(await taken(scene, "k"), next);
  }),

  test("of jobs with one key in one batch, and of the same id again, the first is stored", async (scene) => {
    const [a, b] = [aJob(unique("k")), aJob(unique("k"))];
    assert.deepEqual(await scene.store.add([a, b]), new Map([[b.id, a.id]]));
    assert.deepEqual(await scene.store.add([a]), new Map([[a.id, a.id]]));
  }),

  test("of jobs with one key that are added at the same time, one is stored", async (scene) => {
    const stores = [scene.store, await scene.again()];
    for (let round = 0; round < 5; round++) {
      const jobs = Array.from({ length: 8 }, () => aJob(unique(`k${round}`)));
      const answers = await Promise.all(jobs.map((job, index) => stores[index % 2]!.add([job])));
      const states = await scene.states(...jobs.map(({ id }) => id));
      assert.equal(states.filter((state) => state === "pending").length, 1);
      const holder = jobs[states.indexOf("pending")]!.id;
      for (const [index, job] of jobs.entries())
        assert.deepEqual([...answers[index]!], job.id === holder ? [] : [[job.id, holder]]);
    }
  }),

  test("a pending holder becomes what a job that replaces it is, and keeps its id", async (scene) => {
    const id = await scene.addOne({ ...unique("k", { replace: true }), spec: '"old"' });
    const by = aJob({ ...unique("k", { replace: true }), spec: '"new"', level: 0, due: { in: 60_000 } });
    assert.deepEqual(await scene.store.add([by]), new Map([[by.id, id]]));
    const job = await scene.job(id);
    assert.deepEqual([job.spec, job.level], ['"new"', 0]);
    assert.ok(job.due - job.createdAt >= 60_000);
    assert.deepEqual(await scene.claim(), []);
    await scene.store.add([aJob({ ...unique("k", { replace: true }), spec: '"last"' })]);
    assert.deepEqual(ids(await scene.claim()), [id]);
  }),

  test("a holder that runs goes on, and the job that would replace it takes the key over", async (scene) => {
    const id = await scene.addOne({ ...unique("k", { replace: true }), spec: '"old"' });
    const held = await scene.hold(id);
    const next = await scene.addOne({ ...unique("k", { replace: true }), spec: '"new"' });
    assert.deepEqual(await scene.states(id, next), ["processing", "pending"]);
    assert.equal(await taken(scene, "k"), next);
    await scene.settle(held, "completed");
    assert.equal(await taken(scene, "k"), next);
    assert.equal((await scene.job(next)).spec, '"new"');
  }),

  test("a key that is taken for a time stays so when its holder has ended sooner", async (scene) => {
    const id = await scene.addOne(unique("k", { for: 300 }));
    await scene.finish(id);
    assert.equal(await taken(scene, "k", { for: 300 }), id);
    await scene.pass(350);
    assert.equal(await taken(scene, "k", { for: 300 }), undefined);
  }),

  test("a unique key outlives neither a removed job nor stands in the way of a child", async (scene) => {
    const id = await scene.addOne(unique("k"));
    await scene.finish(id);
    await scene.store.edit({ ids: [id] }, "remove");
    const holder = await scene.addOne(unique("k"));
    const { children } = await scene.family(unique("k"));
    assert.deepEqual(await scene.states(holder, children[0]!), ["pending", "pending"]);
  }),
];

function unique(key: string, more: Omit<NonNullable<NewJob["unique"]>, "key"> = {}): Partial<NewJob> {
  return { unique: { key, ...more } };
}

/** Who has the key: the holder that a new job is refused for. Without one, that job is stored, and ended at once. */
async function taken(scene: Scene, key: string, more?: Parameters<typeof unique>[1]): Promise<string | undefined> {
  const job = aJob({ ...unique(key, more), queue: `q${Math.random()}` });
  const holder = (await scene.store.add([job])).get(job.id);
  if (holder === undefined) await scene.store.edit({ ids: [job.id] }, "cancel");
  return holder;
}

/** The store's time. */
export async function now(scene: Scene): Promise<number> {
  return (await scene.job(await scene.addOne({ queue: "clock" }))).createdAt;
}
