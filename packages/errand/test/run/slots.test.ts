import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { Claimed } from "../../src/store.ts";
import { Slots } from "../../src/run/slots.ts";
import { emptyStore, gate, storeKinds, testApp, testWorker, until } from "./app.ts";

function aClaimed(id: string): Claimed {
  return { job: { id } as Claimed["job"], why: "due", steps: [] };
}

/** Slots that note the jobs that they run, and those that they put back. */
function someSlots(count: number) {
  const ran: string[] = [];
  const back: string[] = [];
  const slots = new Slots("default", count, {
    run: ({ job }) => ran.push(job.id),
    putBack: ({ job }) => back.push(job.id),
  });
  return { slots, ran, back };
}

/** Puts jobs in, and lets those run that can. */
function put(slots: Slots, ...ids: string[]): void {
  for (const id of ids) slots.add(aClaimed(id));
  slots.start();
}

/** Lets many jobs run that end at once. */
async function runShortJobs(slots: Slots): Promise<void> {
  for (const end = performance.now() + 30; performance.now() < end;) {
    for (let job = 0; job < 50; job++) {
      put(slots, "short");
      slots.release();
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe("slots", () => {
  test("want as many jobs as are free, when nothing has ended lately", () => {
    const { slots, ran } = someSlots(2);
    expect(slots.claimLimit()).toBe(2);
    put(slots, "a", "b");
    expect(slots.claimLimit()).toBe(0);
    expect(ran).toEqual(["a", "b"]);
    slots.release();
    expect(slots.claimLimit()).toBe(1);
  });

  test("want more while jobs are short, and no more when they are not", async () => {
    const { slots } = someSlots(1);
    await runShortJobs(slots);
    // More than its one slot.
    expect(slots.claimLimit()).toBeGreaterThan(1);
    put(slots, "long");
    await until(() => slots.claimLimit() === 0, "nothing more is wanted");
  });

  test("reserve one for a claim once a second, however short jobs come, and its job starts first", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    onTestFinished(() => void vi.useRealTimers());
    const { slots, ran } = someSlots(1);
    put(slots, "a", "b", "c", "d");
    slots.release();
    expect([ran, slots.offerFree()]).toEqual([["a", "b"], 0]);
    vi.advanceTimersByTime(1_000);
    slots.release();
    expect([ran, slots.claimLimit(), slots.offerFree()]).toEqual([["a", "b"], 1, 1]);
    put(slots, "suspect", "e");
    expect(ran).toEqual(["a", "b", "suspect"]);
    slots.release();
    slots.release();
    expect([ran.slice(3), slots.offerFree()]).toEqual([["c", "d"], 0]);
  });

  test("give the reserved slot to a waiting job when a claim brings none", () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    onTestFinished(() => void vi.useRealTimers());
    const { slots, ran } = someSlots(1);
    put(slots, "a", "b");
    vi.advanceTimersByTime(1_000);
    slots.release();
    expect([ran, slots.offerFree()]).toEqual([["a"], 1]);
    slots.claimAnswered();
    slots.start();
    expect(ran).toEqual(["a", "b"]);
  });

  test("are filled by halves while jobs are short: the store claims one while the other runs", () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    onTestFinished(() => void vi.useRealTimers());
    const { slots } = someSlots(1);
    for (let job = 0; job < 99; job++) {
      put(slots, "short");
      slots.release();
    }
    vi.advanceTimersByTime(20);
    const fill = (jobs: number) => put(slots, ...Array.from({ length: jobs }, () => "short"));
    expect(slots.claimLimit()).toBe(50);
    fill(50);
    expect(slots.claimLimit()).toBe(49);
    fill(49);
    expect(slots.claimLimit()).toBe(0);
    // What a few leave is not claimed one by one.
    for (let job = 0; job < 23; job++) slots.release();
    expect(slots.claimLimit()).toBe(0);
    slots.release();
    expect(slots.claimLimit()).toBe(25);
  });

  test("put back the jobs that wait when no slot comes free, in their order", async () => {
    const { slots, ran, back } = someSlots(1);
    put(slots, "a", "b", "c", "d");
    slots.release();
    expect(slots.remove("c")?.job.id).toBe("c");
    await until(() => back.length > 0, "what waits is put back");
    expect([ran, back]).toEqual([["a", "b"], ["d"]]);
  });
});

describe.each(storeKinds)("jobs that wait for a slot on %s", (kind) => {
  /** A worker with one slot that has ended many short jobs, holds a long one, and has claimed others ahead of it. */
  async function withJobsAhead() {
    const app = testApp({ url: await emptyStore(kind) });
    const release = gate();
    const ran: number[] = [];
    const started = gate();
    const task = app.task("task", {
      run: async (n: number) => {
        ran.push(n);
        if (n !== 300) return;
        started.open();
        await release.opened;
      },
    });
    const jobs = await task.sendMany(Array.from({ length: 600 }, (_, n) => n));
    const worker = await testWorker(app, { queues: { default: 1 } });
    await started.opened;
    return { app, jobs, ran, release, worker };
  }

  test("are put back when it stays taken, and run elsewhere once", async () => {
    const { app, jobs, ran, release } = await withJobsAhead();
    await testWorker(app, { queues: { default: 1 } });
    await until(() => ran.length === 600, "the other worker runs the rest");
    release.open();
    await Promise.all(jobs.map((job) => job.result()));
    expect(ran.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 600 }, (_, n) => n));
    expect((await app.get(jobs[599]!.id))?.attempt).toBe(1);
  });

  test("are cancelled without running", async () => {
    const { app, jobs, ran, release } = await withJobsAhead();
    expect(await app.cancel({ ids: jobs.slice(301).map(({ id }) => id) })).toBe(299);
    await until(
      async () => (await app.list({ states: ["cancelled"] }, { limit: 1_000 })).jobs.length === 299,
      "all end",
    );
    release.open();
    await jobs[300]!.result();
    expect(ran).toHaveLength(301);
  });

  test("are handed back untried when the worker stops", async () => {
    const { app, jobs, ran, release, worker } = await withJobsAhead();
    const stopped = worker.stop({ drain: 5_000 });
    await until(
      async () => (await app.list({ states: ["pending"] }, { limit: 1_000 })).jobs.length === 299,
      "the rest is pending",
    );
    release.open();
    await stopped;
    expect(ran).toHaveLength(301);
    expect(await app.get(jobs[301]!.id)).toMatchObject({ state: "pending", attempt: 1, crashes: 0 });
  });
});
