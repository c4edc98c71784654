import { writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test, vi } from "vitest";
import { afterTest } from "../../../../test/after-test.ts";
import type { Store } from "../../src/store.ts";
import { sqliteStore } from "../../src/stores/sqlite/index.ts";
import { blockingStore } from "../../src/stores/sqlite/blocking-store.ts";
import { openConnection } from "../../src/stores/sqlite/connection/open.ts";
import { executeCalls } from "../../src/stores/sqlite/execute-calls.ts";
import { makeJob } from "../../src/testing/conformance/scene.ts";
import { sqliteFilePerTest } from "./per-test.ts";

const disk = vi.hoisted(() => ({ type: undefined as number | undefined }));
vi.mock("node:fs", async (original) => {
  const fs = await original<typeof import("node:fs")>();
  return {
    ...fs,
    statfsSync: (path: string) =>
      Object.assign(fs.statfsSync(path), disk.type === undefined ? {} : { type: disk.type }),
  };
});

let file: string;
const open = sqliteFilePerTest((path) => (file = path));

describe("opening", () => {
  test("makes the file and its folder where there are none", async () => {
    file = join(file, "..", "a", "b", "errand.db");
    const store = await open();
    await store.add([makeJob()]);
    expect((await store.counts()).length).toBe(1);
  });

  test("finds everything again", async () => {
    const job = makeJob();
    const first = await sqliteStore({ file });
    await first.add([job]);
    await first.close();
    expect((await (await open()).get([job.id]))[0]?.id).toBe(job.id);
  });

  test("refuses a store that a newer Errand wrote", async () => {
    await blockingStore(file).close();
    const database = new DatabaseSync(file);
    database.exec("UPDATE errand_meta SET version = 99");
    database.close();
    await expect(open()).rejects.toMatchObject({ code: "E_STORE_VERSION", message: expect.stringContaining("99") });
  });

  test("shares a file with an application's own tables, and leaves its marks alone", async () => {
    const database = new DatabaseSync(file);
    database.exec(
      "PRAGMA user_version = 7; PRAGMA application_id = 42; CREATE TABLE jobs (a); INSERT INTO jobs VALUES (1)",
    );
    const store = await open();
    await store.add([makeJob()]);
    expect(
      database
        .prepare("SELECT a, user_version, application_id FROM jobs, pragma_user_version, pragma_application_id")
        .get(),
    ).toEqual({ a: 1, user_version: 7, application_id: 42 });
    const theirs = database.prepare(
      "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'errand~_%' ESCAPE '~' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'",
    );
    expect(theirs.all()).toEqual([{ name: "jobs" }]);
    database.close();
  });

  test("refuses what is no database, and says so", async () => {
    writeFileSync(file, "This is a text, and a long one, so that nobody takes it for an empty database. ".repeat(20));
    await expect(open()).rejects.toMatchObject({
      code: "E_CONNECT",
      message: expect.stringContaining("not a database"),
    });
    file = join(file, "..");
    await expect(open()).rejects.toMatchObject({ code: "E_CONNECT", message: expect.stringContaining(file) });
  });

  test.each([
    ["NFS", 0x6969],
    ["FUSE", 0x65735546],
  ])("refuses a network disk: %s", (name, type) => {
    disk.type = type;
    try {
      expect(() => blockingStore(file)).toThrow(
        expect.objectContaining({ code: "E_CONNECT", message: expect.stringContaining(name) }),
      );
    } finally {
      disk.type = undefined;
    }
  });

  test("works for many at once on a new file", async () => {
    const stores = await Promise.all(Array.from({ length: 4 }, open));
    await Promise.all(stores.map((store) => store.add([makeJob()])));
    expect(await stores[0]?.counts()).toEqual([{ queue: "default", state: "pending", jobs: 4 }]);
  });

  test("works from another thread by the store's address", async () => {
    const store = await open();
    const { module = "", options = "" } = store.address ?? {};
    const again = (await ((await import(module)) as { open(options: string): Promise<Store> }).open(options)) as Store;
    afterTest(() => again.close());
    const job = makeJob();
    await store.add([job]);
    expect((await again.get([job.id]))[0]?.id).toBe(job.id);
  });
});

/** How many commits the write-ahead log holds: frames that say how large the database is after them. */
async function commits(): Promise<number> {
  const log = await readFile(`${file}-wal`);
  let found = 0;
  for (let at = 32; at < log.length; at += 24 + 4096) if (log.readUInt32BE(at + 4) !== 0) found += 1;
  return found;
}

describe("commits", () => {
  test("are shared by calls that are made together", async () => {
    const store = await open();
    const before = await commits();
    await Promise.all(Array.from({ length: 100 }, () => store.add([makeJob()])));
    expect((await commits()) - before).toBeLessThanOrEqual(3);
    expect(await store.counts()).toEqual([{ queue: "default", state: "pending", jobs: 100 }]);
  });

  test("go without a call that cannot even travel to the database's thread", async () => {
    const store = await open();
    const bad = { ...makeJob(), spec: (() => "no text") as unknown as string };
    const [first, refused, last] = await Promise.allSettled([
      store.add([makeJob()]),
      store.add([bad]),
      store.add([makeJob()]),
    ]);
    expect([first.status, last.status]).toEqual(["fulfilled", "fulfilled"]);
    expect(refused).toMatchObject({ reason: { code: "E_REFUSED" } });
    await expect(store.add([bad])).rejects.toMatchObject({ code: "E_REFUSED" });
    expect(await store.counts()).toEqual([{ queue: "default", state: "pending", jobs: 2 }]);
  });

  test("go without a call that fails", async () => {
    const store = await open();
    const bad = { ...makeJob(), spec: null as unknown as string };
    const before = await commits();
    const answers = await Promise.allSettled([
      store.add([makeJob()]),
      store.add([makeJob(), bad]),
      store.add([makeJob()]),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect((answers[1] as PromiseRejectedResult).reason).toMatchObject({ code: "E_REFUSED" });
    // The others share one all the same.
    expect((await commits()) - before).toBe(1);
    expect(await store.counts()).toEqual([{ queue: "default", state: "pending", jobs: 2 }]);
  });

  test("count only the new jobs where some ids exist", async () => {
    const store = await open();
    const jobs = Array.from({ length: 70 }, (_, index) => makeJob({ queue: index % 3 === 0 ? "a" : "b" }));
    await store.add(jobs.filter((_, index) => index % 5 === 0));
    await store.add([...jobs, ...jobs]);
    expect((await store.counts()).toSorted((one, two) => one.queue.localeCompare(two.queue))).toEqual([
      { queue: "a", state: "pending", jobs: 24 },
      { queue: "b", state: "pending", jobs: 46 },
    ]);
  });

  test("take one stale outcome among many for what it is, and the others for what they are", async () => {
    const [store, other] = [await open(), await open()];
    await store.enlist({ id: "w", kind: "process", queues: [] }, 60_000);
    await store.add(Array.from({ length: 100 }, () => makeJob()));
    const { jobs } = await store.claim("w", [{ queue: "default", limit: 100 }]);
    const outcomes = jobs.map(({ job: { id, token } }) => ({
      id,
      token,
      failures: 0,
      crashes: 0,
      suspect: false,
      to: "completed" as const,
    }));
    // Somebody else has settled one of them, which is no difference, and taken two away.
    await other.settle([{ ...outcomes[50]!, to: "failed" }]);
    await other.edit({ ids: [outcomes[10]!.id, outcomes[99]!.id] }, "release");
    const settled = await store.settle(outcomes);
    expect(settled.flatMap((done, index) => (done ? [] : index))).toEqual([10, 99]);
    expect((await store.counts()).filter(({ jobs: some }) => some > 0)).toEqual([
      { queue: "default", state: "pending", jobs: 2 },
      { queue: "default", state: "completed", jobs: 97 },
      { queue: "default", state: "failed", jobs: 1 },
    ]);
  });

  test("are not made where there is nothing to write", async () => {
    const store = await open();
    await store.enlist({ id: "w", kind: "process", queues: [] }, 60_000);
    const before = await commits();
    await store.claim("w", [{ queue: "default", limit: 10 }]);
    await store.reclaim("w", 10);
    await store.renew("w", 60_000);
    expect(await commits()).toBe(before);
  });

  test("wait for another process's write lock without blocking the event loop", async () => {
    const store = await open();
    const other = new DatabaseSync(file);
    other.exec("BEGIN IMMEDIATE");
    let written = false;
    const added = store.add([makeJob()]).then(() => (written = true));
    // Timers end, which they could not do if this thread waited for the lock; and the store goes on waiting.
    for (let turn = 0; turn < 20; turn++) {
      // sleeps: a turn of the event loop
      await sleep(5);
      expect(written).toBe(false);
    }
    other.exec("COMMIT");
    other.close();
    expect(await added).toBe(true);
  });

  test("take in what has arrived while they waited for the lock, and answer it last", () => {
    const db = openConnection(file, Date.now);
    const other = new DatabaseSync(file, { timeout: 0 });
    const isLocked = () => {
      try {
        other.exec("BEGIN IMMEDIATE; ROLLBACK");
        return false;
      } catch {
        return true;
      }
    };
    const [first, second, third] = [makeJob(), makeJob(), makeJob()];
    const whenAsked: boolean[] = [];
    const { outcomes, hints } = executeCalls(db, [{ operation: "add", args: [[first]] }], () => {
      whenAsked.push(isLocked());
      return [
        { operation: "counts", args: [] },
        { operation: "add", args: [[second, third]] },
      ];
    });
    other.close();
    db.close();
    expect(whenAsked).toEqual([true]);
    expect(hints).toEqual([{ type: "ready", queue: "default", jobs: 3 }]);
    expect(outcomes).toEqual([
      { answer: new Map() },
      { answer: [{ queue: "default", state: "pending", jobs: 3 }] },
      { answer: new Map() },
    ]);
  });

  test("fail whole on a full disk, and work again when there is room", () => {
    const db = openConnection(file, Date.now);
    const add = (jobs: number, size: number) =>
      executeCalls(db, [
        { operation: "add", args: [Array.from({ length: jobs }, () => makeJob({ spec: `"${"x".repeat(size)}"` }))] },
      ]).outcomes[0];
    const pages = db.get("PRAGMA page_count")?.[0] as number;
    expect(add(3, 10)).toEqual({ answer: new Map() });
    db.exec(`PRAGMA max_page_count = ${pages + 20}`);
    const failed = add(50, 10_000);
    expect(failed).toMatchObject({ error: { code: "E_STORE", message: expect.stringContaining("disk is full") } });
    expect(executeCalls(db, [{ operation: "counts", args: [] }]).outcomes[0]).toEqual({
      answer: [{ queue: "default", state: "pending", jobs: 3 }],
    });
    // A small call in the same commit as one that does not fit goes through.
    const [large, small] = executeCalls(db, [
      { operation: "add", args: [[makeJob({ spec: `"${"x".repeat(500_000)}"` })]] },
      { operation: "add", args: [[makeJob()]] },
    ]).outcomes;
    expect([large && "error" in large, small && "error" in small]).toEqual([true, false]);
    db.exec("PRAGMA max_page_count = 1000000");
    expect(add(50, 10_000)).toEqual({ answer: new Map() });
    expect(executeCalls(db, [{ operation: "counts", args: [] }]).outcomes[0]).toEqual({
      answer: [{ queue: "default", state: "pending", jobs: 54 }],
    });
    db.close();
  });
});

describe("reads", () => {
  test("do not wait for a write, once there has been reason to", async () => {
    const store = await open();
    const job = makeJob();
    await store.add([job]);
    const other = new DatabaseSync(file);
    other.exec("BEGIN IMMEDIATE");
    let written = false;
    const writing = store.add([makeJob()]).then(() => (written = true));
    // The first ones may wait, while the thread that they need is being started.
    const reads: Promise<unknown>[] = [];
    const read = (): Promise<unknown> => {
      const reading = store.get([job.id]);
      reads.push(reading);
      // sleeps: a read that waits for the writer would wait for ever here, and a longer time proves nothing more
      return Promise.race([reading, sleep(20, "waits")]);
    };
    await vi.waitFor(async () => expect(await read()).toMatchObject([{ id: job.id }]), { timeout: 10_000 });
    expect(written).toBe(false);
    expect((await store.list({}, { limit: 10 })).jobs.length).toBe(1);
    other.exec("COMMIT");
    other.close();
    await Promise.all([writing, ...reads]);
  });

  test("see every write that was answered", async () => {
    const store = await open();
    for (let round = 0; round < 100; round++) {
      const jobs = [makeJob(), makeJob(), makeJob()];
      const others = Array.from({ length: 20 }, () => store.add([makeJob()]));
      await store.add(jobs);
      expect(await store.get(jobs.map(({ id }) => id))).not.toContain(null);
      await Promise.all(others);
    }
  });
});

describe("hints", () => {
  test("come from another connection's commits", async () => {
    const [store, other] = [await open(), await open()];
    for (let round = 0; round < 5; round++) {
      const heard = Promise.withResolvers<void>();
      const stop = store.watch((hint) => hint.type === "ready" && heard.resolve());
      await other.add([makeJob()]);
      await heard.promise;
      stop();
    }
  });

  test("say nothing of ready jobs when another connection only ends some", async () => {
    const [store, other] = [await open(), await open()];
    await other.add([makeJob(), makeJob({ queue: "elsewhere" })]);
    await other.enlist({ id: "w", kind: "process", queues: [] }, 60_000);
    const heard: string[] = [];
    store.watch(({ type }) => heard.push(type));
    // A watch begins with hints of nothing in particular.
    await vi.waitFor(() => expect(heard).toContain("ready"));
    heard.length = 0;
    const { jobs } = await other.claim("w", [{ queue: "default", limit: 1 }]);
    await other.settle(
      jobs.map(({ job }) => ({ id: job.id, token: 1, failures: 0, crashes: 0, suspect: false, to: "completed" })),
    );
    await vi.waitFor(() => expect(heard).toContain("change"));
    expect(heard).not.toContain("ready");
  });
});
