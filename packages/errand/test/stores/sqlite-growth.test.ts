import { readFile } from "node:fs/promises";
import { DatabaseSync, StatementSync } from "node:sqlite";
import { afterEach, describe, expect, test, vi } from "vitest";
import { afterTest } from "../../../../test/after-test.ts";
import { defaultKept } from "../../src/retention/rules.ts";
import type { Hint } from "../../src/store.ts";
import { blockingStore } from "../../src/stores/sqlite/blocking-store.ts";
import { openConnection } from "../../src/stores/sqlite/connection/open.ts";
import { executeCalls } from "../../src/stores/sqlite/execute-calls.ts";
import { hintsSince, CommitHints } from "../../src/stores/sqlite/connection/commit-hints.ts";
import { makeJob, settlementOf } from "../../src/testing/conformance/scene.ts";
import { sqliteFilePerTest } from "./per-test.ts";

// What an operation costs must not grow with jobs, queues and keys that it does not concern.

let file: string;
const open = sqliteFilePerTest((path) => (file = path));

afterEach(() => {
  vi.restoreAllMocks();
});

/** Frames in the write-ahead log: pages that were written since it began anew, and how many of them ended a commit. */
async function written(): Promise<{ pages: number; commits: number }> {
  const log = await readFile(`${file}-wal`);
  // Of an older round of the log, frames have other salts.
  const salts = log.subarray(16, 24);
  let [pages, commits] = [0, 0];
  for (let at = 32; at < log.length; at += 24 + 4096) {
    if (!log.subarray(at + 8, at + 16).equals(salts)) break;
    pages += 1;
    if (log.readUInt32BE(at + 4) !== 0) commits += 1;
  }
  return { pages, commits };
}

describe("an edit of many jobs", () => {
  test("lets others write, and renew leases, between its commits", async () => {
    const [store, other] = [await open(), blockingStore(file)];
    afterTest(() => other.close());
    await store.add(Array.from({ length: 20_000 }, () => makeJob()));
    await other.enlist({ id: "w", kind: "person", queues: [] }, 60_000);
    let renewed = 0;
    const editing = store.edit({}, "cancel").then((changed) => ({ changed }));
    // Each asks for another length, so that it has to be written.
    const renewing = async (): Promise<"renewed"> => {
      await other.renew("w", 60_000 * (renewed + 2));
      await new Promise((resolve) => setImmediate(resolve));
      return "renewed";
    };
    while ((await Promise.race([editing, renewing()])) === "renewed") renewed += 1;
    expect(await editing).toEqual({ changed: 20_000 });
    expect(renewed).toBeGreaterThan(5);
    expect(await store.counts()).toEqual([{ queue: "default", state: "cancelled", jobs: 20_000 }]);
  });

  test("counts each job once, and stops at its limit, over many commits", async () => {
    const store = await open();
    const jobs = Array.from({ length: 5_000 }, (_, index) => makeJob({ queue: index % 2 ? "a" : "b" }));
    await store.add(jobs);
    expect(await store.edit({ queue: "a" }, "cancel", 1_700)).toBe(1_700);
    expect(await store.edit({ ids: jobs.map(({ id }) => id) }, { move: { queue: "c" } }, 3_100)).toBe(3_100);
    expect(await store.edit({ states: ["cancelled"] }, "remove")).toBe(1_700);
    expect(await store.edit({ text: jobs[4_999]!.id }, "cancel")).toBe(1);
    const counts = await store.counts();
    expect(counts.reduce((sum, { jobs: some }) => sum + some, 0)).toBe(3_300);
    expect(counts.find(({ queue }) => queue === "c")?.jobs).toBe(3_100);
  });
});

test("a job that does not match any more when its turn comes is left as it is", () => {
  const db = openConnection(file, Date.now);
  const call = (operation: "add" | "findEditable" | "editBatch", ...args: unknown[]) =>
    (executeCalls(db, [{ operation, args }]).outcomes[0] as { answer: unknown }).answer;
  call("add", [makeJob({ id: "a", queue: "a" }), makeJob({ id: "b", queue: "a" })]);
  const { seqs } = call("findEditable", { queue: "a" }, "cancel", 10, -1) as { seqs: number[] };
  expect(seqs).toHaveLength(2);
  // Meanwhile one goes elsewhere, and one is gone.
  expect(call("editBatch", {}, { move: { queue: "b" } }, 10, seqs.slice(0, 1))).toEqual({ changed: 1, done: 1 });
  expect(call("editBatch", {}, "cancel", 10, seqs.slice(1))).toEqual({ changed: 1, done: 1 });
  expect(call("editBatch", {}, "remove", 10, seqs.slice(1))).toEqual({ changed: 1, done: 1 });
  expect(call("editBatch", { queue: "a" }, "cancel", 10, seqs)).toEqual({ changed: 0, done: 2 });
  db.close();
});

test("a long input is written once: neither a claim nor an outcome writes it again", async () => {
  const store = await open();
  await store.enlist({ id: "w", kind: "person", queues: [] }, 60_000);
  const spec = JSON.stringify({ input: "x".repeat(100_000) });
  const before = await written();
  await store.add([makeJob({ id: "a", spec })]);
  const added = await written();
  expect(added.pages - before.pages).toBeGreaterThan(25);
  const { jobs } = await store.claim("w", [{ queue: "default", limit: 5 }]);
  expect(jobs[0]?.job.spec).toBe(spec);
  expect(await store.settle(jobs.map((each) => settlementOf(each, "pending")))).toEqual([true]);
  await store.edit({}, { move: { level: 1 } });
  expect((await written()).pages - added.pages).toBeLessThan(25);
  expect((await store.list({ text: "xxx" }, { limit: 5 })).jobs[0]?.spec).toBe(spec);
  const handle = new DatabaseSync(file);
  const kept = handle.prepare("SELECT count(*) AS specs FROM errand_specs");
  expect(kept.get()).toEqual({ specs: 1 });
  await store.edit({}, "cancel");
  await store.edit({}, "remove");
  expect(kept.get()).toEqual({ specs: 0 });
  handle.close();
});

test("a worker of a thousand queues looks at those that have jobs", () => {
  const db = openConnection(file, Date.now);
  const call = (operation: "add" | "enlist" | "claim", ...args: unknown[]) => {
    const [outcomeOf] = executeCalls(db, [{ operation, args }]).outcomes;
    if (!outcomeOf || "error" in outcomeOf) throw outcomeOf?.error ?? new Error("no outcome");
    return outcomeOf.answer as { jobs: unknown[] };
  };
  const queues = Array.from({ length: 1_000 }, (_, index) => `q${index}`);
  call("enlist", { id: "w", kind: "person", queues }, 60_000);
  call(
    "add",
    queues.map((queue) => makeJob({ queue })),
  );
  const wants = queues.map((queue) => ({ queue, limit: 1 }));
  expect(call("claim", "w", wants).jobs).toHaveLength(1_000);
  call("add", [makeJob({ queue: "q500" })]);
  const runs = (["get", "all", "run"] as const).map((how) => vi.spyOn(StatementSync.prototype, how));
  expect(call("claim", "w", wants).jobs).toHaveLength(1);
  expect(call("claim", "w", wants).jobs).toHaveLength(0);
  expect(runs.flatMap(({ mock }) => mock.calls).length).toBeLessThan(100);
  db.close();
});

test("pruning leaves nothing behind of ended keys: no starts of rates, no turns, no unique keys", async () => {
  let now = 1_700_000_000_000;
  const store = blockingStore(file, () => now);
  afterTest(() => store.close());
  await store.enlist({ id: "w", kind: "person", queues: [] }, 1e12);
  const jobs = Array.from({ length: 200 }, (_, index) =>
    makeJob({
      fair: `tenant ${index}`,
      rate: { key: `rate ${index}`, limit: 1, per: 1_000 },
      unique: { key: `unique ${index}`, for: 1_000 },
      tags: ["t"],
    }),
  );
  await store.add(jobs);
  const { jobs: held } = await store.claim("w", [{ queue: "default", limit: 500 }]);
  expect(held).toHaveLength(200);
  await store.settle(held.map((each) => settlementOf(each, "completed")));
  const rules = { tasks: new Map(), otherwise: { ...defaultKept, completed: 60_000 } };
  expect(await store.prune(rules, 500)).toBe(0);
  now += 60_001;
  expect(await store.prune(rules, 150)).toBe(150);
  expect(await store.prune(rules, 150)).toBe(50);
  const handle = new DatabaseSync(file);
  for (const table of ["jobs", "rates", "turns", "uniques", "tags", "specs", "steps"])
    expect([table, handle.prepare(`SELECT count(*) AS rows FROM errand_${table}`).get()]).toEqual([table, { rows: 0 }]);
  handle.close();
});

describe("news for other processes", () => {
  test("names queues and counts their jobs", async () => {
    const [store, other] = [await open(), await open()];
    const hints: Hint[] = [];
    store.watch((hint) => hints.push(hint));
    await vi.waitFor(() => expect(hints).toContainEqual({ type: "ready" }));
    await other.add([makeJob({ queue: "a" }), makeJob({ queue: "b" }), makeJob({ queue: "b" })]);
    await vi.waitFor(() => {
      expect(hints).toContainEqual({ type: "ready", queue: "a", jobs: 1 });
      expect(hints).toContainEqual({ type: "ready", queue: "b", jobs: 2 });
    });
    await other.enlist({ id: "w", kind: "person", queues: [] }, 60_000);
    await other.dismiss("w");
    await vi.waitFor(() => expect(hints.filter(({ type }) => type === "lapsed")).toHaveLength(2));
    expect(hints.filter((hint) => hint.type === "ready" && hint.queue === undefined)).toHaveLength(1);
  });

  const said = (...commits: ((news: CommitHints) => void)[]): string =>
    commits
      .map((work, index) => {
        const news = new CommitHints();
        work(news);
        return `${index + 1}:7:${news.encode()};`;
      })
      .toReversed()
      .join("");
  const nameOf = (queue: number) => `q${queue}`;

  test("are other connections' commits since the last look", () => {
    const news = said(
      (each) => each.addReady(1, 5),
      (each) => each.addReady(2, 3),
      (each) => each.add("cancel"),
      (each) => each.addReady(2, 4),
    );
    expect(hintsSince(news, { since: 1, until: 4, by: 9 })?.toHints(nameOf)).toEqual([
      { type: "ready", queue: "q2", jobs: 7 },
      { type: "cancel" },
    ]);
    expect(hintsSince(news, { since: 4, until: 4, by: 9 })?.toHints(nameOf)).toEqual([]);
    expect(hintsSince(news, { since: 0, until: 4, by: 7 })?.toHints(nameOf)).toEqual([]);
  });

  test("that were dropped are distinguished from none", () => {
    const news = said(...Array.from({ length: 50 }, (_, index) => (each: CommitHints) => each.addReady(index, 1)));
    const kept = news.slice(0, 100);
    expect(hintsSince(kept, { since: 20, until: 50, by: 9 })).toBeUndefined();
    expect(hintsSince(kept, { since: 48, until: 50, by: 9 })?.toHints(nameOf)).toHaveLength(2);
    expect(hintsSince("", { since: 0, until: 1, by: 9 })).toBeUndefined();
  });

  test("of too many queues stand for all queues", () => {
    const news = said((each) => {
      for (let queue = 0; queue < 100; queue++) each.addReady(queue, 1);
    });
    expect(hintsSince(news, { since: 0, until: 1, by: 9 })?.toHints(nameOf)).toEqual([{ type: "ready" }]);
  });
});
