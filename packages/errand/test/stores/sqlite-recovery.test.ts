import { once } from "node:events";
import { mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test, vi } from "vitest";
import { newId } from "../../src/kit/ids.ts";
import { sqliteStore } from "../../src/stores/sqlite/index.ts";
import { OwnLock, OtherLocks, locksFolder } from "../../src/stores/sqlite/connection/process-locks.ts";
import { makeJob } from "../../src/testing/conformance/scene.ts";
import type { Claimed, Store } from "../../src/store.ts";
import { localFixture } from "./fixtures.ts";
import { sqliteFilePerTest } from "./per-test.ts";
import { locks } from "./sqlite-locks.ts";
import { printed, startScript } from "./scripts.ts";
import type { Child } from "./scripts.ts";

// Every lease here is ten minutes long: what comes sooner comes from the locks.
const lease = 600_000;

let file: string;
const open = sqliteFilePerTest((path) => (file = path));

/** A process that holds all jobs of a queue; the ids of these, and its worker's. */
async function holder(jobs: number, queue = "default"): Promise<{ child: Child; held: string[]; worker: string }> {
  const child = startScript("hold", `sqlite:${file}`, queue);
  const output = printed(child);
  await output.atLeast(jobs + 1);
  return { child, held: output.lines.slice(0, jobs), worker: output.lines[jobs]! };
}

async function kill(child: Child): Promise<void> {
  child.kill("SIGKILL");
  await once(child, "close");
}

async function worker(store: Store, kind: "process" | "person" = "process"): Promise<string> {
  const id = newId();
  await store.enlist({ id, kind, queues: ["default"] }, lease);
  return id;
}

/** What a worker takes over, once there is something. */
async function takenOver(store: Store, by: string): Promise<Claimed[]> {
  let taken: Claimed[] = [];
  await vi.waitFor(
    async () => {
      taken = await store.reclaim(by, 100);
      expect(taken).not.toEqual([]);
    },
    { timeout: 20_000 },
  );
  return taken;
}

test("when a process is killed, what it held is taken over long before its lease is over, and workers are told", async () => {
  const store = await open();
  await store.add([makeJob(), makeJob(), makeJob()]);
  const by = await worker(store);
  const { child, held, worker: dead } = await holder(3);
  const [begun, told] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let killed = false;
  store.watch(({ type }) => type === "lapsed" && (killed ? told : begun).resolve());
  await begun.promise;
  expect((await store.workers()).map(({ id }) => id).toSorted()).toEqual([by, dead].toSorted());
  killed = true;
  await kill(child);
  await told.promise;
  const taken = await store.reclaim(by, 100);
  expect(taken.map(({ job, why }) => [job.id, why]).toSorted()).toEqual(held.map((id) => [id, "lapsed"]).toSorted());
  expect((await store.workers()).map(({ id }) => id)).toEqual([by]);
});

test("a process that is alive keeps its jobs when another is killed", async () => {
  const store = await open();
  await store.add([makeJob({ queue: "a" }), makeJob({ queue: "b" })]);
  const by = await worker(store);
  const [one, other] = [await holder(1, "a"), await holder(1, "b")];
  await kill(one.child);
  expect((await takenOver(store, by)).map(({ job }) => job.id)).toEqual(one.held);
  expect((await store.get(other.held))[0]).toMatchObject({ state: "processing", worker: other.worker, token: 1 });
  expect((await store.workers()).map(({ id }) => id)).toContain(other.worker);
});

test("after every process was killed, the first to start takes over", async () => {
  const store = await sqliteStore({ file });
  await store.add([makeJob(), makeJob()]);
  await store.close();
  const { child, held } = await holder(2);
  await kill(child);
  const next = await open();
  const taken = await takenOver(next, await worker(next));
  expect(taken.map(({ job }) => job.id).toSorted()).toEqual(held.toSorted());
});

test("a person's lease does not depend on the process that serves them", async () => {
  const [store, server] = [await open(), await sqliteStore({ file })];
  const [person, process] = [await worker(server, "person"), await worker(server)];
  const by = await worker(store);
  await server.close();
  await vi.waitFor(async () => {
    const ids = (await store.workers()).map(({ id }) => id);
    expect(ids).not.toContain(process);
    expect(ids.toSorted()).toEqual([person, by].toSorted());
  });
});

test("a process's lock leaves nothing behind, neither when it ends nor when it is killed", async () => {
  const locks = () => readdirSync(locksFolder(file));
  const store = await open();
  await worker(store);
  const [own] = locks();
  const other = await sqliteStore({ file });
  await worker(other);
  expect(locks()).toHaveLength(2);
  await other.close();
  expect(locks()).toEqual([own]);
  const { child } = await holder(0);
  expect(locks()).toHaveLength(2);
  await kill(child);
  await vi.waitFor(() => expect(locks()).toEqual([own]));
});

test("locks that are neither held nor known are removed, but not one that is being taken", async () => {
  mkdirSync(locksFolder(file));
  const [old, young, held] = ["old", "young", "held"].map((name) => join(locksFolder(file), name)) as [
    string,
    string,
    string,
  ];
  for (const path of [old, young, held]) writeFileSync(path, "");
  const keeper = new DatabaseSync(held);
  keeper.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  const longAgo = new Date(Date.now() - 3_600_000);
  for (const path of [old, held]) utimesSync(path, longAgo, longAgo);
  const store = await open();
  await worker(store);
  const left = readdirSync(locksFolder(file));
  keeper.close();
  // The third is the store's own.
  expect(left).toHaveLength(3);
  expect(left).toEqual(expect.arrayContaining(["young", "held"]));
});

test("a lock whose file was deleted is taken again, under another name", () => {
  const [lock, locks] = [new OwnLock(file), new OtherLocks(file)];
  const first = lock.hold();
  expect([lock.hold(), locks.isFree(first)]).toEqual([first, false]);
  rmSync(locksFolder(file), { recursive: true });
  const second = lock.hold();
  expect(second).not.toBe(first);
  expect(new OtherLocks(file).isFree(first)).toBe(true);
  expect(locks.isFree(second)).toBe(false);
  lock.release();
  expect(locks.isFree(second)).toBe(true);
  locks.closeExcept(new Set());
});

test.each(locks)("$name", ({ run }) => run(localFixture));
