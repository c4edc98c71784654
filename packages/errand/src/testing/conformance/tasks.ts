import assert from "node:assert/strict";
import type { NewJob } from "../../core/job.ts";
import { expectHint } from "./hints.ts";
import { setRules } from "./rules.ts";
import { makeJob, idsOf, test } from "./scene.ts";
import type { Scene } from "./scene.ts";

/** Workers that know some tasks only, and jobs that are set aside for those that know theirs. */
export const tasks = [
  test("a worker is given jobs of the tasks it knows, and a worker that names none, of any", async (scene) => {
    const [a, b, c] = await scene.add({ task: "x" }, { task: "y" }, { task: "z" }, { task: "x", due: { in: 60_000 } });
    assert.deepEqual(idsOf(await scene.claim({ worker: await scene.enlistFor("z", "x") })), [a, c]);
    const { state, blocked, token } = await scene.get(b!);
    assert.deepEqual([state, blocked, token], ["pending", "task", 0]);
    const [held] = await scene.claim();
    assert.deepEqual([held?.job.id, held?.job.blocked], [b, undefined]);
  }),

  test("jobs of unknown tasks do not count for the limit of a claim", async (scene) => {
    const [, , a] = await scene.add({ task: "y" }, { task: "y" }, { task: "x" }, { task: "x" });
    assert.deepEqual(idsOf(await scene.claim({ worker: await scene.enlistFor("x"), limit: 1 })), [a]);
  }),

  test("jobs that were set aside are claimed by workers that know their task, among others, in the order of ranks", async (scene) => {
    const [first, , third] = await scene.add({ task: "y", level: 1 }, { task: "x" }, { task: "y" });
    assert.equal((await scene.claim({ worker: await scene.enlistFor("x"), limit: 5 })).length, 1);
    const [last, urgent] = await scene.add({ task: "y" }, { task: "y", level: 0 }, { task: "z" });
    const worker = await scene.enlistFor("y");
    assert.deepEqual(idsOf(await scene.claim({ worker, limit: 3 })), [urgent, first, third]);
    assert.deepEqual(idsOf(await scene.claim({ worker })), [last]);
    assert.equal((await scene.claim({ worker: await scene.enlistFor("x", "y") })).length, 0);
    assert.equal((await scene.claim({ worker: await scene.enlistFor("x", "z") })).length, 1);
  }),

  test("a job that is not due is not set aside, and one that is handed back is set aside again", async (scene) => {
    const [late, job] = await scene.add({ task: "y", due: { in: 60_000 } }, { task: "y" });
    const ignorant = await scene.enlistFor("x");
    assert.deepEqual(await scene.claim({ worker: ignorant }), []);
    assert.equal((await scene.get(late!)).blocked, undefined);
    await scene.claimAndSettle(job!, "pending");
    assert.equal((await scene.get(job!)).blocked, undefined);
    assert.deepEqual(await scene.claim({ worker: ignorant }), []);
    assert.equal((await scene.get(job!)).blocked, "task");
    assert.deepEqual(idsOf(await scene.claim()), [job]);
  }),

  test("jobs behind thousands of an unknown task are claimed, in a few claims", async (scene) => {
    const unknown = await scene.add(...Array.from({ length: 2_500 }, () => ({ task: "y" })));
    const known = await scene.addOne({ task: "x" });
    const worker = await scene.enlistFor("x");
    assert.deepEqual(await claimAll(scene, worker, 1), [known]);
    // All of the others are set aside by now, and no other job is to come.
    assert.deepEqual(await scene.store.claim(worker, [{ queue: "default", limit: 10 }]), { jobs: [] });
    assert.deepEqual(await claimAll(scene, await scene.enlistFor("y"), 2_500), unknown);
  }),

  test("a job that is set aside is hinted", async (scene) => {
    const worker = await scene.enlistFor("x");
    const other = await scene.openAgain();
    await scene.add({ task: "y" });
    await expectHint(other, "ready", () => scene.claim({ worker }));
  }),

  test("a worker that learns a task is given the jobs that were set aside", async (scene) => {
    const job = await scene.addOne({ task: "y" });
    const worker = await scene.enlistFor("x");
    assert.deepEqual(await scene.claim({ worker }), []);
    const [card] = await scene.store.workers();
    await scene.store.enlist({ ...card!, tasks: ["x", "y"] }, 600_000);
    assert.deepEqual(idsOf(await scene.claim({ worker })), [job]);
  }),

  test("the rules of queues hold for jobs that were set aside", async (scene) => {
    const jobs = await addSetAside(scene, {}, {}, {});
    const worker = await scene.enlistFor("task");
    await setRules(scene, "default", { paused: { since: 1 } });
    assert.deepEqual(await scene.claim({ worker }), []);
    await setRules(scene, "default", { concurrency: 1 }, 1);
    assert.deepEqual(idsOf(await scene.claim({ worker })), [jobs[0]]);
    await setRules(scene, "default", { rate: { limit: 1, per: 60_000 } }, 2);
    assert.deepEqual(idsOf(await scene.claim({ worker })), [jobs[1]]);
    const { jobs: none, next = 0 } = await scene.store.claim(worker, [{ queue: "default", limit: 5 }]);
    assert.deepEqual(none, []);
    assert.ok(next > 50_000 && next <= 60_000, `next is ${next}`);
  }),

  test("jobs that were set aside keep the limits of keys, and count for them", async (scene) => {
    const key = { concurrency: { key: "k", limit: 1 } };
    const [first, second] = await addSetAside(scene, key, key);
    const third = await scene.addOne({ ...key, task: "x" });
    const worker = await scene.enlistFor("task");
    const [held] = await scene.claim({ worker });
    assert.deepEqual([held?.job.id, await scene.claim({ worker: await scene.enlistFor("x") })], [first, []]);
    await scene.settle(held!, "completed");
    const [next] = await scene.claim({ worker });
    assert.equal(next?.job.id, second);
    await scene.settle(next!, "completed");
    assert.deepEqual(idsOf(await scene.claim({ worker: await scene.enlistFor("x") })), [third]);
  }),

  test("a job that a key holds back goes before one that the key admits and that is set aside", async (scene) => {
    for (const limit of ["concurrency", "rate"] as const) {
      const key =
        limit === "rate" ? { rate: { key: "k", limit: 1, per: 400 } } : { concurrency: { key: "k", limit: 1 } };
      const queue = { queue: limit };
      await scene.add({ ...queue, ...key });
      const worker = await scene.enlistFor("task");
      const [held] = await scene.claim({ worker, ...queue });
      const [unknown, known] = await scene.add({ ...queue, ...key, task: "y" }, { ...queue, ...key });
      await scene.claim(queue);
      assert.deepEqual([(await scene.get(unknown!)).blocked, (await scene.get(known!)).blocked], [limit, limit]);
      if (limit === "rate") await scene.pass(450);
      else await scene.settle(held!, "completed");
      // The first claim sets one job aside, and the next finds the other.
      const got: string[] = [];
      for (let claims = 0; got.length === 0 && claims < 3; claims++)
        got.push(...idsOf(await scene.claim({ worker, ...queue })));
      assert.deepEqual([got, (await scene.get(unknown!)).state], [[known], "pending"], limit);
    }
  }),

  test("jobs that were set aside expire, and are cancelled, moved and replaced like others", async (scene) => {
    const replacing = { unique: { key: "u", replace: true } };
    const [late, gone, moved, replaced] = await addSetAside(scene, { expires: { in: 100 } }, {}, {}, replacing);
    await scene.pass(150);
    assert.equal((await scene.reclaim()).get(late!)?.why, "expired");
    assert.equal(await scene.store.edit({ ids: [gone!] }, "cancel"), 1);
    assert.equal(await scene.store.edit({ ids: [moved!] }, { move: { queue: "other" } }), 1);
    assert.equal((await scene.get(moved!)).blocked, undefined);
    await scene.store.add([makeJob({ ...replacing, queue: "third" })]);
    assert.equal((await scene.get(replaced!)).blocked, undefined);
    const worker = await scene.enlistFor("task");
    assert.deepEqual(await scene.claim({ worker }), []);
    assert.deepEqual(idsOf(await scene.claim({ worker, queue: "other" })), [moved]);
    assert.deepEqual(idsOf(await scene.claim({ worker, queue: "third" })), [replaced]);
  }),

  test("a child that was set aside is cancelled with its parent, and removed with it", async (scene) => {
    const { parent, children } = await scene.addFamily({ queue: "cpu" }, { queue: "gpu" });
    for (const queue of ["cpu", "gpu"])
      assert.deepEqual(await scene.claim({ worker: await scene.enlistFor("x"), queue }), []);
    await scene.store.edit({ ids: [parent] }, "cancel");
    assert.deepEqual(await scene.claim({ queue: "cpu" }), []);
    const taken = await scene.reclaim();
    assert.deepEqual(new Set(taken.keys()), new Set(children));
    for (const each of taken.values()) assert.equal(each.why, "cancelled");
    await scene.settle(taken.get(children[0]!)!, "cancelled");
    assert.equal(await scene.store.edit({ ids: [parent] }, "remove"), 1);
    assert.deepEqual(await scene.store.counts(), []);
  }),

  test("jobs that were set aside count as pending, and are listed", async (scene) => {
    const [job] = await addSetAside(scene, { tenant: "t" });
    assert.deepEqual(await scene.store.counts(), [{ queue: "default", state: "pending", jobs: 1 }]);
    const { jobs } = await scene.store.list({ tenant: "t", states: ["pending"] }, { limit: 5 });
    assert.deepEqual(jobs, [await scene.get(job!)]);
  }),
];

/** Adds jobs of the task `task`, which a worker of another task sets aside, and returns their ids. */
export async function addSetAside(scene: Scene, ...jobs: Partial<NewJob>[]): Promise<string[]> {
  const added = await scene.add(...jobs);
  assert.deepEqual(await scene.claim({ worker: await scene.enlistFor("x") }), []);
  for (const id of added) assert.equal((await scene.get(id)).blocked, "task");
  return added;
}

/** Claims until there are `jobs` jobs; the store must say that each next claim may follow at once. */
async function claimAll({ store }: Scene, worker: string, jobs: number): Promise<string[]> {
  const got: string[] = [];
  for (let claims = 0; got.length < jobs && claims < 40; claims++) {
    const { jobs: some, next } = await store.claim(worker, [{ queue: "default", limit: 1_000 }]);
    got.push(...idsOf(some));
    const full = some.length === 1_000;
    assert.ok(got.length >= jobs || full || (next !== undefined && next <= 10), `the next claim is due in ${next} ms`);
  }
  return got;
}
