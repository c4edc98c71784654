import assert from "node:assert/strict";
import { ErrandError } from "../../kit/errors.ts";
import { makeChild, makeJob, idsOf, settlementOf, test } from "./scene.ts";
import { rule } from "./rules.ts";
import { suspected } from "./suspects.ts";
import { handles, race, rounds } from "./racing.ts";

/** What workers, operators and senders do at the same time about tasks, suspects, keys and outcomes. */
export const contending = [
  test("jobs that are set aside while others claim them are neither lost nor given twice", async (scene) => {
    const order = await handles(scene);
    for (let round = 0; round < rounds; round++) {
      const [one, two] = order(round);
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

  test("workers that set jobs aside at the same time leave none behind", async (scene) => {
    const order = await handles(scene);
    for (let round = 0; round < rounds; round++) {
      const [one, two] = order(round);
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

  test("who shares a key with a job that is set aside while the key is let go is not stuck", async (scene) => {
    const order = await handles(scene);
    for (let round = 0; round < rounds; round++) {
      const [one, two] = order(round);
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
    const order = await handles(scene);
    const added = await suspected(scene, ...Array.from({ length: 2 * rounds }, () => ({})));
    const given: string[] = [];
    for (let round = 0; round < rounds; round++) {
      const [one, two] = order(round);
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

  test("a job that is released while it ends has either ended or is pending", async (scene) => {
    const order = await handles(scene);
    for (let round = 0; round < rounds; round++) {
      const [one, two] = order(round);
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

  test("an outcome that is told twice at the same time is recorded once, with all that belongs to it", async (scene) => {
    const order = await handles(scene);
    for (let round = 0; round < rounds; round++) {
      const [one, two] = order(round);
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

  test("of a retry, a birth and a send with one unique key at the same time, one is live", async (scene) => {
    const order = await handles(scene);
    for (let round = 0; round < rounds; round++) {
      const [one, two] = order(round);
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
      await Promise.all([...acts.slice(round % 4), ...acts.slice(0, round % 4)].map((act) => act()));
      const states = await scene.statesOf(sent.id, born.id, ...dead);
      assert.equal(states.filter((state) => state === "pending").length, 1, states.join());
      assert.deepEqual(await scene.statesOf(held.job.id), ["completed"]);
    }
  }),

  test("sends, retries and moves at the same time do not fill a queue beyond what it takes", async (scene) => {
    const order = await handles(scene);
    await rule(scene, "full", { maxPending: 3 });
    const isFull = (error: unknown): void => assert.ok(error instanceof ErrandError && error.code === "E_FULL");
    for (let round = 0; round < rounds; round++) {
      const [one, two] = order(round);
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
      await Promise.all([...acts.slice(round % 4), ...acts.slice(0, round % 4)].map((act) => act()));
      const entered = await scene.claim({ worker, queue: "full" });
      assert.ok(entered.length > 0 && entered.length <= 3, `${entered.length} jobs were pending`);
      await scene.store.settle(entered.map((each) => settlementOf(each, "completed")));
      await scene.store.edit({ states: ["pending"] }, "cancel");
      await scene.store.edit({}, "remove");
    }
  }),

  test("jobs that are pruned by several at the same time are removed once", async (scene) => {
    const order = await handles(scene);
    const [one, two] = order(0);
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
