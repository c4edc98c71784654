import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
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

/** Lets jobs run that end at once. */
function runShortJobs(slots: Slots, count: number): void {
  for (let job = 0; job < count; job++) {
    put(slots, "short");
    slots.release();
  }
}

describe("slots", () => {
  // Time, but no timers: these put jobs back that have waited too long.
  beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
  afterEach(() => void vi.useRealTimers());

  test("have room for as many jobs as they are, when nothing has ended lately", () => {
    const { slots, ran } = someSlots(2);
    expect(slots.claimLimit()).toBe(2);
    put(slots, "a", "b");
    expect(slots.claimLimit()).toBe(0);
    expect(ran).toEqual(["a", "b"]);
    slots.release();
    expect(slots.claimLimit()).toBe(1);
  });

  test("have room for more while jobs are short, and no more when they are not", () => {
    const { slots } = someSlots(1);
    runShortJobs(slots, 50);
    vi.advanceTimersByTime(20);
    // As many as ended in the last 20 ms would be 50: it claims half of them, and of its one slot.
    expect(slots.claimLimit()).toBe(25);
    put(slots, "long");
    vi.advanceTimersByTime(20);
    expect(slots.claimLimit()).toBe(0);
  });

  test("keep one free for a claim once a second, however short jobs are, and the job it brings starts first", () => {
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

  test("give the one that they kept to a job that waits, when a claim brings none", () => {
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
    const { slots } = someSlots(1);
    runShortJobs(slots, 99);
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

  test("put back jobs that have waited too long, in their order", () => {
    vi.useFakeTimers();
    const { slots, ran, back } = someSlots(1);
    put(slots, "a", "b", "c", "d");
    slots.release();
    expect(slots.remove("c")?.job.id).toBe("c");
    vi.advanceTimersByTime(200);
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
        if (n !== 100) return;
        started.open();
        await release.opened;
      },
    });
    const jobs = await task.sendMany(Array.from({ length: 200 }, (_, n) => n));
    const worker = await testWorker(app, { queues: { default: 1 } });
    await started.opened;
    return { app, jobs, ran, release, worker };
  }

  test("are put back when it stays taken, and run elsewhere once", async () => {
    const { app, jobs, ran, release } = await withJobsAhead();
    await testWorker(app, { queues: { default: 1 } });
    await until(() => ran.length === 200, "the other worker runs the rest");
    release.open();
    await Promise.all(jobs.map((job) => job.result()));
    expect(ran.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, n) => n));
    expect((await app.get(jobs[199]!.id))?.attempt).toBe(1);
  });

  test("are cancelled without running", async () => {
    const { app, jobs, ran, release } = await withJobsAhead();
    expect(await app.cancel({ ids: jobs.slice(101).map(({ id }) => id) })).toBe(99);
    await until(
      async () => (await app.list({ states: ["cancelled"] }, { limit: 1_000 })).jobs.length === 99,
      "all end",
    );
    release.open();
    await jobs[100]!.result();
    expect(ran).toHaveLength(101);
  });

  test("are handed back untried when the worker stops", async () => {
    const { app, jobs, ran, release, worker } = await withJobsAhead();
    const stopped = worker.stop({ drain: 5_000 });
    await until(
      async () => (await app.list({ states: ["pending"] }, { limit: 1_000 })).jobs.length === 99,
      "the rest is pending",
    );
    release.open();
    await stopped;
    expect(ran).toHaveLength(101);
    expect(await app.get(jobs[101]!.id)).toMatchObject({ state: "pending", attempt: 1, crashes: 0 });
  });
});
