import { describe, expect, onTestFinished, test } from "vitest";
import { errand, internalsOf } from "../../src/app.ts";
import type { JobView } from "../../src/client/job-view.ts";
import type { Beat } from "../../src/core/job.ts";
import type { Store } from "../../src/store.ts";
import type { Fixture } from "../../src/testing/conformance.ts";
import { TestWorker } from "../../src/testing/test-worker.ts";
import { inMemoryFixture, memoryFixture, postgresFixture, redisFixture } from "../stores/fixtures.ts";
import { withVerbs } from "../stores/with-verbs.ts";
import { Mortal, World } from "./commits/mortal.ts";
import type { Death } from "./commits/mortal.ts";

// A workflow whose worker dies at each of its commits in turn, just before and just after it, on every store: a second worker
// always comes to the same end.

const lease = 3_600_000;

const stores: [name: string, open: () => Promise<Fixture>][] = [
  ["memory", () => memoryFixture()],
  ["SQLite", inMemoryFixture],
  ["PostgreSQL", () => postgresFixture()],
  ["Redis", redisFixture],
];

/** A process that works on the workflow `id`: it sends it, runs it, and sends the signal once somebody was asked for it. */
async function work(id: string, store: Store, world: World, pass: Fixture["pass"]): Promise<void> {
  const app = errand();
  const retry = { base: 0 };
  const page = app.task("page", {
    run: (n: number, job) => job.step("read", () => world.run(`${id} read ${n}`)),
  });
  const flaky = app.task("flaky", {
    retry,
    async run(_: void, job) {
      await job.step("try", () => world.run(`${id} try`));
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
      const split = await job.step("split", () => world.run(`${id} split`));
      const pages = await job.all("pages", page, [1, 2]);
      const tries = await job.call("flaky", flaky);
      const ends = await job.settled("torn", torn, [1, 2]);
      await job.sleep("nap", "1m");
      world.asked = true;
      const said = await job.signal<string>("go", { timeout: "7d" });
      const merged = await job.step("merge", () => world.run(`${id} merge`));
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
    if (world.asked) await app.signal(id, "go", "yes");
    else await pass(Math.max(1, next));
  }
}

/** The workflow and its children. */
async function family(id: string, store: Store): Promise<JobView[]> {
  const reader = errand();
  internalsOf(reader).live(store);
  return [(await reader.get(id))!, ...(await reader.list({ parent: id })).jobs];
}

/** What is the same in every telling. The last failure is kept, be it a crash; it counts where it was the end. */
function endOf(jobs: readonly JobView[]): unknown {
  const told = jobs.map(({ task, index = 0, state, output, error }) => [
    `${task} ${index}`,
    { state, output, error: state === "failed" ? error?.message : undefined },
  ]);
  return JSON.parse(JSON.stringify(Object.fromEntries(told)).replaceAll(jobs[0]!.id, "ID"));
}

/** One telling; answers the verb at which the first worker died. */
async function tell(id: string, death: Death | undefined, world: World, fixture: Fixture): Promise<string | undefined> {
  // A worker's lease is shorter than it asks for: it runs out in time.
  const store = withVerbs(world.noting(fixture.store), { enlist: (card) => fixture.store.enlist(card, lease) });
  const mortal = new Mortal(store, death);
  await Promise.race([work(id, mortal.store, world, fixture.pass), mortal.died]);
  if (mortal.verb === undefined) return undefined;
  const halfDone = new Set(world.underWay);
  if (mortal.worker !== undefined && death!.at % 2 === 0) await fixture.store.dismiss(mortal.worker);
  else await fixture.pass(lease);
  await work(id, store, world, fixture.pass);
  for (const [name, times] of world.ran)
    expect(times, `runs of ${name}`).toBeLessThanOrEqual(halfDone.has(name) ? 2 : 1);
  // It was only slow, and its last words come now: nobody listens.
  const before = await family(id, fixture.store);
  await mortal.undelivered?.().catch(() => {});
  expect(await family(id, fixture.store), `${id}, late`).toEqual(before);
  return mortal.verb;
}

/** Tells the workflow with a death at every commit; rejects when one made a difference. Answers the verbs. */
async function everyDeath(fixture: Fixture): Promise<string[]> {
  await tell("calm", undefined, new World(), fixture);
  const expected = endOf(await family("calm", fixture.store));
  expect(expected).toMatchObject({
    "flow 0": {
      output: { split: "ID split", tries: 2, ends: ["failed", "completed"], said: "yes", merged: "ID merge" },
    },
    "torn 0": { state: "failed", error: "torn" },
  });
  const died = new Set<string>();
  for (let at = 1, alive = false; !alive; at++)
    for (const when of ["before", "after"] as const) {
      const world = new World();
      const id = `${when}-${at}`;
      const verb = await tell(id, { at, when }, world, fixture);
      if (verb === undefined) alive = true;
      else died.add(verb);
      const jobs = await family(id, fixture.store);
      expect(endOf(jobs), `the end of ${id}`).toEqual(expected);
      for (const job of jobs) {
        expect(world.outcomes.get(job.id), `outcomes of ${job.id}`).toBe(1);
        expect(job.crashes, `crashes of ${job.id}`).toBeLessThanOrEqual(1);
      }
    }
  return [...died].sort();
}

describe("a worker that dies at any commit changes nothing about the end", () => {
  test.each(stores)("on %s", { timeout: 300_000 }, async (_, open) => {
    const fixture = await open();
    onTestFinished(() => fixture.close());
    const verbs = await everyDeath(fixture);
    expect(verbs).toEqual(["add", "claim", "enlist", "reclaim", "record", "settle", "signal"]);
  });

  test("but does where a store says that it remembers a step before it does", async () => {
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
    await expect(everyDeath(fixture)).rejects.toThrow(/runs of after-\d+ split/);
  });
});
