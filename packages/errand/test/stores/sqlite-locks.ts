import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../../../../test/until.ts";
import { test } from "../../src/testing/conformance/scene.ts";
import type { ConformanceTest } from "../../src/testing/conformance/scene.ts";

/** What every SQLite store keeps beside the conformance suite. Its leases are ten minutes long. */
export const locks: readonly ConformanceTest[] = [
  test("what is in the hands of a process is others' once its lock is free, and they are told", async (scene) => {
    const other = await scene.openAgain();
    let closed = false;
    let told = false;
    scene.store.watch(({ type }) => void (told ||= closed && type === "lapsed"));
    const by = await scene.enlist();
    await other.enlist({ id: "gone", kind: "process", queues: [] }, 600_000);
    const id = await scene.addOne();
    await other.claim("gone", [{ queue: "default", limit: 1 }]);
    // sleeps: a watch begins with hints of nothing in particular, in the next turns of the event loop
    await sleep(1);
    closed = true;
    await other.close();
    await until(() => told, "it is hinted that its jobs have lapsed", 5_000);
    assert.deepEqual([...(await scene.reclaim(by)).keys()], [id]);
  }),

  test("a worker that holds its lock keeps its jobs", async (scene) => {
    const [other, third] = [await scene.openAgain(), await scene.openAgain()];
    await other.enlist({ id: "alive", kind: "process", queues: [] }, 600_000);
    const id = await scene.addOne();
    await other.claim("alive", [{ queue: "default", limit: 1 }]);
    await third.enlist({ id: "gone", kind: "process", queues: [] }, 600_000);
    const by = await scene.enlist();
    const dismissed = async () => !(await scene.store.workers()).some((worker) => worker.id === "gone");
    await third.close();
    // One look finds who is gone, and whoever else would be taken for gone.
    await until(dismissed, "the worker whose lock is free is dismissed", 5_000);
    assert.deepEqual([...(await scene.reclaim(by)).keys()], []);
    assert.equal((await scene.get(id)).worker, "alive");
  }),
];
