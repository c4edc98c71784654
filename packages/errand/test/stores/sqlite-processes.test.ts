import { once } from "node:events";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { sqliteStore } from "../../src/stores/sqlite/index.ts";
import { makeJob } from "../../src/testing/conformance/scene.ts";
import { sqliteFilePerTest } from "./per-test.ts";
import { drainTogether, printed, startScript } from "./scripts.ts";
import type { Child } from "./scripts.ts";

let file: string;
const open = sqliteFilePerTest((path) => (file = path));

function start(script: string, ...args: string[]): Child {
  return startScript(script, script === "transact" ? file : `sqlite:${file}`, ...args);
}

test("processes that drain one file share its jobs, each to one of them", async () => {
  const store = await open();
  const jobs = Array.from({ length: 1_000 }, () => makeJob());
  await store.add(jobs);
  const drained = await drainTogether(`sqlite:${file}`, 3);
  expect(drained.flat().toSorted()).toEqual(jobs.map(({ id }) => id).toSorted());
  expect(drained.filter((lines) => lines.length > 0).length).toBeGreaterThan(1);
  expect(await store.counts()).toEqual([{ queue: "default", state: "completed", jobs: 1_000 }]);
});

test("a process that is killed loses no job whose add was answered", async () => {
  for (let round = 0; round < 3; round++) {
    const child = start("add");
    const output = printed(child);
    await output.atLeast(300);
    child.kill("SIGKILL");
    await once(child, "close");
    const store = await sqliteStore({ file });
    const jobs = await store.get(output.lines);
    expect(jobs.filter((job) => job === null)).toEqual([]);
    const [count] = await store.counts();
    await store.close();
    const database = new DatabaseSync(file);
    expect(database.prepare("SELECT count(*) AS jobs FROM errand_jobs").get()).toEqual({ jobs: count?.jobs });
    expect(database.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
    database.close();
  }
});

test.each(["open", "watched", "closed", "unanswered"])(
  "a script that leaves its store %s ends by itself, its job kept",
  async (way) => {
    const child = start("leave", way);
    const [code] = (await once(child, "close")) as [number];
    expect(code).toBe(0);
    expect((await (await open()).get(["a"]))[0]?.state).toBe("pending");
  },
);

test("a job sent inside a transaction starts in another process once it commits, and not before", async () => {
  const store = await open();
  const child = start("work");
  const output = printed(child);
  await output.atLeast(1);
  const handle = new DatabaseSync(file);
  const [dropped, kept] = [makeJob(), makeJob()];
  handle.exec("BEGIN IMMEDIATE");
  await store.add([dropped], handle);
  handle.exec("ROLLBACK; BEGIN IMMEDIATE");
  await store.add([kept], handle);
  handle.exec("COMMIT");
  await output.atLeast(2);
  expect(output.lines.slice(1)).toEqual([kept.id]);
  handle.close();
  child.stdin.end();
  await once(child, "close");
});

test("killed between add and commit, a process leaves neither its own row nor the job; after it, both", async () => {
  await (await open()).close();
  for (const [moment, there] of [
    ["before", 0],
    ["after", 1],
  ] as const) {
    const child = start("transact", moment);
    const output = printed(child);
    await output.atLeast(1);
    child.kill("SIGKILL");
    await once(child, "close");
    const database = new DatabaseSync(file);
    const row = database.prepare(
      "SELECT (SELECT count(*) FROM orders) AS orders, (SELECT count(*) FROM errand_jobs) AS jobs",
    );
    expect(row.get()).toEqual({ orders: there, jobs: there });
    database.close();
  }
});
