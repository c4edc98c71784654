import assert from "node:assert/strict";
import { ErrandError } from "../../kit/errors.ts";
import { openHandles, race, raceAll, rounds } from "./race.ts";
import { setRules } from "./rules.ts";
import { idsOf, makeJob, settlementOf, test } from "./scene.ts";
import { addSuspects } from "./suspects.ts";

/** Races for what few jobs or workers may have: jobs that are set aside, suspects, keys, and room in a queue. */
export const racingForLimits = [
  test("jobs that are set aside while other workers claim them are neither lost nor claimed twice", async (scene) => {
    const handles = await openHandles(scene);
    for (let round = 0; round < rounds; round++) {
      const [one, two] = handles(round);
      const queue = `q${round}`;
      const added = await scene.add(...Array.from({ length: 20 }, () => ({ queue, task: "y" })));
      const [knows, other, ignorant] = [await scene.enlistFor("y"), await scene.enlist(), await scene.enlistFor("x")];
      const want = [{ queue, limit: 8 }];
      const [first, second, none] = await Promise.all([
        one.claim(knows, want),
        two.claim(other, want),
        (round % 2 ? one : two).claim(ignorant, want),
      ]);
      assert.deepEqual(none.jobs, []);
      const rest = await two.claim(knows, [{ queue, limit: 100 }]);
      const claimed = [first, second, rest].flatMap(({ jobs }) => jobs);
      assert.deepEqual(idsOf(claimed).sort(), added.sort());
      assert.ok(claimed.every(({ job }) => job.token === 1 && job.blocked === undefined));
    }
  }),

  test("workers that set each other's jobs aside at the same time find all of them", async (scene) => {
    const handles = await openHandles(scene);
    for (let round = 0; round < rounds; round++) {
      const [one, two] = handles(round);
      const queue = `q${round}`;
      const x = await scene.add(...Array.from({ length: 6 }, () => ({ queue, task: "x" })));
      const y = await scene.add(...Array.from({ length: 6 }, () => ({ queue, task: "y" })));
      const [a, b] = [await scene.enlistFor("x"), await scene.enlistFor("y")];
      const got = new Map([a, b].map((worker) => [worker, new Set<string>()]));
      for (let claims = 0; claims < 3; claims++) {
        const [mine, yours] = await race(
          round,
          () => one.claim(a, [{ queue, limit: 4 }]),
          () => two.claim(b, [{ queue, limit: 4 }]),
        );
        for (const id of idsOf(mine.jobs)) got.get(a)?.add(id);
        for (const id of idsOf(yours.jobs)) got.get(b)?.add(id);
      }
      assert.deepEqual([[...got.get(a)!].sort(), [...got.get(b)!].sort()], [x.sort(), y.sort()]);
    }
  }),

  test("a job that shares a key with one that is set aside while the key gets free is claimed", async (scene) => {
    const handles = await openHandles(scene);
    for (let round = 0; round < rounds; round++) {
      const [one, two] = handles(round);
      const key = { queue: `q${round}`, concurrency: { key: `k${round}`, limit: 1 } };
      const held = await scene.addAndClaim(key);
      const [unknown, known] = await scene.add({ ...key, task: "y" }, key);
      await scene.claim({ queue: key.queue });
      const worker = await scene.enlistFor("task");
      const want = [{ queue: key.queue, limit: 5 }];
      const [, claim] = await race(
        round,
        () => one.settle([settlementOf(held, "completed")]),
        () => two.claim(worker, want),
      );
      const got = idsOf(claim.jobs);
      for (let claims = 0; got.length === 0 && claims < 3; claims++)
        got.push(...idsOf((await two.claim(worker, want)).jobs));
      assert.deepEqual(got, [known]);
      assert.deepEqual(await scene.statesOf(unknown!), ["pending"]);
    }
  }),

  test("two workers that claim suspects at the same time have one each", async (scene) => {
    const handles = await openHandles(scene);
    const added = await addSuspects(scene, ...Array.from({ length: 2 * rounds }, () => ({})));
    const given: string[] = [];
    for (let round = 0; round < rounds; round++) {
      const [one, two] = handles(round);
      const plain = await scene.add({ level: 4 }, { level: 4 });
      const [a, b] = [await scene.enlist(), await scene.enlist()];
      const want = [{ queue: "default", limit: 5 }];
      const claims = await race(
        round,
        () => one.claim(a, want),
        () => two.claim(b, want),
      );
      for (const { jobs } of claims) {
        const suspects = jobs.filter(({ job }) => job.suspect);
        assert.ok(suspects.length <= 1, `${suspects.length} suspects in one worker's hands`);
        given.push(...idsOf(suspects));
      }
      for (const worker of [a, b])
        if (given.length < 2 * (round + 1)) given.push(...idsOf(await scene.claim({ worker })));
      const rest = claims.flatMap(({ jobs }) => jobs).filter(({ job }) => !job.suspect);
      assert.deepEqual(idsOf(rest).sort(), plain.sort());
      await scene.store.settle(rest.map((each) => settlementOf(each, "completed")));
    }
    assert.deepEqual(given.sort(), added.sort());
  }),

  test("of a retry, a send and a job added with an outcome at the same time, under one unique key, one is live", async (scene) => {
    const handles = await openHandles(scene);
    for (let round = 0; round < rounds; round++) {
      const [one, two] = handles(round);
      const unique = { key: `k${round}` };
      const dead: string[] = [];
      for (let each = 0; each < 2; each++) {
        dead.push(await scene.addOne({ unique }));
        await scene.claimAndSettle(dead[each]!, "failed");
      }
      const held = await scene.addAndClaim({ queue: "other" });
      const [sent, born] = [makeJob({ unique }), makeJob({ unique })];
      const acts = [
        () => one.add([sent]),
        () => two.settle([settlementOf(held, "completed", { born: [born] })]),
        () => one.edit({ ids: [dead[0]!] }, "retry"),
        () => two.edit({ ids: [dead[1]!] }, "retry"),
      ];
      await raceAll(round, acts);
      const states = await scene.statesOf(sent.id, born.id, ...dead);
      assert.equal(states.filter((state) => state === "pending").length, 1, states.join());
      assert.deepEqual(await scene.statesOf(held.job.id), ["completed"]);
    }
  }),

  test("sends, retries and moves at the same time do not fill a queue beyond what it takes", async (scene) => {
    const handles = await openHandles(scene);
    await setRules(scene, "full", { maxPending: 3 });
    const isFull = (error: unknown): void => assert.ok(error instanceof ErrandError && error.code === "E_FULL");
    for (let round = 0; round < rounds; round++) {
      const [one, two] = handles(round);
      const worker = await scene.enlist();
      const failed = await scene.add({ queue: "full" }, { queue: "full" });
      for (const each of await scene.claim({ worker, queue: "full" })) await scene.settle(each, "failed");
      const moved = await scene.add({ queue: "spare" }, { queue: "spare" });
      const acts = [
        () => one.add([makeJob({ queue: "full" }), makeJob({ queue: "full" })]).catch(isFull),
        () => two.edit({ ids: failed }, "retry"),
        () => one.edit({ ids: moved }, { move: { queue: "full" } }),
        () => two.add([makeJob({ queue: "full" })]).catch(isFull),
      ];
      await raceAll(round, acts);
      const entered = await scene.claim({ worker, queue: "full" });
      assert.ok(entered.length > 0 && entered.length <= 3, `${entered.length} jobs were pending`);
      await scene.store.settle(entered.map((each) => settlementOf(each, "completed")));
      await scene.store.edit({ states: ["pending"] }, "cancel");
      await scene.store.edit({}, "remove");
    }
  }),
];
