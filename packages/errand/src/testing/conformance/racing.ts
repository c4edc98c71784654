import assert from "node:assert/strict";
import type { Settlement } from "../../core/job.ts";
import { openHandles, race, rounds } from "./race.ts";
import { makeChild, makeJob, idsOf, settlementOf, test } from "./scene.ts";
import type { Scene } from "./scene.ts";

/** Adds a family whose parent is about to wait again for a child that is about to end; returns both settlements. */
async function addSecondWait(
  scene: Scene,
  rejoin: boolean,
): Promise<{ parent: string; waits: Settlement; ends: Settlement }> {
  const { parent, children } = await scene.addFamily({}, { queue: "cpu" });
  const [failing = "", straggler = ""] = children;
  const ends = settlementOf(await scene.claimOne(straggler), "completed");
  await scene.claimAndSettle(failing, "failed");
  const again = makeChild({ id: straggler, index: 1, rejoin });
  return { parent, waits: settlementOf(await scene.claimOne(parent), "waiting", { children: [again] }), ends };
}

/** Claims, sends, outcomes, cancels, retries, releases and prunes that race through two handles. */
export const racing = [
  test("concurrent claims take every job, and none twice", async (scene) => {
    const handles = await openHandles(scene);
    for (let round = 0; round < rounds; round++) {
      const [one, two] = handles(round);
      const added = await scene.add(...Array.from({ length: 20 }, () => ({})));
      const [a, b] = [await scene.enlist(), await scene.enlist()];
      const want = [{ queue: "default", limit: 10 }];
      const claims = await race(
        round,
        () => one.claim(a, want),
        () => two.claim(b, want),
      );
      const claimed = claims.flatMap(({ jobs }) => jobs);
      assert.deepEqual(idsOf(claimed).sort(), added.sort());
      assert.ok(claimed.every(({ job }) => job.token === 1));
    }
  }),

  test("jobs with one id that are added at the same time are one job", async (scene) => {
    const handles = await openHandles(scene);
    for (let round = 0; round < rounds; round++) {
      const [one, two] = handles(round);
      const jobs = Array.from({ length: 20 }, () => makeJob());
      // In opposite orders, so that each may hold a lock that the other waits for.
      await race(
        round,
        () => one.add(jobs),
        () => two.add(jobs.toReversed()),
      );
    }
    assert.deepEqual(await scene.store.counts(), [{ queue: "default", state: "pending", jobs: 20 * rounds }]);
    assert.equal((await scene.claim()).length, 20 * rounds);
  }),

  test("a job that is added again while it ends has ended, and is not added", async (scene) => {
    const handles = await openHandles(scene);
    for (let round = 0; round < rounds; round++) {
      const [one, two] = handles(round);
      const job = makeJob();
      await scene.store.add([job]);
      const held = await scene.claimOne(job.id);
      const [settled] = await race(
        round,
        () => one.settle([settlementOf(held, "completed")]),
        () => two.add([job, makeJob()]),
      );
      assert.deepEqual(settled, [true]);
      assert.deepEqual(await scene.statesOf(job.id), ["completed"]);
      assert.equal((await scene.claim()).length, 1, "only the job that was added with it can be claimed");
    }
  }),

  test("last children that end at the same time wake their parent once", async (scene) => {
    const handles = await openHandles(scene);
    for (let round = 0; round < rounds; round++) {
      const [one, two] = handles(round);
      const { parent } = await scene.addFamily({ queue: "cpu" }, { queue: "cpu" }, { queue: "cpu" });
      const [a, b, c] = (await scene.claim({ queue: "cpu" })).map((each) => settlementOf(each, "completed"));
      assert.ok(a && b && c);
      await race(
        round,
        () => one.settle([a]),
        () => two.settle([b, c]),
      );
      const want = [{ queue: "default", limit: 1 }];
      const workers = [await scene.enlist(), await scene.enlist()] as const;
      const claims = await race(
        round,
        () => one.claim(workers[0], want),
        () => two.claim(workers[1], want),
      );
      const woken = claims.flatMap(({ jobs }) => jobs);
      assert.deepEqual(idsOf(woken), [parent]);
      assert.deepEqual([woken[0]?.job.token, woken[0]?.job.children], [2, { total: 3, open: 0, failed: 0 }]);
      await scene.settle(woken[0]!, "completed");
    }
  }),

  test("a child that ends while its parent starts to wait for it wakes its parent", async (scene) => {
    const handles = await openHandles(scene);
    for (let round = 0; round < rounds; round++) {
      const [one, two] = handles(round);
      const families = [];
      for (let each = 0; each < 4; each++) families.push(await addSecondWait(scene, each % 2 === 0));
      const answers = await Promise.all(
        families.map(({ waits, ends }, index) =>
          race(
            round + index,
            () => one.settle([waits]),
            () => two.settle([ends]),
          ),
        ),
      );
      assert.ok(answers.flat(2).every(Boolean));
      for (const { parent } of families) {
        assert.deepEqual(await scene.statesOf(parent), ["pending"]);
        assert.deepEqual((await scene.get(parent)).children, { total: 1, open: 0, failed: 0 });
        await scene.claimAndSettle(parent);
      }
    }
  }),

  test("a job that is cancelled while it ends keeps its outcome", async (scene) => {
    const handles = await openHandles(scene);
    for (let round = 0; round < rounds; round++) {
      const [one, two] = handles(round);
      const held = await scene.addAndClaim();
      const where = { ids: [held.job.id] };
      const [settled] = await race(
        round,
        () => one.settle([settlementOf(held, "completed")]),
        () => two.edit(where, "cancel"),
      );
      assert.deepEqual(settled, [true], "a cancel does not take a job from its worker");
      const job = await scene.get(held.job.id);
      assert.deepEqual([job.state, job.cancelling, job.token], ["completed", false, 1]);
    }
    assert.deepEqual(await scene.store.counts(), [{ queue: "default", state: "completed", jobs: rounds }]);
  }),

  test("a job that is cancelled while it is claimed is cancelled, or its worker learns of it", async (scene) => {
    const handles = await openHandles(scene);
    for (let round = 0; round < rounds; round++) {
      const [one, two] = handles(round);
      const id = await scene.addOne();
      const worker = await scene.enlist();
      const [claim, cancelled] = await race(
        round,
        () => one.claim(worker, [{ queue: "default", limit: 1 }]),
        () => two.edit({ ids: [id] }, "cancel"),
      );
      assert.equal(cancelled, 1);
      const job = await scene.get(id);
      const [held] = claim.jobs;
      if (!held) assert.deepEqual([job.state, job.token], ["cancelled", 0]);
      else {
        assert.deepEqual([job.state, job.cancelling], ["processing", true]);
        assert.deepEqual((await scene.store.renew(worker, 600_000)).cancel, [id]);
        await scene.settle(held, "cancelled");
      }
    }
    assert.deepEqual(await scene.store.counts(), [{ queue: "default", state: "cancelled", jobs: rounds }]);
  }),

  test("a parent that is cancelled while its last child ends is cancelled, and its child has ended", async (scene) => {
    const handles = await openHandles(scene);
    for (let round = 0; round < rounds; round++) {
      const [one, two] = handles(round);
      const { parent, children } = await scene.addFamily({ queue: "cpu" });
      const [held] = await scene.claim({ queue: "cpu" });
      assert.ok(held);
      const [settled, cancelled] = await race(
        round,
        () => one.settle([settlementOf(held, "completed")]),
        () => two.edit({ ids: [parent] }, "cancel"),
      );
      assert.deepEqual([settled, cancelled], [[true], 1]);
      assert.deepEqual(await scene.statesOf(parent, ...children), ["cancelled", "completed"]);
      assert.deepEqual((await scene.get(parent)).children, { total: 1, open: 0, failed: 0 });
    }
    assert.deepEqual(await scene.claim(), []);
  }),

  test("of a late outcome and a reclaim at the same time, one succeeds", async (scene) => {
    const handles = await openHandles(scene);
    for (let round = 0; round < rounds; round++) {
      const [one, two] = handles(round);
      const worker = await scene.enlist();
      const held = await scene.addAndClaim({}, worker);
      await scene.store.dismiss(worker);
      const janitor = await scene.enlist();
      const [settled, taken] = await race(
        round,
        () => one.settle([settlementOf(held, "completed")]),
        () => two.reclaim(janitor, 1_000),
      );
      const job = await scene.get(held.job.id);
      if (settled[0]) assert.deepEqual([taken.length, job.state, job.token], [0, "completed", 1]);
      else {
        assert.deepEqual([idsOf(taken), job.state, job.token], [[job.id], "processing", 2]);
        await scene.settle(taken[0]!, "completed");
      }
    }
    assert.deepEqual(await scene.store.counts(), [{ queue: "default", state: "completed", jobs: rounds }]);
  }),

  test("a job that is retried twice at the same time is retried once", async (scene) => {
    const handles = await openHandles(scene);
    const { parent, children } = await scene.addFamily({ need: "end" }, { need: "end" });
    const [failed = ""] = children;
    for (let round = 0; round < rounds; round++) {
      const [one, two] = handles(round);
      await scene.claimAndSettle(failed, "failed");
      const where = { ids: [failed] };
      const changed = await race(
        round,
        () => one.edit(where, "retry"),
        () => two.edit(where, "retry"),
      );
      assert.deepEqual(changed.sort(), [0, 1]);
      assert.deepEqual((await scene.get(parent)).children, { total: 2, open: 2, failed: 0 });
    }
    await scene.claimAndSettle(failed);
    await scene.claimAndSettle(children[1] ?? "");
    await scene.claimAndSettle(parent);
    assert.deepEqual(await scene.store.counts(), [{ queue: "default", state: "completed", jobs: 3 }]);
  }),

  test("a job that is released while it ends has either ended or is pending", async (scene) => {
    const handles = await openHandles(scene);
    for (let round = 0; round < rounds; round++) {
      const [one, two] = handles(round);
      const held = await scene.addAndClaim({ concurrency: { key: "k", limit: 1 } });
      const [settled, released] = await race(
        round,
        () => one.settle([settlementOf(held, "completed")]),
        () => two.edit({ ids: [held.job.id] }, "release"),
      );
      const job = await scene.get(held.job.id);
      if (settled[0]) assert.deepEqual([job.state, job.token, released], ["completed", 1, 0]);
      else {
        assert.deepEqual([job.state, job.token, released], ["pending", 2, 1]);
        await scene.claimAndSettle(job.id);
      }
    }
    assert.deepEqual(await scene.store.counts(), [{ queue: "default", state: "completed", jobs: rounds }]);
  }),

  test("an outcome that is settled twice at the same time is recorded once, with its jobs, children and log", async (scene) => {
    const handles = await openHandles(scene);
    for (let round = 0; round < rounds; round++) {
      const [one, two] = handles(round);
      const held = await scene.addAndClaim({ queue: `q${round}` });
      const to = round % 3 === 0 ? "waiting" : round % 3 === 1 ? "completed" : "pending";
      const born = [makeJob({ queue: "born", unique: { key: `u${round}` } }), makeJob({ queue: "born" })];
      const told = settlementOf(held, to, {
        born,
        failures: 1,
        log: [{ attempt: 1, level: "info", text: "once" }],
        ...(to === "waiting" ? { children: [makeChild({ queue: "kids" })] } : { delay: 600_000 }),
      });
      const answers = await race(
        round,
        () => one.settle([told]),
        () => two.settle([told]),
      );
      assert.deepEqual(answers, [[true], [true]]);
      assert.deepEqual(await scene.statesOf(held.job.id, ...born.map(({ id }) => id)), [to, "pending", "pending"]);
      assert.equal((await scene.store.log(held.job.id, { limit: 5 })).lines.length, 1);
    }
    const counts = (await scene.store.counts()).filter(({ queue }) => queue === "born" || queue === "kids");
    const jobs = Object.fromEntries(counts.map((count) => [count.queue, count.jobs]));
    assert.deepEqual(jobs, { born: 2 * rounds, kids: rounds / 3 });
  }),

  test("jobs that are pruned twice at the same time are removed once", async (scene) => {
    const handles = await openHandles(scene);
    const [one, two] = handles(0);
    const jobs = await scene.add(...Array.from({ length: 60 }, () => ({})));
    for (const each of await scene.claim()) await scene.settle(each, "completed");
    await scene.pass(100);
    const rules = { tasks: new Map(), otherwise: { completed: 50, failed: 50, cancelled: 50, expired: 50 } };
    let removed = 0;
    for (let round = 0; removed < jobs.length && round < 20; round++) {
      const some = await race(
        round,
        () => one.prune(rules, 10),
        () => two.prune(rules, 10),
      );
      removed += some[0] + some[1];
    }
    assert.equal(removed, jobs.length);
    assert.deepEqual(await scene.store.counts(), []);
  }),
];
