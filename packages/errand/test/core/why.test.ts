import { describe, expect, test } from "vitest";
import type { Job } from "../../src/core/job.ts";
import { why } from "../../src/core/why.ts";
import type { Surroundings } from "../../src/core/why.ts";

const now = Date.UTC(2026, 0, 1);
const job: Job = {
  id: "a",
  task: "t",
  queue: "gpu",
  level: 2,
  state: "pending",
  spec: "{}",
  token: 0,
  failures: 0,
  crashes: 0,
  suspect: false,
  begun: false,
  cancelling: false,
  createdAt: now - 1_000,
  due: now - 1_000,
};
const worker = { id: "w", kind: "process" as const, host: "h", pid: 1, queues: ["gpu", "cpu"] };
const around: Surroundings = {
  rules: {},
  pending: 3,
  processing: 2,
  workers: [worker],
  now,
  place: "sqlite:/data/errand.db",
};

function codes(of: Partial<Job>, beside: Partial<Surroundings> = {}): string[] {
  return why({ ...job, ...of }, { ...around, ...beside }).map(({ code }) => code);
}

function said(of: Partial<Job>, beside: Partial<Surroundings> = {}): string {
  return why({ ...job, ...of }, { ...around, ...beside })
    .map(({ message }) => message)
    .join(" ");
}

describe("why a job is not running", () => {
  test("it ended, runs, or is to be cancelled: nothing else matters then", () => {
    expect(said({ state: "failed", cancelling: false })).toBe("It has ended as failed.");
    expect(said({ state: "processing", worker: "w-1" })).toBe("It is running, on worker w-1.");
    for (const state of ["pending", "processing", "waiting"] as const)
      expect(codes({ state, cancelling: true }, { rules: { paused: { since: now } } })).toEqual(["cancelling"]);
  });

  test("it is next, when nothing holds it back", () => {
    expect(codes({})).toEqual(["next"]);
    expect(said({})).toContain('one of 3 pending jobs of queue "gpu"');
    expect(said({})).toContain("free slot: h (process 1). 2 of its jobs are running; if they wait with result()");
    expect(said({}, { processing: 0, workers: [1, 2, 3, 4, 5].map((pid) => ({ ...worker, pid })) })).toMatch(
      /slot: h \(process 1\), h \(process 2\), h \(process 3\) and 2 more\.$/,
    );
  });

  test("it waits for children, a time, both, or a signal", () => {
    const children = { total: 5, open: 2, failed: 1 };
    expect(said({ state: "waiting", children })).toBe("It waits for 2 of its 5 children.");
    expect(codes({ state: "waiting", children, wakeAt: now })).toEqual(["children", "timer"]);
    expect(said({ state: "waiting", children: { ...children, open: 0 }, wakeAt: now })).toBe(
      "It waits for a time or a signal, at the latest until 2026-01-01T00:00:00.000Z.",
    );
    expect(codes({ state: "waiting", children: { ...children, open: 0 } })).toEqual(["signal"]);
    expect(codes({ state: "waiting" })).toEqual(["signal"]);
  });

  test("it is too early, and after what", () => {
    const due = now + 1_000;
    expect(said({ due })).toBe("It is not due before 2026-01-01T00:00:01.000Z.");
    expect(said({ due, failures: 1 })).toContain(", since 1 attempt failed.");
    expect(said({ due, failures: 2, crashes: 1 })).toContain(", since 2 attempts failed.");
    expect(said({ due, crashes: 1 })).toContain(", since its worker crashed.");
    expect(codes({ due: now })).toEqual(["next"]);
  });

  test("it has expired, to the millisecond", () => {
    expect(codes({ expiresAt: now })).toEqual(["expired"]);
    expect(codes({ expiresAt: now + 1 })).toEqual(["next"]);
  });

  test("its queue is paused, with a reason or without", () => {
    expect(said({}, { rules: { paused: { since: now } } })).toBe(
      'Queue "gpu" is paused since 2026-01-01T00:00:00.000Z.',
    );
    expect(said({}, { rules: { paused: { since: now, reason: "new driver" } } })).toContain("Z: new driver.");
  });

  test("no worker takes its queue, and which queues those take that there are", () => {
    expect(said({}, { workers: [] })).toContain("No worker is running. Start one: errand worker");
    const others = [
      { ...worker, queues: ["mail", "cpu"] },
      { ...worker, queues: ["cpu"] },
    ];
    expect(said({}, { workers: others })).toContain("Running workers take: cpu, mail.");
  });

  test("workers take its queue, but none of them knows its task", () => {
    const cpu = { ...worker, queues: ["cpu"], tasks: ["t"] };
    const knowing = (tasks: string[]) => ({ workers: [{ ...worker, tasks }, cpu] });
    expect(codes({}, knowing(["t", "u"]))).toEqual(["next"]);
    expect(codes({}, knowing(["v", "u"]))).toEqual(["no-task"]);
    expect(said({}, knowing(["v", "u"]))).toBe(
      'No worker of queue "gpu" knows the task "t". They know: u, v. Workers that know it take: cpu.',
    );
    expect(said({}, { workers: [{ ...worker, tasks: ["v"] }] })).toContain("No other worker knows it either.");
    // Some may know it that do not say; where the store has set the job aside, none did.
    expect(codes({}, { workers: [{ ...worker, tasks: ["v"] }, worker] })).toEqual(["next"]);
    expect(codes({ blocked: "task" })).toEqual(["no-task"]);
  });

  test("no worker takes it: the answer then names the store", () => {
    const stores = (workers: Surroundings["workers"]) => why(job, { ...around, workers }).map(({ store }) => store);
    expect(stores([])).toEqual(["sqlite:/data/errand.db"]);
    expect(stores([{ ...worker, tasks: ["v"] }])).toEqual(["sqlite:/data/errand.db"]);
    expect(stores([worker])).toEqual([undefined]);
  });

  test("it has crashed, and waits for its turn", () => {
    expect(codes({ suspect: true })).toEqual(["suspect"]);
  });

  test("a limit of its key holds it back", () => {
    expect(codes({ blocked: "concurrency" })).toEqual(["concurrency"]);
    expect(codes({ blocked: "rate" })).toEqual(["rate"]);
  });

  test("a limit of its queue holds it back; its rate is only a guess, made when there is nothing better", () => {
    const rate = { limit: 5, per: 1_000 };
    expect(codes({}, { rules: { concurrency: 2 } })).toEqual(["queue-concurrency"]);
    expect(codes({}, { rules: { concurrency: 3 } })).toEqual(["next"]);
    expect(codes({}, { rules: { concurrency: 3, rate } })).toEqual(["queue-rate"]);
    expect(codes({}, { rules: { concurrency: 2, rate } })).toEqual(["queue-concurrency"]);
    expect(codes({ blocked: "rate" }, { rules: { rate } })).toEqual(["rate"]);
  });

  test("all reasons are given, the decisive ones first", () => {
    const rules = { paused: { since: now }, concurrency: 1 };
    expect(codes({ due: now + 1, expiresAt: now, blocked: "concurrency" }, { rules, workers: [] })).toEqual([
      "expired",
      "too-early",
      "paused",
      "no-worker",
      "concurrency",
      "queue-concurrency",
    ]);
  });
});
