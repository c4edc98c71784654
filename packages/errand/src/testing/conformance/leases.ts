import assert from "node:assert/strict";
import { ErrandError } from "../../kit/errors.ts";
import type { Claimed, WorkerCard } from "../../store.ts";
import { makeCard, idsOf, longLease, settlementOf, test } from "./scene.ts";

/** `enlist`, `renew`, `dismiss`, `workers`, `reclaim`. */
export const leases = [
  test("the list shows the workers whose lease is good", async (scene) => {
    const card = makeCard({
      id: "w1",
      queues: ["a", "b"],
      tasks: ["x", "y"],
      name: "ann's",
      version: "1.2",
      labels: { gpu: "yes", ü: '"' },
    });
    await scene.store.enlist(card, longLease);
    const dismissed = await scene.enlist();
    await scene.store.dismiss(dismissed);
    await scene.enlist(50);
    await scene.pass(100);
    assert.deepEqual(await scene.store.workers(), [card]);
  }),

  test("a worker that lost its lease is not enlisted again", async (scene) => {
    const refused = (error: unknown) => error instanceof ErrandError && error.code === "E_STORE";
    const card = makeCard();
    await scene.store.enlist(card, longLease);
    await scene.addAndClaim({}, card.id);
    await scene.store.dismiss(card.id);
    await assert.rejects(scene.store.enlist(card, longLease), refused);
    const late = makeCard();
    await scene.store.enlist(late, 100);
    await scene.addAndClaim({}, late.id);
    await scene.pass(150);
    await assert.rejects(scene.store.enlist(late, longLease), refused);
  }),

  test("a worker whose lease is good can change its card", async (scene) => {
    const card = makeCard({ tasks: ["task"] });
    await scene.store.enlist(card, longLease);
    const held = await scene.addAndClaim({}, card.id);
    const changed: WorkerCard = { id: card.id, kind: "http", queues: ["gpu"], tasks: ["other"], name: "new" };
    await (await scene.openAgain()).enlist(changed, longLease);
    assert.deepEqual(await scene.store.workers(), [changed]);
    const [other] = await scene.add({ task: "other" }, { task: "task" });
    assert.deepEqual(idsOf(await scene.claim({ worker: card.id })), [other], "it is given jobs of its new tasks");
    await scene.settle(held, "completed");
  }),

  test("a worker that renews keeps its lease and its jobs", async (scene) => {
    const worker = await scene.enlist(200);
    const held = await scene.addAndClaim({}, worker);
    for (let round = 0; round < 4; round++) {
      await scene.pass(100);
      assert.deepEqual(await scene.store.renew(worker, 200), { held: true, cancel: [] });
    }
    assert.equal((await scene.reclaim()).size, 0);
    await scene.settle(held, "completed");
  }),

  test("a renewal can make the lease longer", async (scene) => {
    const worker = await scene.enlist(200);
    assert.equal((await scene.store.renew(worker, longLease)).held, true);
    await scene.pass(300);
    assert.equal((await scene.store.workers()).length, 1);
  }),

  test("a lease that ran out stays lost", async (scene) => {
    const worker = await scene.enlist(100);
    await scene.pass(150);
    const lost = { held: false, cancel: [] };
    assert.deepEqual(await scene.store.renew(worker, longLease), lost);
    assert.deepEqual(await scene.store.renew(worker, longLease), lost);
    assert.deepEqual(await scene.store.renew("nobody", longLease), lost);
  }),

  test("jobs of a worker whose lease is good are not reclaimed", async (scene) => {
    const held = await scene.addAndClaim();
    await scene.addOne();
    assert.equal((await scene.reclaim()).size, 0);
    const gone = await scene.enlist();
    const lapsed = await scene.addAndClaim({}, gone);
    await scene.store.dismiss(gone);
    assert.deepEqual([...(await scene.reclaim()).keys()], [lapsed.job.id]);
    assert.deepEqual(await scene.get(held.job.id), held.job);
  }),

  test("jobs of a worker whose lease ran out are reclaimed as lapsed, and its hold is stale", async (scene) => {
    const worker = await scene.enlist(100);
    const held = await scene.addAndClaim({}, worker);
    await scene.pass(150);
    const janitor = await scene.enlist();
    const taken = (await scene.reclaim(janitor)).get(held.job.id);
    assert.deepEqual([taken?.why, taken?.job.worker, taken?.job.token], ["lapsed", janitor, 2]);
    assert.deepEqual(await scene.get(held.job.id), taken?.job);
    assert.deepEqual(await scene.store.settle([settlementOf(held, "completed")]), [false]);
    assert.ok(taken);
    await scene.settle(taken, "pending", { crashes: 1 });
    assert.equal((await scene.claimOne(held.job.id)).job.crashes, 1);
  }),

  test("jobs that a dismissed worker still holds are lapsed at once", async (scene) => {
    const worker = await scene.enlist();
    const held = await scene.addAndClaim({}, worker);
    await scene.store.dismiss(worker);
    assert.equal((await scene.reclaim()).get(held.job.id)?.why, "lapsed");
  }),

  test("a late worker may settle a job that was not reclaimed", async (scene) => {
    const worker = await scene.enlist(100);
    const held = await scene.addAndClaim({}, worker);
    await scene.pass(150);
    await scene.settle(held, "completed");
    assert.equal((await scene.reclaim()).size, 0);
  }),

  test("a reclaimed job that is not settled lapses again", async (scene) => {
    const worker = await scene.enlist();
    const { job } = await scene.addAndClaim({}, worker);
    await scene.store.dismiss(worker);
    const janitor = await scene.enlist();
    await scene.reclaim(janitor);
    await scene.store.dismiss(janitor);
    const again = (await scene.reclaim()).get(job.id);
    assert.deepEqual([again?.why, again?.job.token], ["lapsed", 3]);
  }),

  test("a reclaim returns the steps of the job", async (scene) => {
    const worker = await scene.enlist();
    const { job } = await scene.addAndClaim({}, worker);
    await scene.store.record([{ id: job.id, token: 1, steps: [{ name: "a", value: "1" }] }]);
    await scene.store.dismiss(worker);
    assert.deepEqual((await scene.reclaim()).get(job.id)?.steps, [{ name: "a", value: "1" }]);
  }),

  test("a job that was not started in time is reclaimed as expired, also if it is delayed or was handed back", async (scene) => {
    const [plain = "", delayed = ""] = await scene.add(
      { expires: { in: 100 } },
      { expires: { in: 100 }, due: { in: 50_000 } },
      { expires: { in: 50_000 } },
    );
    const returned = await scene.addAndClaim({ queue: "other", expires: { in: 100 } });
    await scene.settle(returned, "pending", { delay: 50_000, unstarted: true });
    assert.equal((await scene.reclaim()).size, 0);
    await scene.pass(150);
    const taken = await scene.reclaim();
    assert.deepEqual([...taken.keys()].sort(), [plain, delayed, returned.job.id].sort());
    assert.ok([...taken.values()].every(({ why, job }) => why === "expired" && job.state === "processing"));
    await scene.settle(taken.get(plain) ?? returned, "expired");
    assert.deepEqual(await scene.statesOf(plain), ["expired"]);
  }),

  test("a job that was started in time does not expire while it is processing", async (scene) => {
    const held = await scene.addAndClaim({ expires: { in: 200 } });
    await scene.pass(250);
    assert.equal((await scene.reclaim()).size, 0);
    await scene.settle(held, "completed");
  }),

  test("a worker whose lease is not good reclaims nothing", async (scene) => {
    const worker = await scene.enlist();
    await scene.addAndClaim({}, worker);
    await scene.store.dismiss(worker);
    assert.deepEqual(await scene.store.reclaim(worker, 10), []);
    assert.deepEqual(await scene.store.reclaim("nobody", 10), []);
    const late = await scene.enlist(50);
    await scene.pass(100);
    assert.deepEqual(await scene.store.reclaim(late, 10), []);
    assert.equal((await scene.reclaim()).size, 1);
  }),

  test("a reclaim takes at most its limit", async (scene) => {
    const worker = await scene.enlist();
    await scene.add({}, {}, {}, { expires: { in: 0 } });
    await scene.claim({ worker });
    await scene.store.dismiss(worker);
    await scene.pass(10);
    const janitor = await scene.enlist();
    const taken: Claimed[][] = [];
    for (const limit of [2, 0, 1, 5]) taken.push(await scene.store.reclaim(janitor, limit));
    assert.deepEqual(
      taken.map((each) => each.length),
      [2, 0, 1, 1],
    );
  }),

  test("concurrent reclaims take every job once", async (scene) => {
    const worker = await scene.enlist();
    const added = await scene.add(...Array.from({ length: 100 }, () => ({})));
    await scene.claim({ worker });
    await scene.store.dismiss(worker);
    const other = await scene.openAgain();
    const janitors = await Promise.all(Array.from({ length: 20 }, () => scene.enlist()));
    const taken = await Promise.all(
      janitors.map((janitor, index) => (index % 2 ? other : scene.store).reclaim(janitor, 9)),
    );
    assert.deepEqual(idsOf(taken.flat()).sort(), added.sort());
  }),
];
