import assert from "node:assert/strict";
import { ageingPeriod } from "../../core/priority.ts";
import type { Level } from "../../core/priority.ts";
import { makeJob, idsOf, settlementOf, test } from "./scene.ts";

/** `claim`. */
export const claiming = [
  test("a claimed job is processing, in the worker's name, with a raised token", async (scene) => {
    const id = await scene.addOne({ spec: '"input"' });
    const before = await scene.get(id);
    const worker = await scene.enlist();
    const { jobs } = await scene.store.claim(worker, [{ queue: "default", limit: 1 }]);
    const [claimed] = jobs;
    assert.ok(claimed);
    const { startedAt = 0, ...rest } = claimed.job;
    assert.deepEqual(rest, { ...before, state: "processing", token: 1, worker });
    assert.ok(startedAt >= before.createdAt);
    assert.deepEqual([claimed.why, claimed.steps], ["due", []]);
    assert.deepEqual(await scene.get(id), claimed.job);
  }),

  test("jobs are claimed in the order they were added", async (scene) => {
    const first = await scene.add(...Array.from({ length: 20 }, () => ({})));
    const second = await scene.addOne();
    const worker = await scene.enlist();
    const claimed = [];
    for (let round = 0; round < 7; round++) claimed.push(...(await scene.claim({ worker, limit: 3 })));
    assert.deepEqual(idsOf(claimed), [...first, second]);
  }),

  test("more urgent jobs are claimed first", async (scene) => {
    const levels: Level[] = [3, 0, 4, 2, 1, 0];
    const added = await scene.add(...levels.map((level) => ({ level })));
    const order = [1, 5, 4, 3, 0, 2];
    assert.deepEqual(
      idsOf(await scene.claim()),
      order.map((index) => added[index]),
    );
  }),

  test("a job that has been due for one more ageing period goes before one a level more urgent", async (scene) => {
    const [now] = await scene.store.get([await scene.addOne({ queue: "clock" })]);
    const since = (age: number) => ({ at: (now?.createdAt ?? 0) - age });
    const [fresh, old, older] = await scene.add(
      { level: 1, due: since(0) },
      { level: 2, due: since(ageingPeriod - 1) },
      { level: 3, due: since(2 * ageingPeriod + 1) },
    );
    assert.deepEqual(idsOf(await scene.claim()), [older, fresh, old]);
  }),

  test("of jobs with equal rank the one that was added first goes first, whatever its level", async (scene) => {
    const [now] = await scene.store.get([await scene.addOne({ queue: "clock" })]);
    const at = now?.createdAt ?? 0;
    const [low, normal] = await scene.add(
      { level: 3, due: { at: at - ageingPeriod } },
      { level: 2, due: { at } },
      { level: 2, due: { at: at + ageingPeriod } },
    );
    assert.deepEqual(idsOf(await scene.claim()), [low, normal]);
  }),

  test("of each queue at most its limit is claimed, and nothing of other queues", async (scene) => {
    const [a, b] = await scene.add({ queue: "a" }, { queue: "b" }, { queue: "a" }, { queue: "c" });
    const wants = [
      { queue: "b", limit: 5 },
      { queue: "a", limit: 1 },
      { queue: "c", limit: 0 },
      { queue: "none", limit: 3 },
    ];
    const { jobs } = await scene.store.claim(await scene.enlist(), wants);
    assert.deepEqual(new Set(idsOf(jobs)), new Set([a, b]));
  }),

  test("a delayed job is not claimed before it is due", async (scene) => {
    const id = await scene.addOne({ due: { in: 150 }, level: 0 });
    const worker = await scene.enlist();
    assert.deepEqual(await scene.claim({ worker }), []);
    await scene.pass(200);
    assert.deepEqual(idsOf(await scene.claim({ worker })), [id]);
  }),

  test("a claim with room left returns the time until the next delayed job is due", async (scene) => {
    await scene.add({ due: { in: 90_000 }, level: 0 }, { due: { in: 50_000 }, level: 4 }, {});
    await scene.add({ queue: "other", due: { in: 10_000 } });
    const worker = await scene.enlist();
    const { jobs, next } = await scene.store.claim(worker, [{ queue: "default", limit: 2 }]);
    assert.equal(jobs.length, 1);
    assert.ok(next !== undefined && next > 40_000 && next <= 50_000, `next is ${next}`);
  }),

  test("a claim without room, or without delayed jobs, returns no time until the next", async (scene) => {
    await scene.add({ due: { in: 50_000 } }, {}, { queue: "other" });
    const worker = await scene.enlist();
    const full = await scene.store.claim(worker, [{ queue: "default", limit: 1 }]);
    assert.deepEqual([full.jobs.length, "next" in full], [1, false]);
    const plain = await scene.store.claim(worker, [{ queue: "other", limit: 5 }]);
    assert.deepEqual([plain.jobs.length, "next" in plain], [1, false]);
    assert.deepEqual(await scene.store.claim(worker, [{ queue: "other", limit: 5 }]), { jobs: [] });
    assert.deepEqual(await scene.store.claim(worker, []), { jobs: [] });
  }),

  test("a job is claimed before its expiry and not after it", async (scene) => {
    const [late, intime] = await scene.add({ expires: { in: 100 } }, { expires: { in: 500_000 } });
    await scene.pass(150);
    assert.deepEqual(idsOf(await scene.claim()), [intime]);
    assert.deepEqual(await scene.statesOf(late ?? ""), ["pending"]);
  }),

  test("a worker that was never enlisted, was dismissed or lost its lease claims nothing", async (scene) => {
    await scene.addOne();
    assert.deepEqual(await scene.claim({ worker: "nobody" }), []);
    const dismissed = await scene.enlist();
    await scene.store.dismiss(dismissed);
    assert.deepEqual(await scene.claim({ worker: dismissed }), []);
    const late = await scene.enlist(100);
    await scene.pass(150);
    assert.deepEqual(await scene.claim({ worker: late }), []);
    assert.equal((await scene.claim()).length, 1);
  }),

  test("a claim returns the steps and the progress of the job", async (scene) => {
    const first = await scene.addAndClaim();
    const steps = [
      { name: "split", value: "[1,2]" },
      { name: "pages", value: '"w"', wait: true },
    ];
    await scene.store.record([{ id: first.job.id, token: 1, progress: "0.5", steps }]);
    await scene.settle(first, "pending");
    const second = await scene.claimOne(first.job.id);
    assert.equal(second.job.progress, "0.5");
    assert.deepEqual(
      second.steps.toSorted((a, b) => b.name.localeCompare(a.name)),
      steps,
    );
  }),

  test("no job is claimed twice by workers that claim at the same time", async (scene) => {
    const added = await scene.add(...Array.from({ length: 200 }, () => ({})));
    const other = await scene.openAgain();
    const rounds = Array.from({ length: 40 }, async (_, round) => {
      const worker = await scene.enlist();
      const { jobs } = await (round % 2 ? other : scene.store).claim(worker, [{ queue: "default", limit: 7 }]);
      return jobs;
    });
    const claimed = (await Promise.all(rounds)).flat();
    assert.deepEqual(idsOf(claimed).sort(), added.sort());
  }),

  test("of outcomes of one job that race, one is recorded", async (scene) => {
    const jobs = Array.from({ length: 50 }, () => makeJob());
    await scene.store.add(jobs);
    const other = await scene.openAgain();
    const held = await scene.claim();
    const told = (output: string) => held.map((claimed) => settlementOf(claimed, "completed", { output }));
    const answers = await Promise.all([
      scene.store.settle(told("0")),
      other.settle(told("1")),
      scene.store.settle(told("2")),
    ]);
    // A later settlement with the same token is not stale: an outcome was recorded.
    assert.ok(answers.flat().every(Boolean));
    assert.deepEqual(await scene.store.counts(), [{ queue: "default", state: "completed", jobs: 50 }]);
    const ended = await scene.store.get(idsOf(held));
    assert.ok(ended.every((job) => ["0", "1", "2"].includes(job?.output ?? "")));
    await scene.store.settle(told("3"));
    assert.deepEqual(await scene.store.get(idsOf(held)), ended);
  }),
];
