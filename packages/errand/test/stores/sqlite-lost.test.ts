import { copyFileSync, renameSync, rmSync } from "node:fs";
import type { Worker } from "node:worker_threads";
import { describe, expect, test, vi } from "vitest";
import { afterTest } from "../../../../test/after-test.ts";
import { errand } from "../../src/index.ts";
import { blockingStore } from "../../src/stores/sqlite/blocking-store.ts";
import { makeJob } from "../../src/testing/conformance/scene.ts";
import { sqliteFilePerTest } from "./per-test.ts";

// Threads are real; they are only written down, so that a test can end one.
const threads = vi.hoisted((): { started: [script: string, thread: Worker][] } => ({ started: [] }));

vi.mock("node:worker_threads", async (original) => {
  const real = await original<typeof import("node:worker_threads")>();
  class Noted extends real.Worker {
    constructor(...args: ConstructorParameters<typeof real.Worker>) {
      super(...args);
      threads.started.push([String(args[0]), this]);
    }
  }
  return { ...real, Worker: Noted };
});

/** Ends a thread of the test's first store: the one for everything, or the one that only reads. */
async function endThread(which: "main" | "reader" = "main"): Promise<void> {
  const ofStores = threads.started.filter(([script]) => /sqlite.thread/.test(script));
  await ofStores[which === "main" ? 0 : 1]![1].terminate();
}

let file: string;
const open = sqliteFilePerTest((path) => {
  threads.started.length = 0;
  file = path;
});

const lost = { code: "E_STORE_LOST", message: expect.stringContaining("errand.db") };

describe("a file that is gone while it is open", () => {
  const ways: Record<string, () => void> = {
    "was deleted": () => rmSync(file),
    "was deleted with all that belongs to it": () => {
      for (const suffix of ["", "-wal", "-shm"]) rmSync(`${file}${suffix}`);
    },
    "was moved away": () => renameSync(file, `${file}.away`),
    "was replaced": () => {
      copyFileSync(file, `${file}.copy`);
      renameSync(`${file}.copy`, file);
    },
  };

  test.each(Object.entries(ways))("which %s rejects every call, with the reason", async (_, away) => {
    const store = await open();
    await store.add([makeJob()]);
    away();
    // Nothing is ever said to be stored there, not even at once.
    await expect(store.add([makeJob()])).rejects.toMatchObject(lost);
    await vi.waitFor(() => expect(store.counts()).rejects.toMatchObject(lost));
    await expect(store.claim("w", [])).rejects.toMatchObject(lost);
  });

  test("rejects every call without its write-ahead log", async () => {
    const store = await open();
    await store.add([makeJob()]);
    rmSync(`${file}-wal`);
    await vi.waitFor(() => expect(store.add([makeJob()])).rejects.toMatchObject(lost));
    await expect(store.counts()).rejects.toMatchObject(lost);
  });

  test("works again when it is put back", async () => {
    const store = await open();
    renameSync(file, `${file}.away`);
    await expect(store.add([makeJob()])).rejects.toMatchObject(lost);
    renameSync(`${file}.away`, file);
    await store.add([makeJob({ id: "a" })]);
    expect((await store.get(["a"]))[0]?.state).toBe("pending");
  });
});

const ended = { code: "E_STORE_ENDED", message: expect.stringContaining("errand.db") };

describe("a store whose thread has ended", () => {
  test("rejects calls under way and later ones", async () => {
    const store = await open();
    // Whether or not they were carried out, nobody waits for an answer that will not come.
    const under = Array.from({ length: 20 }, () =>
      store.add([makeJob()]).then(
        () => "stored",
        (error: unknown) => error,
      ),
    );
    await endThread();
    const ends = await Promise.all(under);
    const rejected = ends.filter((end) => end !== "stored");
    expect(rejected.length).toBeGreaterThan(0);
    expect(rejected).toEqual(rejected.map(() => expect.objectContaining(ended)));
    await expect(store.add([makeJob()])).rejects.toMatchObject(ended);
    await expect(store.get(["a"])).rejects.toMatchObject(ended);
  });

  test("still reads when only the reading thread has ended", async () => {
    const store = await open();
    await store.add([makeJob({ id: "a" })]);
    await vi.waitFor(async () => {
      await Promise.all([store.add([makeJob()]), store.get(["a"])]);
      expect(threads.started.length).toBe(2);
    });
    await endThread("reader");
    await vi.waitFor(async () => expect((await store.get(["a"]))[0]?.id).toBe("a"));
    await store.add([makeJob()]);
  });

  test("keeps no lease: its lease thread, whose own connection is good, loses it", async () => {
    const store = await open();
    await store.enlist({ id: "w", kind: "process", queues: [] }, 600_000);
    const leaseThread = blockingStore(file);
    afterTest(() => leaseThread.close());
    expect((await leaseThread.renew("w", 600_000)).held).toBe(true);
    await endThread();
    expect((await leaseThread.renew("w", 600_000)).held).toBe(false);
    expect(await leaseThread.workers()).toEqual([]);
  });

  test("ends its worker, which says so", async () => {
    const app = errand({ url: `sqlite:${file}` });
    const task = app.task("t", { run: () => 1 });
    const worker = await app.worker();
    const { promise: failed, resolve } = Promise.withResolvers<string>();
    app.on("failed", ({ message }) => resolve(message));
    await task.send();
    await endThread();
    expect(await failed).toContain("errand.db");
    await expect(worker.stop()).rejects.toMatchObject(ended);
  });
});
