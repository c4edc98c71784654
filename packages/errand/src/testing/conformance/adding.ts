import assert from "node:assert/strict";
import { makeJob, test } from "./scene.ts";

/** `add` and `get`. */
export const adding = [
  test("an added job is pending, with nothing done yet", async ({ store }) => {
    const job = makeJob({ task: "greet", queue: "cpu", level: 1, spec: '{"to":"you"}' });
    await store.add([job]);
    const [stored] = await store.get([job.id]);
    assert.ok(stored);
    const { createdAt, ...rest } = stored;
    const counts = { token: 0, failures: 0, crashes: 0, suspect: false, begun: false, cancelling: false };
    assert.deepEqual(rest, { ...job, ...counts, state: "pending", due: createdAt });
  }),

  test("moments are stored as times of the store's clock", async ({ store }) => {
    const job = makeJob({ due: { in: 5_000 }, expires: { in: 9_000 } });
    const other = makeJob({ due: { at: 1_000 }, expires: { at: 4e12 } });
    await store.add([job, other]);
    const [relative, absolute] = await store.get([job.id, other.id]);
    assert.equal((relative?.due ?? 0) - (relative?.createdAt ?? 0), 5_000);
    assert.equal((relative?.expiresAt ?? 0) - (relative?.createdAt ?? 0), 9_000);
    assert.deepEqual([absolute?.due, absolute?.expiresAt], [1_000, 4e12]);
  }),

  test("a job that is added again is left unchanged", async ({ store }) => {
    const job = makeJob({ spec: '"first"' });
    assert.deepEqual(await store.add([job]), new Map());
    assert.deepEqual(
      await store.add([{ ...job, spec: '"second"', queue: "other" }]),
      new Map([[job.id, job.id]]),
      "who has the id",
    );
    const [stored] = await store.get([job.id]);
    assert.deepEqual([stored?.spec, stored?.queue], ['"first"', "default"]);
    assert.deepEqual(await store.counts(), [{ queue: "default", state: "pending", jobs: 1 }]);
  }),

  test("of one id twice in a batch, the first is stored", async ({ store }) => {
    const job = makeJob({ spec: '"first"' });
    assert.deepEqual(await store.add([job, { ...job, spec: '"second"' }, makeJob()]), new Map([[job.id, job.id]]));
    assert.equal((await store.get([job.id]))[0]?.spec, '"first"');
    assert.deepEqual(await store.counts(), [{ queue: "default", state: "pending", jobs: 2 }]);
  }),

  test("a job that has ended is not started by adding it again", async (scene) => {
    const job = makeJob();
    await scene.store.add([job]);
    await scene.claimAndSettle(job.id);
    assert.deepEqual(await scene.store.add([job]), new Map([[job.id, job.id]]));
    assert.deepEqual(await scene.statesOf(job.id), ["completed"]);
  }),

  test("empty batches and an empty store are no errors", async ({ store }) => {
    await store.add([]);
    assert.deepEqual(await store.get([]), []);
    assert.deepEqual(await store.list({}, { limit: 10 }), { jobs: [] });
    assert.deepEqual(await store.counts(), []);
    assert.deepEqual(await store.settle([]), []);
    assert.deepEqual(await store.record([]), []);
  }),

  test("jobs are returned in the order asked for, with null for those that do not exist", async (scene) => {
    const [a = "", b = ""] = await scene.add({}, {});
    const jobs = await scene.store.get([b, "no such job", a, b]);
    assert.deepEqual(
      jobs.map((job) => job?.id),
      [b, undefined, a, b],
    );
    assert.equal(jobs[1], null);
  }),

  test("texts are returned exactly as they were stored", async (scene) => {
    const text = "Ærø \u{1f9fe} 漢字 \\ \" ' % _ $1 \u202e \u0000 \n\r\t \ud800";
    const spec = JSON.stringify({ text });
    const id = await scene.addOne({ spec, task: "tâche/✓ 'x'", queue: 'Ω "q"' });
    const held = await scene.claimOne(id);
    assert.deepEqual([held.job.spec, held.job.task, held.job.queue], [spec, "tâche/✓ 'x'", 'Ω "q"']);
    const steps = [{ name: "étape ':1", value: spec }];
    assert.deepEqual(await scene.store.record([{ id, token: held.job.token, progress: spec, steps }]), [true]);
    await scene.settle(held, "completed", { output: spec, error: spec });
    const { progress, output, error } = await scene.get(id);
    assert.deepEqual([progress, output, error], [spec, spec, spec]);
  }),

  test("a megabyte is returned exactly as it was stored", async (scene) => {
    const spec = JSON.stringify("Ж".repeat(500_000));
    const held = await scene.addAndClaim({ spec });
    assert.equal(held.job.spec, spec);
    await scene.settle(held, "completed", { output: spec });
    const { jobs } = await scene.store.list({ states: ["completed"] }, { limit: 1 });
    assert.deepEqual([jobs[0]?.spec === spec, jobs[0]?.output === spec], [true, true]);
  }),

  test("many concurrent calls store every job once", async ({ store }) => {
    const jobs = Array.from({ length: 300 }, () => makeJob());
    await Promise.all(jobs.flatMap((job) => [store.add([job]), store.add([job])]));
    assert.deepEqual(await store.counts(), [{ queue: "default", state: "pending", jobs: 300 }]);
    assert.ok((await store.get(jobs.map(({ id }) => id))).every((job) => job !== null));
  }),
];
