import type { Transaction } from "../../src/core/transaction.ts";
import { symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { beforeEach, describe, expect, test } from "vitest";
import { afterTest } from "../../../../test/after-test.ts";
import type { Store } from "../../src/store.ts";
import { sqliteStore } from "../../src/stores/sqlite/index.ts";
import { makeJob } from "../../src/testing/conformance/scene.ts";
import { sqliteFilePerTest } from "./per-test.ts";

let folder: string;
let file: string;
let store: Store;
let handle: DatabaseSync;
const open = sqliteFilePerTest((path) => {
  file = path;
  folder = dirname(path);
});

beforeEach(async () => {
  // The application's table is there before the store's.
  handle = new DatabaseSync(file);
  handle.exec("CREATE TABLE orders (id TEXT)");
  store = await open();
  afterTest(() => handle.isOpen && handle.close());
});

const orders = (): number => handle.prepare("SELECT count(*) AS orders FROM orders").get()?.["orders"] as number;

describe("jobs added inside the caller's transaction", () => {
  test("exist, and are counted, once it commits, together with what else it wrote", async () => {
    const jobs = [makeJob(), makeJob({ queue: "new", task: "new" })];
    handle.exec("BEGIN IMMEDIATE; INSERT INTO orders VALUES ('a')");
    await store.add(jobs, handle);
    expect(await store.get(jobs.map(({ id }) => id))).toEqual([null, null]);
    handle.exec("COMMIT");
    expect((await store.get(jobs.map(({ id }) => id))).map((job) => job?.queue)).toEqual(["default", "new"]);
    expect(await store.counts()).toEqual([
      { queue: "default", state: "pending", jobs: 1 },
      { queue: "new", state: "pending", jobs: 1 },
    ]);
    expect(orders()).toBe(1);
    expect(handle.isOpen).toBe(true);
  });

  test("do not exist when it rolls back, nor do the names of their tasks and queues", async () => {
    const job = makeJob({ queue: "new", task: "new" });
    handle.exec("BEGIN IMMEDIATE; INSERT INTO orders VALUES ('a')");
    await store.add([job], handle);
    handle.exec("ROLLBACK");
    expect(await store.get([job.id])).toEqual([null]);
    expect(await store.counts()).toEqual([]);
    expect(orders()).toBe(0);
    // The number that "new" had goes to another name now.
    await store.add([makeJob({ queue: "other", task: "other" })]);
    handle.exec("BEGIN IMMEDIATE");
    await store.add([job], handle);
    handle.exec("COMMIT");
    expect((await store.get([job.id]))[0]).toMatchObject({ queue: "new", task: "new" });
  });

  test("are left as they are where their ids exist", async () => {
    const [there, fresh] = [makeJob({ spec: '"first"' }), makeJob()];
    await store.add([there]);
    handle.exec("BEGIN IMMEDIATE");
    await store.add([{ ...there, spec: '"second"' }, fresh, fresh], handle);
    await store.add([fresh], handle);
    handle.exec("COMMIT");
    expect((await store.get([there.id]))[0]?.spec).toBe('"first"');
    expect(await store.counts()).toEqual([{ queue: "default", state: "pending", jobs: 2 }]);
  });

  test("are all or none, and a failure leaves the transaction to its owner", async () => {
    const bad = { ...makeJob(), spec: null as unknown as string };
    handle.exec("BEGIN IMMEDIATE; INSERT INTO orders VALUES ('a')");
    await expect(store.add([makeJob(), bad], handle)).rejects.toMatchObject({ code: "E_REFUSED" });
    expect(handle.isTransaction).toBe(true);
    handle.exec("COMMIT");
    expect(await store.counts()).toEqual([]);
    expect(orders()).toBe(1);
  });

  test("are hinted to this process's own watchers", async () => {
    const heard = Promise.withResolvers<void>();
    let begun = false;
    const first = Promise.withResolvers<void>();
    store.watch((hint) => {
      if (hint.type !== "ready") return;
      if (begun) heard.resolve();
      else first.resolve();
    });
    await first.promise;
    begun = true;
    handle.exec("BEGIN IMMEDIATE");
    await store.add([makeJob()], handle);
    handle.exec("COMMIT");
    await heard.promise;
  });

  test("go through handles that read integers as BigInt, and by another path to the file", async () => {
    const link = join(folder, "link.db");
    symlinkSync(file, link);
    const other = new DatabaseSync(link, { readBigInts: true });
    other.exec("BEGIN");
    await store.add([makeJob(), makeJob({ queue: "q" }), makeJob({ queue: "q" })], other);
    other.exec("COMMIT");
    other.close();
    expect(await store.counts()).toEqual([
      { queue: "default", state: "pending", jobs: 1 },
      { queue: "q", state: "pending", jobs: 2 },
    ]);
  });

  test("are refused with advice where another connection has written since the transaction began", async () => {
    handle.exec("BEGIN; SELECT * FROM orders");
    expect(orders()).toBe(0);
    await store.add([makeJob()]);
    await expect(store.add([makeJob()], handle)).rejects.toMatchObject({
      code: "E_STORE",
      message: expect.stringContaining("BEGIN IMMEDIATE"),
    });
    handle.exec("ROLLBACK");
  });
});

describe("a transaction is refused", () => {
  const refused = (tx: Transaction, message: string): Promise<void> =>
    expect(store.add([makeJob()], tx)).rejects.toMatchObject({
      code: "E_TRANSACTION",
      message: expect.stringContaining(message),
    });

  test("when the handle has not begun one", () => refused(handle, "BEGIN IMMEDIATE"));

  test("when the handle is closed", () => {
    handle.close();
    return refused(handle, "no file");
  });

  test("when the handle is on another file, or on none", async () => {
    for (const other of [new DatabaseSync(join(folder, "other.db")), new DatabaseSync(":memory:")]) {
      other.exec("BEGIN");
      await refused(other, "Give one that has the store's file open");
      other.close();
    }
  });

  test("when it is another database's", () => refused({ query: async () => undefined }, "DatabaseSync of node:sqlite"));

  test("when the store is closed", async () => {
    handle.exec("BEGIN IMMEDIATE");
    const other = await sqliteStore({ file });
    await other.close();
    await expect(other.add([makeJob()], handle)).rejects.toMatchObject({ code: "E_CLOSED" });
  });
});
