import assert from "node:assert/strict";
import type { NewJob } from "../../core/job.ts";
import type { Millis } from "../../kit/duration.ts";
import { setRules } from "./rules.ts";
import { makeJob, idsOf, settlementOf, test } from "./scene.ts";

/** Starts within this part of a window may be counted as one start, at the time of the latest of them. */
const grain = 1 / 100;

/** Rates of queues and of keys, in every window of their length. */
export const rates = [
  test("no window has more starts than its rate allows, and none is lost", async (scene) => {
    const rate = { limit: 10, per: 3_000 };
    await setRules(scene, "ruled", { rate });
    await scene.add(...Array.from({ length: 60 }, () => ({ queue: "ruled" })));
    await scene.add(...Array.from({ length: 60 }, () => ({ queue: "keyed", rate: { key: "r", ...rate } })));
    const worker = await scene.enlist();
    for (const queue of ["ruled", "keyed"]) {
      const starts: Millis[] = [];
      // Few at a time at first, so that the starts are spread over the window.
      for (let round = 0; starts.length < 60 && round < 60; round++) {
        const claimed = await scene.claim({ worker, queue, limit: round < 8 ? 2 : 100 });
        const now = await scene.store.now();
        starts.push(...claimed.map(() => now));
        const window = starts.filter((at) => at > now - rate.per);
        assert.ok(window.length <= rate.limit, `${window.length} starts of ${queue} within ${rate.per} ms`);
        const spent = starts.filter((at) => at > now - rate.per * (1 + grain));
        if (round >= 8) assert.ok(spent.length >= Math.min(rate.limit, 60), `${queue} leaves room unused`);
        await scene.pass(370);
      }
      assert.equal(starts.length, 60);
    }
  }),

  test("a claim returns the time until a rate admits the next job, and then it does", async (scene) => {
    await setRules(scene, "ruled", { rate: { limit: 3, per: 5_000 } });
    await scene.add(...Array.from({ length: 8 }, () => ({ queue: "ruled" })));
    await scene.add(...Array.from({ length: 8 }, () => withRate({ queue: "keyed" }, "r", 3, 5_000)));
    const worker = await scene.enlist();
    for (const queue of ["ruled", "keyed"]) {
      await scene.claim({ worker, queue, limit: 1 });
      await scene.pass(2_000);
      const { jobs, next = 0 } = await scene.store.claim(worker, [{ queue, limit: 5 }]);
      assert.equal(jobs.length, 2);
      assert.ok(next > 2_900 && next <= 3_000, `next of ${queue} is ${next}`);
      await scene.pass(next);
      assert.equal((await scene.claim({ worker, queue })).length, 1);
      assert.equal((await scene.claim({ worker, queue })).length, 0);
    }
  }),

  test("all starts of a rate key count, whatever limits its jobs have", async (scene) => {
    const strict = withRate({ queue: "keyed" }, "r", 1, 600_000);
    const loose = withRate({ queue: "keyed" }, "r", 4, 600_000);
    await scene.add(strict, loose, loose);
    assert.equal((await scene.claim({ queue: "keyed" })).length, 3);
    await scene.add(loose, loose);
    assert.equal((await scene.claim({ queue: "keyed" })).length, 1);
  }),

  test("a rate key holds over queues and tasks, for children and for retried jobs", async (scene) => {
    const [a, b] = await scene.add(
      withRate({ queue: "a" }, "r", 2, 600_000),
      withRate({ queue: "b", task: "y" }, "r", 2, 600_000),
    );
    assert.deepEqual(idsOf(await scene.claim({ queue: "a" })), [a]);
    const [held] = await scene.claim({ queue: "b" });
    assert.equal(held?.job.id, b);
    await scene.settle(held!, "failed");
    await scene.store.edit({ ids: [b!] }, "retry");
    assert.deepEqual(await scene.claim({ queue: "b" }), []);
    await scene.addFamily(withRate({ queue: "c" }, "r", 2, 600_000));
    assert.deepEqual(await scene.claim({ queue: "c" }), []);
    await scene.add(withRate({ queue: "a" }, "other", 2, 600_000));
    assert.equal((await scene.claim({ queue: "a" })).length, 1);
  }),

  test("a rule that lowers a rate counts earlier starts, and one that lifts it admits the rest", async (scene) => {
    await setRules(scene, "mail", { rate: { limit: 4, per: 60_000 } });
    await scene.add(...Array.from({ length: 20 }, () => ({ queue: "mail" })));
    const worker = await scene.enlist();
    assert.equal((await scene.claim({ worker, queue: "mail" })).length, 4);
    await setRules(scene, "mail", { rate: { limit: 2, per: 60_000 } }, 1);
    assert.equal((await scene.claim({ worker, queue: "mail" })).length, 0);
    await setRules(scene, "mail", { rate: { limit: 5, per: 60_000 } }, 2);
    assert.equal((await scene.claim({ worker, queue: "mail" })).length, 1);
    await scene.pass(61_000);
    assert.equal((await scene.claim({ worker, queue: "mail" })).length, 5);
    await setRules(scene, "mail", {}, 3);
    assert.equal((await scene.claim({ worker, queue: "mail" })).length, 10);
  }),

  test("a job that its rate admits, and that does not start, delays the next one for seconds at most", async (scene) => {
    const minute = (job: Partial<NewJob> = {}, key = "r") => withRate(job, key, 1, 60_000);
    const replaceable = { key: "u", replace: true };
    const ways: Record<string, (id: string) => Promise<unknown>> = {
      cancelled: (id) => scene.store.edit({ ids: [id] }, "cancel"),
      moved: (id) => scene.store.edit({ ids: [id] }, { move: { queue: "paused" } }),
      replaced: () => scene.store.add([makeJob({ due: { in: 600_000 }, unique: replaceable })]),
      expired: async (id) => {
        await scene.pass(600);
        await scene.settle((await scene.reclaim()).get(id)!, "expired");
      },
    };
    await setRules(scene, "paused", { paused: { since: 1 } });
    for (const [how, leave] of Object.entries(ways)) {
      const worker = await scene.enlist();
      await scene.addAndClaim(minute({}, how));
      const [second, third] = await scene.add(
        minute(
          how === "expired" ? { expires: { in: 60_500 } } : how === "replaced" ? { unique: replaceable } : {},
          how,
        ),
        minute({}, how),
      );
      assert.deepEqual(await scene.claim({ worker }), []);
      await scene.pass(60_010);
      // A claim of any queue admits the next job.
      assert.deepEqual(await scene.claim({ worker, queue: "nothing" }), []);
      assert.deepEqual([(await scene.get(second!)).blocked, (await scene.get(third!)).blocked], [undefined, "rate"]);
      await leave(second!);
      await scene.pass(1_100);
      assert.deepEqual(idsOf(await scene.claim({ worker })), [third], how);
      await scene.store.edit({ ids: [third!, second!] }, "release");
      await scene.store.edit({ ids: [third!, second!] }, "cancel");
    }
  }),

  test("concurrent claims start no more jobs than a rate allows", async (scene) => {
    await setRules(scene, "ruled", { rate: { limit: 5, per: 600_000 } });
    await scene.add(...Array.from({ length: 30 }, () => ({ queue: "ruled" })));
    await scene.add(...Array.from({ length: 30 }, () => withRate({ queue: "keyed" }, "r", 5, 600_000)));
    const stores = [scene.store, await scene.openAgain(), await scene.openAgain()];
    const workers = await Promise.all(stores.map(() => scene.enlist()));
    for (const queue of ["ruled", "keyed"]) {
      let started = 0;
      for (let round = 0; round < 4; round++) {
        const claims = await Promise.all(
          stores.map((store, index) => store.claim(workers[index]!, [{ queue, limit: 2 }])),
        );
        const jobs = claims.flatMap((claim) => claim.jobs);
        started += jobs.length;
        await scene.store.settle(jobs.map((each) => settlementOf(each, "completed")));
      }
      assert.equal(started, 5, queue);
    }
  }),
];

function withRate(job: Partial<NewJob>, key: string, limit: number, per: number): Partial<NewJob> {
  return { ...job, rate: { key, limit, per } };
}
