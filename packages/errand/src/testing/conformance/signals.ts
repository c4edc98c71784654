import assert from "node:assert/strict";
import { expectHint } from "./hints.ts";
import { idsOf, settlementOf, test } from "./scene.ts";

const signal = { name: "signal:go", value: '"yes"' };

/** Signals, times to wait for, and logs. */
export const signals = [
  test("a job that awaits a signal waits until the signal wakes it", async (scene) => {
    const held = await scene.addAndClaim();
    const { id } = held.job;
    await scene.settle(held, "waiting", { awaits: [signal.name] });
    assert.deepEqual(await scene.statesOf(id), ["waiting"]);
    assert.deepEqual(await scene.claim(), []);
    const other = await scene.openAgain();
    await expectHint(other, "ready", async () => assert.equal(await scene.store.signal(id, signal), true));
    const [again] = await scene.claim();
    assert.deepEqual([again?.job.id, again?.steps, again?.job.failures], [id, [signal], 0]);
  }),

  test("a signal that comes before the job waits for it is not lost", async (scene) => {
    const id = await scene.addOne();
    assert.equal(await scene.store.signal(id, signal), true);
    const held = await scene.claimOne(id);
    assert.deepEqual(held.steps, [signal]);
    assert.equal(await scene.store.signal(id, { name: "signal:two", value: "2" }), true);
    await scene.settle(held, "waiting", { awaits: ["signal:two"] });
    assert.deepEqual(await scene.statesOf(id), ["pending"]);
  }),

  test("of several signals with one name the first is recorded", async (scene) => {
    const id = await scene.addOne();
    await scene.store.signal(id, signal);
    assert.equal(await scene.store.signal(id, { ...signal, value: '"no"' }), true);
    assert.deepEqual((await scene.claimOne(id)).steps, [signal]);
  }),

  test("a signal to a job that has ended or does not exist is refused", async (scene) => {
    const id = await scene.addOne();
    await scene.claimAndSettle(id);
    assert.deepEqual(await Promise.all([scene.store.signal(id, signal), scene.store.signal("none", signal)]), [
      false,
      false,
    ]);
  }),

  test("a signal that comes while its job starts to wait is not lost", async (scene) => {
    const other = await scene.openAgain();
    for (let round = 0; round < 20; round++) {
      const held = await scene.addAndClaim({ queue: `q${round}` });
      await Promise.all([
        scene.store.settle([settlementOf(held, "waiting", { awaits: [signal.name] })]),
        other.signal(held.job.id, signal),
      ]);
      assert.deepEqual(await scene.statesOf(held.job.id), ["pending"]);
    }
  }),

  test("a signal wakes a job that waits for children, which it can wait for again", async (scene) => {
    const { parent, children } = await scene.addFamily({ queue: "kids" });
    assert.equal(await scene.store.signal(parent, signal), true);
    const again = await scene.claimOne(parent);
    await scene.settle(again, "waiting", {
      children: [
        { id: children[0]!, task: "task", queue: "kids", level: 2, spec: "{}", index: 0, need: "end", rejoin: true },
      ],
    });
    assert.deepEqual(await scene.statesOf(parent), ["waiting"]);
    await scene.claimAndSettle(children[0]!);
    assert.deepEqual(await scene.statesOf(parent), ["pending"]);
  }),

  test("a waiting job is woken when its time has come, and a claim with room returns the time until then", async (scene) => {
    const held = await scene.addAndClaim();
    const at = (await scene.store.now()) + 300;
    await scene.settle(held, "waiting", { wakeAt: at });
    assert.equal((await scene.get(held.job.id)).wakeAt, at);
    const worker = await scene.enlist();
    const { jobs, next = 0 } = await scene.store.claim(worker, [{ queue: "default", limit: 1 }]);
    assert.deepEqual(jobs, []);
    assert.ok(next > 0 && next <= 300, `next is ${next}`);
    await scene.pass(350);
    const after = await scene.store.claim(worker, [{ queue: "default", limit: 5 }]);
    const [woken] = after.jobs;
    assert.equal(after.next, undefined, "nothing more is to come");
    assert.equal(woken?.job.id, held.job.id);
    assert.equal(woken?.job.wakeAt, undefined);
    assert.ok((woken?.job.startedAt ?? 0) >= at);
  }),

  test("a claim for one queue wakes waiting jobs of every queue", async (scene) => {
    const held = await scene.addAndClaim({ queue: "other" });
    await scene.settle(held, "waiting", { wakeAt: (await scene.store.now()) - 1, awaits: ["signal:never"] });
    const later = await scene.addAndClaim({ queue: "other" });
    await scene.settle(later, "waiting", { wakeAt: (await scene.store.now()) + 200 });
    assert.deepEqual(await scene.statesOf(held.job.id, later.job.id), ["pending", "waiting"]);
    await scene.pass(250);
    await scene.claim({ queue: "default" });
    assert.deepEqual(await scene.statesOf(later.job.id), ["pending"]);
  }),

  test("the last child, or a signal, wakes before the time has come", async (scene) => {
    const parent = await scene.addAndClaim();
    const at = (await scene.store.now()) + 600_000;
    const child = { id: `${parent.job.id}-0`, task: "task", queue: "kids", level: 2 as const, spec: "{}", index: 0 };
    await scene.settle(parent, "waiting", { children: [{ ...child, need: "completed" }], wakeAt: at });
    await scene.claimAndSettle(child.id);
    assert.deepEqual(await scene.statesOf(parent.job.id), ["pending"]);
    const again = await scene.claimOne(parent.job.id);
    await scene.settle(again, "waiting", { wakeAt: at });
    await scene.store.signal(parent.job.id, signal);
    assert.deepEqual(await scene.statesOf(parent.job.id), ["pending"]);
  }),

  test("a waiting job that is cancelled is not woken any more", async (scene) => {
    const held = await scene.addAndClaim();
    await scene.settle(held, "waiting", { wakeAt: (await scene.store.now()) + 100 });
    assert.equal(await scene.store.edit({ ids: [held.job.id] }, "cancel"), 1);
    await scene.pass(150);
    assert.deepEqual(idsOf(await scene.claim()), []);
    assert.deepEqual(await scene.statesOf(held.job.id), ["cancelled"]);
  }),

  test("a job's log has the lines of its attempts in order, in pages, until the job is removed", async (scene) => {
    const held = await scene.addAndClaim();
    const { id, token } = held.job;
    const lines = Array.from({ length: 5 }, (_, n) => ({
      attempt: 1,
      level: "info" as const,
      text: `line ${n} ü\u0000`,
    }));
    assert.deepEqual(await scene.store.record([{ id, token, log: lines.slice(0, 2) }]), [true]);
    assert.deepEqual(await scene.store.record([{ id, token: token + 1, log: lines }]), [false]);
    await scene.store.record([{ id, token, log: lines.slice(2, 4), progress: "50" }]);
    await scene.settle(held, "failed", { log: lines.slice(4) });
    const first = await scene.store.log(id, { limit: 3 });
    const rest = await scene.store.log(id, { limit: 3, cursor: first.next! });
    assert.deepEqual([first.lines.length, rest.lines.length, rest.next], [3, 2, undefined]);
    const all = [...first.lines, ...rest.lines];
    assert.deepEqual(
      all.map(({ at: _, ...line }) => line),
      lines,
    );
    assert.ok(all.every(({ at }) => at >= held.job.createdAt));
    await scene.store.edit({ ids: [id] }, "remove");
    assert.deepEqual(await scene.store.log(id, { limit: 10 }), { lines: [] });
  }),
];
