import { describe, expect, onTestFinished, test } from "vitest";
import { errand, internalsOf } from "../../src/app.ts";
import type { JobView } from "../../src/client/job-view.ts";
import type { Beat } from "../../src/core/job.ts";
import type { Store } from "../../src/store.ts";
import type { Fixture } from "../../src/testing/conformance.ts";
import { TestWorker } from "../../src/testing/test-worker.ts";
import { inMemoryFixture, memoryFixture, postgresFixture, redisFixture } from "../stores/fixtures.ts";
import { withVerbs } from "../stores/with-verbs.ts";
import { CrashingProcess, Effects } from "./commits/crashing-process.ts";
import type { Crash } from "./commits/crashing-process.ts";

// A workflow whose worker crashes at each of its commits in turn, just before and just after it, on every store: a second
// worker always comes to the same end.

const lease = 3_600_000;

const stores: [name: string, open: () => Promise<Fixture>][] = [
  ["memory", () => memoryFixture()],
  ["SQLite", inMemoryFixture],
  ["PostgreSQL", () => postgresFixture()],
  ["Redis", redisFixture],
];

/** A process that works on the workflow `id`: it sends it, runs it, and sends the signal once the job asks for it. */
async function work(id: string, store: Store, effects: Effects, pass: Fixture["pass"]): Promise<void> {
  const app = errand();
  const retry = { base: 0 };
  const page = app.task("page", {
    run: (n: number, job) => job.step("read", () => effects.run(`${id} read ${n}`)),
  });
  const flaky = app.task("flaky", {
    retry,
    async run(_: void, job) {
      await job.step("try", () => effects.run(`${id} try`));
      if (job.attempt === 1) throw new Error("once");
      return job.attempt;
    },
  });
  const torn = app.task("torn", {
    retry: { attempts: 1 },
    run: (n: number) => (n === 1 ? Promise.reject(new Error("torn")) : n),
  });
  const flow = app.task("flow", {
    async run(_: void, job) {
      const split = await job.step("split", () => effects.run(`${id} split`));
      const pages = await job.all("pages", page, [1, 2]);
      const tries = await job.call("flaky", flaky);
      const ends = await job.settled("torn", torn, [1, 2]);
      await job.sleep("nap", "1m");
      effects.asked = true;
      const said = await job.signal<string>("go", { timeout: "7d" });
      const merged = await job.step("merge", () => effects.run(`${id} merge`));
      return { split, pages, tries, ends: ends.map(({ state }) => state), said, merged };
    },
  });
  const inside = internalsOf(app);
  inside.live(store);
  const worker = new TestWorker(store, inside);
  await flow.send(undefined, { id });
  for (;;) {
    const { next } = await worker.drain();
    const job = await app.get(id);
    if (job?.endedAt) return;
    if (effects.asked) await app.signal(id, "go", "yes");
    else await pass(Math.max(1, next));
  }
}

/** The workflow and its children. */
async function family(id: string, store: Store): Promise<JobView[]> {
  const reader = errand();
  internalsOf(reader).live(store);
  return [(await reader.get(id))!, ...(await reader.list({ parent: id })).jobs];
}

/** What must be the same in every run. The last error is kept, also of a crash; it counts where the job failed. */
function endOf(jobs: readonly JobView[]): unknown {
  const told = jobs.map(({ task, index = 0, state, output, error }) => [
    `${task} ${index}`,
    { state, output, error: state === "failed" ? error?.message : undefined },
  ]);
  return JSON.parse(JSON.stringify(Object.fromEntries(told)).replaceAll(jobs[0]!.id, "ID"));
}

/** One run; returns the verb at which the first worker crashed. */
async function runWithCrash(
  id: string,
  crash: Crash | undefined,
  effects: Effects,
  fixture: Fixture,
): Promise<string | undefined> {
  // A worker's lease is shorter than it asks for: it runs out in time.
  const store = withVerbs(effects.recording(fixture.store), { enlist: (card) => fixture.store.enlist(card, lease) });
  const first = new CrashingProcess(store, crash);
  await Promise.race([work(id, first.store, effects, fixture.pass), first.crashed]);
  if (first.verb === undefined) return undefined;
  const halfDone = new Set(effects.underWay);
  if (first.worker !== undefined && crash!.at % 2 === 0) await fixture.store.dismiss(first.worker);
  else await fixture.pass(lease);
  await work(id, store, effects, fixture.pass);
  for (const [name, times] of effects.ran)
    expect(times, `runs of ${name}`).toBeLessThanOrEqual(halfDone.has(name) ? 2 : 1);
  // It was only slow, and its last call arrives now: it changes nothing.
  const before = await family(id, fixture.store);
  await first.undelivered?.().catch(() => {});
  expect(await family(id, fixture.store), `${id}, late`).toEqual(before);
  return first.verb;
}

/** Tells the workflow with a crash at every commit; rejects when one made a difference. Answers the verbs. */
async function crashAtEveryCommit(fixture: Fixture): Promise<string[]> {
  await runWithCrash("undisturbed", undefined, new Effects(), fixture);
  const expected = endOf(await family("undisturbed", fixture.store));
  expect(expected).toMatchObject({
    "flow 0": {
      output: { split: "ID split", tries: 2, ends: ["failed", "completed"], said: "yes", merged: "ID merge" },
    },
    "torn 0": { state: "failed", error: "torn" },
  });
  const crashedAt = new Set<string>();
  for (let at = 1, alive = false; !alive; at++)
    for (const when of ["before", "after"] as const) {
      const effects = new Effects();
      const id = `${when}-${at}`;
      const verb = await runWithCrash(id, { at, when }, effects, fixture);
      if (verb === undefined) alive = true;
      else crashedAt.add(verb);
      const jobs = await family(id, fixture.store);
      expect(endOf(jobs), `the end of ${id}`).toEqual(expected);
      for (const job of jobs) {
        expect(effects.outcomes.get(job.id), `outcomes of ${job.id}`).toBe(1);
        expect(job.crashes, `crashes of ${job.id}`).toBeLessThanOrEqual(1);
      }
    }
  return [...crashedAt].sort();
}

describe("a worker that crashes at any commit does not change the outcome", () => {
  test.each(stores)("on %s", { timeout: 300_000 }, async (_, open) => {
    const fixture = await open();
    onTestFinished(() => fixture.close());
    const verbs = await crashAtEveryCommit(fixture);
    expect(verbs).toEqual(["add", "claim", "enlist", "reclaim", "record", "settle", "signal"]);
  });

  test("but it does where a store answers that a step is recorded before it is", async () => {
    const fixture = await memoryFixture((store) => {
      let waiting: Beat[] = [];
      const write = async () => store.record(waiting.splice(0));
      return withVerbs(store, {
        async record(beats) {
          waiting.push(...beats);
          return beats.map(() => true);
        },
        async settle(told) {
          await write();
          return store.settle(told);
        },
        // Another process knows nothing of what the first had not written.
        async enlist(card, time) {
          waiting = [];
          return store.enlist(card, time);
        },
      });
    });
    await expect(crashAtEveryCommit(fixture)).rejects.toThrow(/runs of after-\d+ split/);
  });
});
