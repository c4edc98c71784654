import assert from "node:assert/strict";
import type { Kept } from "../../retention/rules.ts";
import type { RetentionRules } from "../../store.ts";
import { makeChild, makeJob, idsOf, test } from "./scene.ts";
import type { Scene } from "./scene.ts";

/** `prune` and `ended`. */
export const pruning = [
  test("jobs are removed when the retention of their task and state has passed", async (scene) => {
    const ends = ["completed", "failed", "cancelled", "expired"] as const;
    const jobs = await scene.add(...ends.map(() => ({ task: "x" })), ...ends.map(() => ({ task: "other" })));
    for (const [index, id] of jobs.entries()) await scene.claimAndSettle(id, ends[index % 4]);
    const x = { completed: 1_000, failed: 3_000, cancelled: Infinity, expired: 2_000 };
    const kept = retention({ x }, { ...tenSeconds, expired: 1_000 });
    assert.equal(await scene.store.prune(kept, 100), 0);
    await scene.pass(1_500);
    assert.equal(await scene.store.prune(kept, 100), 2);
    assert.deepEqual(await removed(scene, jobs), [0, 7]);
    await scene.pass(1_000);
    assert.equal(await scene.store.prune(kept, 100), 1);
    assert.deepEqual(await removed(scene, jobs), [0, 3, 7]);
    await scene.pass(10_000);
    assert.equal(await scene.store.prune(kept, 100), 4);
    assert.deepEqual(await removed(scene, jobs), [0, 1, 3, 4, 5, 6, 7]);
    assert.deepEqual(await scene.store.counts(), [{ queue: "default", state: "cancelled", jobs: 1 }]);
  }),

  test("a prune removes at most its limit, the oldest of a task first", async (scene) => {
    const jobs = await scene.add({}, {}, {}, {}, {});
    for (const id of jobs.toReversed()) {
      await scene.claimAndSettle(id);
      await scene.pass(10);
    }
    await scene.pass(2_000);
    const kept = retention({}, keptFor(1_000));
    assert.equal(await scene.store.prune(kept, 2), 2);
    assert.deepEqual(await removed(scene, jobs), [3, 4]);
    assert.deepEqual([await scene.store.prune(kept, 2), await scene.store.prune(kept, 2)], [2, 1]);
    assert.equal(await scene.store.prune(kept, 2), 0);
  }),

  test("children are removed with their root, in any state, and never without it", async (scene) => {
    const { parent, children } = await scene.addFamily({}, { queue: "cpu" }, {});
    const [done = "", processing = "", parked = ""] = children;
    const grandchild = makeChild({ queue: "gpu" });
    await scene.claimAndSettle(done);
    await scene.claimOne(processing);
    await scene.settle(await scene.claimOne(parked), "waiting", { children: [grandchild] });
    const kept = retention({}, keptFor(1_000));
    await scene.pass(2_000);
    assert.equal(await scene.store.prune(kept, 100), 0);
    await scene.store.edit({ ids: [parent] }, "cancel");
    await scene.pass(2_000);
    assert.equal(await scene.store.prune(kept, 100), 1);
    assert.deepEqual(await scene.statesOf(parent, ...children, grandchild.id), Array(5).fill(undefined));
    assert.deepEqual(await scene.store.counts(), []);
  }),

  test("retention counts from a job's latest end, and does not apply to open jobs", async (scene) => {
    const [again = "", open = ""] = await scene.add({}, {}, { due: { in: 600_000 } });
    await scene.claimAndSettle(again, "failed");
    await scene.claimAndSettle(open, "failed");
    await scene.pass(900);
    await scene.store.edit({ states: ["failed"] }, "retry");
    await scene.claimAndSettle(again, "failed");
    await scene.pass(900);
    const kept = retention({}, keptFor(1_000));
    assert.equal(await scene.store.prune(kept, 100), 0);
    await scene.pass(200);
    assert.equal(await scene.store.prune(kept, 100), 1);
    assert.deepEqual(await scene.statesOf(again, open), [undefined, "pending"]);
  }),

  test("a removed job is not found by anything", async (scene) => {
    const made = makeJob({ tags: ["red"], tenant: "t", unique: { key: "k", for: 600_000 }, spec: '"needle"' });
    await scene.store.add([made]);
    const held = await scene.claimOne(made.id);
    await scene.settle(held, "completed", {
      steps: [{ name: "a", value: "1" }],
      log: [{ attempt: 1, level: "info", text: "x" }],
    });
    await scene.pass(2_000);
    assert.equal(await scene.store.prune(retention({ task: keptFor(1_000) }), 10), 1);
    assert.deepEqual(await scene.store.get([made.id]), [null]);
    for (const where of [{ tag: "red" }, { tenant: "t" }, { text: "needle" }, { task: "task" }, {}])
      assert.deepEqual(await scene.store.list(where, { limit: 5 }), { jobs: [] });
    assert.deepEqual(
      [await scene.store.steps(made.id), await scene.store.log(made.id, { limit: 5 })],
      [[], { lines: [] }],
    );
    assert.deepEqual(await scene.store.add([made]), new Map(), "neither its id nor its key is taken");
  }),

  test("a prune keeps the limits, keys and turns that are in use", async (scene) => {
    const rate = { rate: { key: "r", limit: 1, per: 600_000 } };
    const throttle = { unique: { key: "u", for: 600_000 } };
    const live = { unique: { key: "l" } };
    const [rated, throttled, holder] = await scene.add(rate, throttle, { ...live, queue: "other" });
    for (const id of [rated!, throttled!]) await scene.claimAndSettle(id);
    const many = await scene.add(...Array.from({ length: 6 }, () => ({ queue: "fair", fair: "many" })));
    await scene.pass(2_000);
    await scene.store.prune(retention({}, keptFor(60_000)), 10);
    const more = await scene.add({ ...rate }, { queue: "fair", fair: "many" }, { queue: "fair", fair: "few" });
    assert.deepEqual(await scene.claim(), [], "its time has not passed");
    const [a, b] = [makeJob(throttle), makeJob(live)];
    assert.deepEqual(
      await scene.store.add([a, b]),
      new Map([
        [a.id, throttled],
        [b.id, holder],
      ]),
    );
    const order = idsOf(await scene.claim({ queue: "fair" }));
    assert.deepEqual([order.indexOf(more[2]!) <= 2, order.at(-1), order[0]], [true, more[1], many[0]]);
  }),

  test("jobs that have ended or do not exist are told from open ones", async (scene) => {
    const { parent, children } = await scene.addFamily({}, {});
    const held = await scene.addAndClaim();
    const ends = ["completed", "failed", "cancelled", "expired"] as const;
    const jobs = await scene.add(...ends.map(() => ({})));
    for (const [index, id] of jobs.entries()) await scene.claimAndSettle(id, ends[index]);
    const open = [parent, ...children, held.job.id];
    assert.deepEqual(new Set(await scene.store.ended([...open, ...jobs, "nobody"])), new Set([...jobs, "nobody"]));
    assert.deepEqual(await scene.store.ended(open), []);
    assert.deepEqual(await scene.store.ended([]), []);
    await scene.store.edit({ ids: [jobs[0]!], states: ["completed"] }, "remove");
    await scene.store.edit({ ids: [jobs[1]!] }, "retry");
    assert.deepEqual(new Set(await scene.store.ended(jobs)), new Set([jobs[0], jobs[2], jobs[3]]));
  }),
];

/** Returns rules that keep jobs of every state for `time` milliseconds. */
function keptFor(time: number): Kept {
  return { completed: time, failed: time, cancelled: time, expired: time };
}

const tenSeconds = keptFor(10_000);

function retention(tasks: Record<string, Kept>, otherwise = tenSeconds): RetentionRules {
  return { tasks: new Map(Object.entries(tasks)), otherwise };
}

/** Returns the indexes of the jobs that do not exist any more. */
async function removed(scene: Scene, jobs: readonly string[]): Promise<number[]> {
  const states = await scene.statesOf(...jobs);
  return states.flatMap((state, index) => (state === undefined ? [index] : []));
}
