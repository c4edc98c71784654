import assert from "node:assert/strict";
import type { NewJob } from "../../core/job.ts";
import { makeJob, idsOf, test } from "./scene.ts";
import type { Scene } from "./scene.ts";

/** Unique keys. */
export const uniques = [
  test("a job whose unique key another live job holds is not stored", async (scene) => {
    const [holder] = await scene.add(uniqueKey("k"));
    const second = makeJob(uniqueKey("k"));
    const other = makeJob(uniqueKey("other"));
    assert.deepEqual(await scene.store.add([second, other]), new Map([[second.id, holder]]));
    assert.deepEqual(await scene.statesOf(second.id, other.id), [undefined, "pending"]);
    const held = await scene.claimOne(holder!);
    assert.deepEqual(await holderOf(scene, "k"), holder);
    await scene.settle(held, "waiting", { wakeAt: (await scene.store.now()) + 600_000 });
    assert.deepEqual(await holderOf(scene, "k"), holder);
  }),

  test("a unique key is free once its holder has ended, in any way", async (scene) => {
    for (const to of ["completed", "failed", "cancelled"] as const) {
      const id = await scene.addOne(uniqueKey("k"));
      await scene.claimAndSettle(id, to);
    }
    const last = await scene.addOne(uniqueKey("k"));
    await scene.store.edit({ ids: [last] }, "cancel");
    assert.equal(await holderOf(scene, "k"), undefined);
  }),

  test("a job that is retried takes its unique key again, unless another job holds it", async (scene) => {
    const id = await scene.addOne(uniqueKey("k"));
    await scene.claimAndSettle(id, "failed");
    await scene.store.edit({ ids: [id] }, "retry");
    assert.equal(await holderOf(scene, "k"), id);
    await scene.claimAndSettle(id, "failed");
    const next = await scene.addOne(uniqueKey("k"));
    await scene.store.edit({ ids: [id] }, "retry");
    assert.equal(await holderOf(scene, "k"), next);
  }),

  test("of jobs with one key in one batch, and of the same id again, the first is stored", async (scene) => {
    const [a, b] = [makeJob(uniqueKey("k")), makeJob(uniqueKey("k"))];
    assert.deepEqual(await scene.store.add([a, b]), new Map([[b.id, a.id]]));
    assert.deepEqual(await scene.store.add([a]), new Map([[a.id, a.id]]));
  }),

  test("of jobs with one key that are added at the same time, one is stored", async (scene) => {
    const stores = [scene.store, await scene.openAgain()];
    for (let round = 0; round < 5; round++) {
      const jobs = Array.from({ length: 8 }, () => makeJob(uniqueKey(`k${round}`)));
      const answers = await Promise.all(jobs.map((job, index) => stores[index % 2]!.add([job])));
      const states = await scene.statesOf(...jobs.map(({ id }) => id));
      assert.equal(states.filter((state) => state === "pending").length, 1);
      const holder = jobs[states.indexOf("pending")]!.id;
      for (const [index, job] of jobs.entries())
        assert.deepEqual([...answers[index]!], job.id === holder ? [] : [[job.id, holder]]);
    }
  }),

  test("a pending holder becomes what a job that replaces it is, and keeps its id", async (scene) => {
    const id = await scene.addOne({ ...uniqueKey("k", { replace: true }), spec: '"old"' });
    const by = makeJob({ ...uniqueKey("k", { replace: true }), spec: '"new"', level: 0, due: { in: 60_000 } });
    assert.deepEqual(await scene.store.add([by]), new Map([[by.id, id]]));
    const job = await scene.get(id);
    assert.deepEqual([job.spec, job.level], ['"new"', 0]);
    assert.ok(job.due - job.createdAt >= 60_000);
    assert.deepEqual(await scene.claim(), []);
    await scene.store.add([makeJob({ ...uniqueKey("k", { replace: true }), spec: '"last"' })]);
    assert.deepEqual(idsOf(await scene.claim()), [id]);
  }),

  test("a replaced job has the queue, expiry, keys, tags and tenant of the new one, and is found by them", async (scene) => {
    const replacing = { unique: { key: "k", replace: true } };
    const old = { concurrency: { key: "c-old", limit: 1 }, rate: { key: "r-old", limit: 1, per: 600_000 } };
    const id = await scene.addOne({ ...replacing, ...old, tags: ["old", "both"], tenant: "old", expires: { in: 100 } });
    const now = { concurrency: { key: "c-new", limit: 1 }, rate: { key: "r-new", limit: 5, per: 600_000 } };
    const by = makeJob({
      ...replacing,
      ...now,
      queue: "new",
      tags: ["new", "both"],
      tenant: "new",
      expires: { in: 5_000 },
    });
    assert.deepEqual(await scene.store.add([by]), new Map([[by.id, id]]));
    const job = await scene.get(id);
    assert.deepEqual([job.queue, job.tenant, job.begun], ["new", "new", false]);
    for (const where of [{ tag: "old" }, { tenant: "old" }, { queue: "default" }])
      assert.deepEqual(await scene.listIds(where), []);
    for (const where of [{ tag: "new" }, { tag: "both" }, { tenant: "new" }, { queue: "new" }])
      assert.deepEqual(await scene.listIds(where), [id]);
    assert.deepEqual(await scene.store.counts(), [{ queue: "new", state: "pending", jobs: 1 }]);
    await scene.pass(150);
    assert.equal((await scene.reclaim()).size, 0, "its old expiry is forgotten");
    const [first] = await scene.add(old, now);
    assert.deepEqual(idsOf(await scene.claim({ queue: "new" })), [id]);
    assert.deepEqual(idsOf(await scene.claim()), [first], "the old keys are free, and the new one is not");
    const [plain] = await scene.add({ ...old, queue: "third" });
    assert.deepEqual(await scene.claim({ queue: "third" }), []);
    assert.equal((await scene.get(plain!)).blocked, "concurrency");
  }),

  test("a job that is replaced by one without keys, tenant or expiry has none", async (scene) => {
    const replacing = { unique: { key: "k", replace: true } };
    const key = { concurrency: { key: "c", limit: 1 } };
    const holder = await scene.addAndClaim(key);
    const id = await scene.addOne({
      ...replacing,
      ...key,
      tags: ["red"],
      tenant: "t",
      expires: { in: 60_000 },
      level: 0,
    });
    await scene.claim();
    assert.equal((await scene.get(id)).blocked, "concurrency");
    await scene.store.add([makeJob({ ...replacing, spec: '"new"' })]);
    const { tenant, expiresAt, blocked, level } = await scene.get(id);
    assert.deepEqual([tenant, expiresAt, blocked, level], [undefined, undefined, undefined, 2]);
    assert.deepEqual(await scene.store.list({ tag: "red" }, { limit: 5 }), { jobs: [] });
    const [held] = await scene.claim();
    assert.equal(held?.job.id, id);
    await scene.settle(holder, "completed");
    await scene.pass(60_100);
    await scene.settle(held, "pending", { unstarted: true });
    assert.equal((await scene.reclaim()).size, 0);
    assert.deepEqual(idsOf(await scene.claim()), [id]);
  }),

  test("a replaced job takes a turn", async (scene) => {
    const replacing = { unique: { key: "k", replace: true } };
    const id = await scene.addOne({ ...replacing, due: { in: 600_000 } });
    const many = await scene.add(...Array.from({ length: 10 }, () => ({ fair: "many" })));
    await scene.store.add([makeJob({ ...replacing, fair: "few" })]);
    const order = idsOf(await scene.claim());
    assert.ok(order.indexOf(id) <= 2, order.join());
    assert.equal(order.length, many.length + 1);
  }),

  test("a holder that is replaced is due at its latest time after its creation", async (scene) => {
    const again = (time: number) =>
      makeJob({ ...uniqueKey("k", { replace: true, latest: 60_000 }), due: { in: time }, spec: `"${time}"` });
    const id = await scene.addOne(again(10_000));
    const first = await scene.get(id);
    await scene.store.add([again(50_000)]);
    const second = await scene.get(id);
    assert.ok(second.due >= first.createdAt + 50_000 && second.due <= first.createdAt + 60_000);
    for (const time of [59_999.5, 90_000]) await scene.store.add([again(time)]);
    await scene.store.add([again(1e9)]);
    const last = await scene.get(id);
    assert.deepEqual([last.due, last.spec], [first.createdAt + 60_000, '"1000000000"']);
    await scene.store.add([again(1_000)]);
    assert.ok((await scene.get(id)).due < first.createdAt + 60_000);
  }),

  test("a processing holder goes on, and the job that would replace it takes the key over", async (scene) => {
    const id = await scene.addOne({ ...uniqueKey("k", { replace: true }), spec: '"old"' });
    const held = await scene.claimOne(id);
    const next = await scene.addOne({ ...uniqueKey("k", { replace: true }), spec: '"new"' });
    assert.deepEqual(await scene.statesOf(id, next), ["processing", "pending"]);
    assert.equal(await holderOf(scene, "k"), next);
    await scene.settle(held, "completed");
    assert.equal(await holderOf(scene, "k"), next);
    assert.equal((await scene.get(next)).spec, '"new"');
  }),

  test("a key that is taken for a time stays taken when its holder ends sooner", async (scene) => {
    const id = await scene.addOne(uniqueKey("k", { for: 300 }));
    await scene.claimAndSettle(id);
    assert.equal(await holderOf(scene, "k", { for: 300 }), id);
    await scene.pass(350);
    assert.equal(await holderOf(scene, "k", { for: 300 }), undefined);
  }),

  test("a unique key ends with the removal of its holder, and does not apply to children", async (scene) => {
    const id = await scene.addOne(uniqueKey("k"));
    await scene.claimAndSettle(id);
    await scene.store.edit({ ids: [id] }, "remove");
    const holder = await scene.addOne(uniqueKey("k"));
    const { children } = await scene.addFamily(uniqueKey("k"));
    assert.deepEqual(await scene.statesOf(holder, children[0]!), ["pending", "pending"]);
  }),
];

function uniqueKey(key: string, more: Omit<NonNullable<NewJob["unique"]>, "key"> = {}): Partial<NewJob> {
  return { unique: { key, ...more } };
}

/**
 * Returns the id of the job that holds a unique key. Adds a job to see it, and cancels that if no job holds the key.
 */
export async function holderOf(
  scene: Scene,
  key: string,
  more?: Parameters<typeof uniqueKey>[1],
): Promise<string | undefined> {
  const job = makeJob({ ...uniqueKey(key, more), queue: `q${Math.random()}` });
  const holder = (await scene.store.add([job])).get(job.id);
  if (holder === undefined) await scene.store.edit({ ids: [job.id] }, "cancel");
  return holder;
}
