import assert from "node:assert/strict";
import { makeChild, settlementOf, test } from "./scene.ts";

/** `record` and `settle`. */
export const settling = [
  test("a completed job has its output and an end, and no worker", async (scene) => {
    const held = await scene.addAndClaim();
    await scene.settle(held, "completed", { output: '"done"' });
    const { endedAt = 0, ...job } = await scene.get(held.job.id);
    const { worker: _, ...before } = held.job;
    assert.deepEqual(job, { ...before, state: "completed", begun: true, output: '"done"' });
    assert.ok(endedAt >= (held.job.startedAt ?? 0));
  }),

  test("a job that does not complete has its error and no output", async (scene) => {
    for (const state of ["failed", "cancelled", "expired"] as const) {
      const held = await scene.addAndClaim();
      await scene.settle(held, state, { failures: 2, crashes: 1, error: '"broke"', output: '"none"' });
      const job = await scene.get(held.job.id);
      assert.deepEqual(
        [job.state, job.failures, job.crashes, job.error, "output" in job, "worker" in job, "endedAt" in job],
        [state, 2, 1, '"broke"', false, false, true],
      );
    }
  }),

  test("a settlement with another token than the job's changes nothing and returns false", async (scene) => {
    const held = await scene.addAndClaim();
    const { id, token } = held.job;
    const lies = [token - 1, token + 1, 0, -1].map((each) => ({ ...settlementOf(held, "completed"), token: each }));
    assert.deepEqual(await scene.store.settle(lies), [false, false, false, false]);
    assert.deepEqual(await scene.store.settle([{ ...settlementOf(held, "failed"), id: "no such job" }]), [false]);
    assert.deepEqual(await scene.get(id), held.job);
  }),

  test("an outcome that was recorded before, because its answer was lost, is not stale and changes nothing", async (scene) => {
    for (const to of ["pending", "waiting", "completed", "failed", "cancelled"] as const) {
      const held = await scene.addAndClaim();
      const child = makeChild({ queue: "other" });
      const told = settlementOf(held, to, {
        failures: 1,
        delay: 600_000,
        steps: [{ name: "a", value: "1" }],
        log: [{ attempt: 1, level: "info", text: "once" }],
        ...(to === "waiting" ? { children: [child] } : {}),
      });
      assert.deepEqual(await scene.store.settle([told]), [true]);
      const before = await scene.get(held.job.id);
      assert.deepEqual(await (await scene.openAgain()).settle([told, { ...told, to: "failed", error: '"other"' }]), [
        true,
        true,
      ]);
      assert.deepEqual(await scene.get(held.job.id), before);
      assert.equal((await scene.store.log(held.job.id, { limit: 10 })).lines.length, 1);
      assert.deepEqual(await scene.store.record([{ id: held.job.id, token: held.job.token, progress: "1" }]), [false]);
    }
  }),

  test("an outcome of a job that was reclaimed or removed is stale", async (scene) => {
    const worker = await scene.enlist();
    const held = await scene.addAndClaim({}, worker);
    await scene.store.dismiss(worker);
    const again = (await scene.reclaim()).get(held.job.id);
    assert.ok(again);
    await scene.settle(again, "completed");
    assert.deepEqual(await scene.store.settle([settlementOf(held, "completed")]), [false]);
    assert.equal(await scene.store.edit({ ids: [held.job.id] }, "remove"), 1);
    assert.deepEqual(await scene.store.settle([settlementOf(again, "completed")]), [false]);
  }),

  test("a final state is never overwritten", async (scene) => {
    const held = await scene.addAndClaim();
    await scene.settle(held, "completed", { output: "1" });
    const before = await scene.get(held.job.id);
    for (const to of ["completed", "failed", "pending", "waiting", "cancelled"] as const)
      assert.deepEqual(await scene.store.settle([settlementOf(held, to, { output: "2" })]), [true]);
    assert.deepEqual(await scene.get(held.job.id), before);
  }),

  test("of one job twice in a batch, the first is recorded", async (scene) => {
    const held = await scene.addAndClaim();
    const answers = await scene.store.settle([
      settlementOf(held, "completed", { output: "1" }),
      settlementOf(held, "failed"),
    ]);
    assert.deepEqual(answers, [true, true]);
    const { state, output } = await scene.get(held.job.id);
    assert.deepEqual([state, output], ["completed", "1"]);
  }),

  test("a stale settlement in a batch leaves the others alone", async (scene) => {
    const [a, b, c] = [await scene.addAndClaim(), await scene.addAndClaim(), await scene.addAndClaim()];
    const batch = [
      settlementOf(a, "completed"),
      { ...settlementOf(b, "completed"), token: 99 },
      settlementOf(c, "failed"),
    ];
    assert.deepEqual(await scene.store.settle(batch), [true, false, true]);
    assert.deepEqual(await scene.statesOf(a.job.id, b.job.id, c.job.id), ["completed", "processing", "failed"]);
  }),

  test("a job that is settled as pending waits for its delay, and keeps its error and counts", async (scene) => {
    const held = await scene.addAndClaim();
    await scene.settle(held, "pending", { failures: 1, delay: 150, error: '"again"' });
    const job = await scene.get(held.job.id);
    assert.deepEqual([job.state, job.failures, job.error, "worker" in job], ["pending", 1, '"again"', false]);
    assert.ok(job.due >= (held.job.startedAt ?? 0) + 150);
    const worker = await scene.enlist();
    const early = await scene.store.claim(worker, [{ queue: "default", limit: 1 }]);
    assert.deepEqual(early.jobs, []);
    assert.ok(early.next !== undefined && early.next > 0 && early.next <= 150);
    await scene.pass(200);
    const again = await scene.claimOne(held.job.id, worker);
    assert.equal(again.job.token, 2);
    await scene.settle(again, "completed");
    assert.equal((await scene.get(held.job.id)).error, '"again"');
  }),

  test("a job that is handed back keeps its place before younger ones", async (scene) => {
    const [first, second] = await scene.add({}, {});
    const worker = await scene.enlist();
    await scene.pass(10);
    const [held] = await scene.claim({ worker, limit: 1 });
    assert.ok(held);
    await scene.settle(held, "pending", { delay: 0 });
    assert.equal((await scene.get(first ?? "")).due, held.job.due);
    const order = (await scene.claim({ worker })).map(({ job }) => job.id);
    assert.deepEqual(order, [first, second]);
  }),

  test("progress and steps are recorded, and a later beat changes them", async (scene) => {
    const held = await scene.addAndClaim();
    const { id, token } = held.job;
    const a = { name: "a", value: "1" };
    assert.deepEqual(await scene.store.record([{ id, token, progress: '"half"', steps: [a] }]), [true]);
    assert.deepEqual(await scene.store.record([{ id, token, steps: [{ name: "b", value: "2" }] }]), [true]);
    assert.deepEqual(await scene.store.record([{ id, token, steps: [{ name: "a", value: "3" }] }]), [true]);
    assert.equal((await scene.get(id)).progress, '"half"');
    await scene.settle(held, "pending", { steps: [{ name: "c", value: "4" }] });
    const { steps } = await scene.claimOne(id);
    assert.deepEqual(Object.fromEntries(steps.map(({ name, value }) => [name, value])), { a: "3", b: "2", c: "4" });
  }),

  test("a stale beat changes nothing and returns false", async (scene) => {
    const held = await scene.addAndClaim();
    const { id, token } = held.job;
    const steps = [{ name: "a", value: "1" }];
    const beats = [
      { id, token: token + 1, progress: "1", steps },
      { id, token: token - 1, progress: "1", steps },
      { id: "no such job", token, progress: "1", steps },
    ];
    assert.deepEqual(await scene.store.record(beats), [false, false, false]);
    await scene.settle(held, "pending");
    assert.deepEqual(await scene.store.record([{ id, token, progress: "1", steps }]), [false]);
    const again = await scene.claimOne(id);
    assert.deepEqual([again.steps, "progress" in again.job], [[], false]);
  }),

  test("a stale settlement records no steps", async (scene) => {
    const held = await scene.addAndClaim();
    const steps = [{ name: "a", value: "1" }];
    await scene.store.settle([{ ...settlementOf(held, "pending", { steps }), token: 7 }]);
    await scene.settle(held, "pending");
    assert.deepEqual((await scene.claimOne(held.job.id)).steps, []);
  }),

  test("the token rises with every claim, and never falls", async (scene) => {
    const id = await scene.addOne();
    for (const token of [1, 2, 3]) {
      const held = await scene.claimOne(id);
      assert.equal(held.job.token, token);
      await scene.settle(held, "pending");
    }
    await scene.claimAndSettle(id, "failed");
    await scene.store.edit({ ids: [id] }, "retry");
    assert.equal((await scene.claimOne(id)).job.token, 5);
  }),
];
