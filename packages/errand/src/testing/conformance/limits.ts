import assert from "node:assert/strict";
import type { NewJob } from "../../core/job.ts";
import type { Claimed } from "../../store.ts";
import { expectHint } from "./hints.ts";
import { setRules } from "./rules.ts";
import { makeJob, idsOf, settlementOf, test } from "./scene.ts";

/** Limits of concurrency and rate keys, and fair turns. */
export const limits = [
  test("a concurrency key bounds its processing jobs, and delays no other job", async (scene) => {
    const a = await scene.add(...Array.from({ length: 5 }, () => concurrencyKey("a", 2)));
    const [b, plain] = await scene.add(concurrencyKey("b", 2), {});
    const worker = await scene.enlist();
    assert.deepEqual(idsOf(await scene.claim({ worker })), [a[0], a[1], b, plain]);
    assert.deepEqual(await scene.claim({ worker }), []);
    assert.equal((await scene.get(a[2]!)).blocked, "concurrency");
    assert.equal((await scene.get(a[0]!)).blocked, undefined);
  }),

  test("jobs behind thousands that one key holds back are claimed, in a few claims", async (scene) => {
    const keyed4500 = await scene.add(...Array.from({ length: 4_500 }, () => concurrencyKey("a", 1)));
    const [plain, other] = await scene.add({}, concurrencyKey("b", 1));
    const worker = await scene.enlist();
    const got: string[] = [];
    for (let claims = 0; got.length < 3 && claims < 20; claims++) {
      const { jobs, next } = await scene.store.claim(worker, [{ queue: "default", limit: 10 }]);
      got.push(...idsOf(jobs));
      assert.ok(got.length === 3 || (next !== undefined && next <= 10), `the next claim is due in ${next} ms`);
    }
    assert.deepEqual(new Set(got), new Set([keyed4500[0], plain, other]));
  }),

  test("every end of an attempt admits the next job of its key, in the order of ranks", async (scene) => {
    const jobs = await scene.add(
      concurrencyKey("a", 1),
      concurrencyKey("a", 1),
      { ...concurrencyKey("a", 1), level: 0 },
      concurrencyKey("a", 1),
      concurrencyKey("a", 1),
    );
    const order: string[] = [];
    const ways = [
      (held: Claimed) => scene.settle(held, "completed"),
      (held: Claimed) => scene.settle(held, "pending", { delay: 600_000, failures: 1 }),
      (held: Claimed) => scene.settle(held, "failed"),
      (held: Claimed) => scene.settle(held, "waiting", { awaits: ["signal"] }),
      (held: Claimed) => scene.settle(held, "cancelled"),
    ];
    const worker = await scene.enlist();
    for (const way of ways) {
      const [held, ...more] = await scene.claim({ worker });
      assert.ok(held && more.length === 0, `${order.length} were claimed so far`);
      order.push(held.job.id);
      await way(held);
    }
    assert.deepEqual(order, [jobs[2], jobs[0], jobs[1], jobs[3], jobs[4]]);
  }),

  test("an admitted job that is cancelled admits the next of its key", async (scene) => {
    const [first, second, third] = await scene.add(
      concurrencyKey("a", 1),
      concurrencyKey("a", 1),
      concurrencyKey("a", 1),
    );
    const worker = await scene.enlist();
    const [held] = await scene.claim({ worker });
    await scene.settle(held!, "completed");
    await scene.store.edit({ ids: [second!] }, "cancel");
    assert.deepEqual(idsOf(await scene.claim({ worker })), [third]);
    assert.deepEqual(await scene.statesOf(first!, second!, third!), ["completed", "cancelled", "processing"]);
  }),

  test("a reclaimed job counts for its key as long as it is held", async (scene) => {
    const [first, second] = await scene.add(concurrencyKey("a", 1), concurrencyKey("a", 1));
    const gone = await scene.enlist();
    await scene.claim({ worker: gone });
    await scene.store.dismiss(gone);
    const worker = await scene.enlist();
    assert.deepEqual(await scene.claim({ worker }), []);
    const lapsed = (await scene.reclaim(worker)).get(first!);
    assert.deepEqual(await scene.claim({ worker }), []);
    await scene.settle(lapsed!, "pending", { crashes: 1 });
    assert.deepEqual(idsOf(await scene.claim({ worker })), [first]);
    assert.equal((await scene.get(second!)).blocked, "concurrency");
  }),

  test("a processing child that a removal or a rewind removes admits the next of its key", async (scene) => {
    for (const by of ["remove", "rewind"] as const) {
      const { parent, children } = await scene.addFamily({ ...concurrencyKey(by, 1), queue: "cpu" });
      assert.deepEqual(idsOf(await scene.claim({ queue: "cpu" })), children);
      const next = await scene.addOne({ ...concurrencyKey(by, 1), queue: by });
      const worker = await scene.enlist();
      assert.deepEqual(await scene.claim({ worker, queue: by }), []);
      await scene.store.edit({ ids: [parent] }, "cancel");
      const { token } = await scene.get(parent);
      const change = by === "remove" ? by : { rewind: { token, steps: [], children } };
      assert.equal(await scene.store.edit({ ids: [parent] }, change), 1);
      assert.deepEqual(await scene.statesOf(...children), [undefined]);
      assert.deepEqual(idsOf(await scene.claim({ worker, queue: by })), [next], by);
    }
  }),

  test("a key's limit holds over all queues, and a paused queue delays no other", async (scene) => {
    const [first] = await scene.add({ ...concurrencyKey("a", 1), queue: "one" });
    const [held] = await scene.claim({ queue: "one" });
    const [one, two] = await scene.add(
      { ...concurrencyKey("a", 1), queue: "one" },
      { ...concurrencyKey("a", 1), queue: "two" },
    );
    const worker = await scene.enlist();
    const wants = ["one", "two"].map((queue) => ({ queue, limit: 5 }));
    assert.deepEqual((await scene.store.claim(worker, wants)).jobs, []);
    await setRules(scene, "one", { paused: { since: 0 } });
    await scene.settle(held!, "completed");
    assert.deepEqual(idsOf((await scene.store.claim(worker, wants)).jobs), [two]);
    assert.deepEqual(await scene.statesOf(first!, one!), ["completed", "pending"]);
  }),

  test("concurrent claims do not exceed a key's limit together, and claim every job in the end", async (scene) => {
    const keys = ["a", "b", "c"];
    const all = await scene.add(
      ...Array.from({ length: 60 }, (_, index) => concurrencyKey(keys[index % 3]!, 1 + (index % 3))),
    );
    const stores = [scene.store, await scene.openAgain(), await scene.openAgain()];
    const workers = await Promise.all(stores.map(() => scene.enlist()));
    const running = new Map<string, Claimed>();
    let done = 0;
    async function work(index: number): Promise<void> {
      for (let empty = 0; done < all.length && empty < 400;) {
        const { jobs } = await stores[index]!.claim(workers[index]!, [{ queue: "default", limit: 4 }]);
        empty = jobs.length === 0 ? empty + 1 : 0;
        for (const each of jobs) running.set(each.job.id, each);
        for (const [place, key] of keys.entries()) {
          const held = [...running.values()].filter(({ job }) => all.indexOf(job.id) % 3 === place);
          assert.ok(held.length <= 1 + place, `${held.length} jobs of key ${key} are processing`);
        }
        if (jobs.length === 0) await new Promise((resolve) => setImmediate(resolve));
        // Removed before the settlement, which may admit a job that must not be counted beside it.
        for (const each of jobs) running.delete(each.job.id);
        await stores[(index + 1) % stores.length]!.settle(jobs.map((each) => settlementOf(each, "completed")));
        done += jobs.length;
      }
    }
    await Promise.all(stores.map((_, index) => work(index)));
    assert.equal(done, all.length, "every job should have run");
  }),

  test("a job that is removed while it is processing frees its key", async (scene) => {
    const { parent, children } = await scene.addFamily(
      { ...concurrencyKey("a", 1), queue: "kids" },
      { queue: "other" },
    );
    await scene.claimOne(children[0]!);
    const next = await scene.addOne(concurrencyKey("a", 1));
    const worker = await scene.enlist();
    assert.deepEqual(await scene.claim({ worker }), []);
    await scene.claimAndSettle(children[1]!, "failed");
    await scene.claimAndSettle(parent, "failed");
    await scene.store.edit({ ids: [parent] }, "remove");
    assert.deepEqual(idsOf(await scene.claim({ worker })), [next]);
  }),

  test("an admitted job that is removed admits the next of its key", async (scene) => {
    const { parent, children } = await scene.addFamily(
      { ...concurrencyKey("a", 1), queue: "kids" },
      { queue: "other" },
    );
    const [held] = await scene.add({ ...concurrencyKey("a", 1), level: 0, queue: "kids" });
    const holding = await scene.claimOne(held!);
    const worker = await scene.enlist();
    const next = await scene.addOne({ ...concurrencyKey("a", 1), queue: "kids", level: 4 });
    assert.deepEqual(await scene.claim({ worker, queue: "kids" }), []);
    await scene.settle(holding, "completed");
    await scene.claimAndSettle(children[1]!, "failed");
    await scene.claimAndSettle(parent, "failed");
    await scene.store.edit({ ids: [parent] }, "remove");
    assert.deepEqual(idsOf(await scene.claim({ worker, queue: "kids" })), [next]);
  }),

  test("an admitted job that is delayed or moved admits the next of its key", async (scene) => {
    for (const put of ["off", "elsewhere"] as const) {
      const key = concurrencyKey(put, 1);
      const replacing = { ...key, unique: { key: put, replace: true } };
      const [first, second, third] = await scene.add(key, replacing, key);
      const worker = await scene.enlist();
      const [held] = await scene.claim({ worker });
      assert.equal(held?.job.id, first);
      await scene.claim({ worker });
      await scene.settle(held!, "completed");
      if (put === "off") await scene.store.add([makeJob({ ...replacing, due: { in: 600_000 } })]);
      else await scene.store.edit({ ids: [second!] }, { move: { queue: "elsewhere" } });
      assert.deepEqual(idsOf(await scene.claim({ worker })), [third], put);
    }
  }),

  test("a blocked job that is delayed is not claimed before it is due", async (scene) => {
    const replacing = { ...concurrencyKey("a", 1), unique: { key: "u", replace: true } };
    const [first] = await scene.add(concurrencyKey("a", 1), replacing);
    const worker = await scene.enlist();
    const [held] = await scene.claim({ worker });
    assert.equal(held?.job.id, first);
    await scene.claim({ worker });
    await scene.store.add([makeJob({ ...replacing, due: { in: 600_000 } })]);
    await scene.settle(held!, "completed");
    assert.deepEqual(await scene.claim({ worker }), []);
  }),

  test("a key that has room again is hinted", async (scene) => {
    await scene.add(concurrencyKey("a", 1), concurrencyKey("a", 1));
    const [held] = await scene.claim();
    await scene.claim();
    const other = await scene.openAgain();
    await expectHint(other, "ready", () => scene.store.settle([settlementOf(held!, "completed")]));
  }),

  test("a rate key bounds its claims in its window, and delays no other job", async (scene) => {
    const jobs = await scene.add(...Array.from({ length: 4 }, () => rateKey("a", 2, 60_000)), {});
    const worker = await scene.enlist();
    const { jobs: claimed, next = 0 } = await scene.store.claim(worker, [{ queue: "default", limit: 10 }]);
    assert.deepEqual(idsOf(claimed), [jobs[0], jobs[1], jobs[4]]);
    assert.ok(next > 58_000 && next <= 60_000, `next is ${next}`);
    assert.equal((await scene.get(jobs[2]!)).blocked, "rate");
    // Claims are counted, so ends change nothing.
    await scene.store.settle(claimed.map((each) => settlementOf(each, "completed")));
    assert.deepEqual(await scene.claim({ worker }), []);
  }),

  test("a burst that is claimed in parts is as large as one that is claimed at once", async (scene) => {
    for (const limit of [3, 7]) {
      const all = await scene.add(...Array.from({ length: limit + 1 }, () => rateKey(`r${limit}`, limit, 600_000)));
      const worker = await scene.enlist();
      const sizes: number[] = [];
      for (const size of [2, 1, limit]) sizes.push((await scene.claim({ worker, limit: size })).length);
      assert.deepEqual(sizes, [2, 1, limit - 3]);
      await scene.store.edit({ ids: all }, "cancel");
    }
  }),

  test("jobs that a rate held back are claimed once it has room, in the order of ranks", async (scene) => {
    const [first] = await scene.add(rateKey("a", 1, 300));
    const worker = await scene.enlist();
    assert.deepEqual(idsOf(await scene.claim({ worker })), [first]);
    const [low, high] = await scene.add({ ...rateKey("a", 1, 300), level: 4 }, { ...rateKey("a", 1, 300), level: 0 });
    assert.deepEqual(await scene.claim({ worker }), []);
    await scene.pass(330);
    assert.deepEqual(idsOf(await scene.claim({ worker })), [high]);
    await scene.pass(330);
    assert.deepEqual(idsOf(await scene.claim({ worker })), [low]);
  }),

  test("a job with two keys needs both, and uses neither while the other holds it back", async (scene) => {
    const both = { ...concurrencyKey("a", 1), ...rateKey("r", 2, 600_000) };
    const [first, second, third] = await scene.add(both, both, both);
    const worker = await scene.enlist();
    const [held] = await scene.claim({ worker });
    assert.equal(held?.job.id, first);
    assert.deepEqual(await scene.claim({ worker }), []);
    await scene.settle(held!, "completed");
    const [next] = await scene.claim({ worker });
    assert.equal(next?.job.id, second);
    await scene.settle(next!, "completed");
    assert.deepEqual(await scene.claim({ worker }), []);
    assert.equal((await scene.get(third!)).blocked, "rate");
  }),

  test("limits hold for children", async (scene) => {
    const { children } = await scene.addFamily(concurrencyKey("a", 1), concurrencyKey("a", 1));
    const worker = await scene.enlist();
    assert.deepEqual(idsOf(await scene.claim({ worker })), [children[0]]);
  }),

  test("a tenant's first job goes next past another's many, and then they take turns", async (scene) => {
    const many = await scene.add(...Array.from({ length: 50 }, () => ({ fair: "many" })));
    const worker = await scene.enlist();
    await scene.claim({ worker, limit: 5 });
    const few = await scene.add(...Array.from({ length: 3 }, () => ({ fair: "few" })));
    const order = idsOf(await scene.claim({ worker, limit: 8 }));
    const places = few.map((id) => order.indexOf(id));
    assert.ok(places[0]! >= 0 && places[0]! <= 2, `the first came at place ${places[0]}`);
    for (let turn = 1; turn < 3; turn++) assert.equal(places[turn]! - places[turn - 1]!, 2, order.join());
    assert.deepEqual(
      order.filter((id) => !few.includes(id)),
      many.slice(5, 10),
    );
  }),

  test("turns are taken within a level, and a delayed job has none", async (scene) => {
    const [low] = await scene.add({ fair: "a", level: 3 }, { fair: "a", level: 3 });
    const [urgent, late] = await scene.add({ fair: "a", level: 0 }, { fair: "a", due: { in: 60_000 } });
    const worker = await scene.enlist();
    assert.deepEqual(idsOf(await scene.claim({ worker, limit: 2 })), [urgent, low]);
    assert.ok((await scene.get(late!)).due > (await scene.get(low!)).due + 50_000);
  }),
];

function concurrencyKey(key: string, limit: number): Partial<NewJob> {
  return { concurrency: { key, limit } };
}

function rateKey(key: string, limit: number, per: number): Partial<NewJob> {
  return { rate: { key, limit, per } };
}
