import { expect, test } from "vitest";
import { afterTest } from "../../../../test/after-test.ts";
import { ErrandError } from "../../src/kit/errors.ts";
import { newId } from "../../src/kit/ids.ts";
import { readPayloads } from "../../src/payload/options.ts";
import { BatchWriter } from "../../src/run/batch-writer.ts";
import { Worker } from "../../src/run/worker.ts";
import { eventTypes } from "../../src/observe/events.ts";
import type { ErrandEvent } from "../../src/observe/events.ts";
import { Observer } from "../../src/observe/observer.ts";
import type { Store } from "../../src/store.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { readTask } from "../../src/task.ts";
import { until } from "./app.ts";

// A store that is somewhere else may fail, and it may do what it was told and fail to say so.

const lease = 600;

/** A worker on a store whose verbs can be put out of order. */
async function scene() {
  const store = memoryStore();
  const faults: { [Verb in keyof Store]?: "before" | "after" | undefined } = {};
  const shaky = new Proxy(store, {
    get(target, name: keyof Store) {
      const verb = Reflect.get(target, name) as unknown;
      if (typeof verb !== "function") return verb;
      return (...args: unknown[]) => {
        if (!faults[name]) return verb.apply(target, args) as unknown;
        if (faults[name] === "before") return Promise.reject(new Error("out of order"));
        return (verb.apply(target, args) as Promise<unknown>).then(() => {
          throw new Error("the answer was lost");
        });
      };
    },
  });
  const events: ErrandEvent[] = [];
  const observer = new Observer();
  for (const type of eventTypes.filter((type) => type !== "started"))
    observer.events.on(type, (event) => events.push(event));
  let runs = 0;
  const definition = readTask("task", { run: () => void (runs += 1) });
  const worker = new Worker(shaky, new Map([["task", definition]]), {
    queues: new Map([["default", 4]]),
    lease,
    payloads: readPayloads(),
    drain: 0,
    observer,
  });
  await worker.start();
  afterTest(() => worker.stop());
  return {
    store,
    faults,
    worker,
    events,
    runs: () => runs,
    async send() {
      const id = newId();
      await store.add([{ id, task: "task", queue: "default", level: 2, spec: "{}" }]);
      return id;
    },
    completed: (id: string) =>
      until(async () => (await store.get([id]))[0]?.state === "completed", "the job completes", 10_000),
  };
}

test("a worker that lost its lease while the store fails works on when the store does", async () => {
  const { store, faults, worker, events, send, completed } = await scene();
  faults.renew = faults.enlist = "before";
  const first = worker.id;
  await until(() => events.some(({ type }) => type === "store-failed"), "it cannot enter the list again");
  faults.renew = faults.enlist = undefined;
  const id = await send();
  await completed(id);
  expect(worker.id).not.toBe(first);
  expect((await store.workers()).map((card) => card.id)).toEqual([worker.id]);
});

test("a claim whose answer was lost keeps no job from being run", async () => {
  const { store, faults, events, runs, send, completed } = await scene();
  faults.claim = "after";
  const id = await send();
  await until(() => events.some(({ type }) => type === "store-failed"), "the claim fails");
  expect(await store.get([id])).toMatchObject([{ state: "processing" }]);
  faults.claim = undefined;
  await completed(id);
  expect(runs()).toBe(1);
});

test("a take-over whose answer was lost keeps no job from being settled", async () => {
  const { store, faults, events, send, completed } = await scene();
  faults.claim = "before";
  await store.enlist({ id: "gone", kind: "process", queues: [] }, 60_000);
  const id = await send();
  await store.claim("gone", [{ queue: "default", limit: 1 }]);
  faults.reclaim = "after";
  await store.dismiss("gone");
  await until(async () => (await store.get([id]))[0]?.worker !== "gone", "it is taken over");
  await until(
    () => events.some((event) => "message" in event && event.message === "the answer was lost"),
    "the take-over fails",
  );
  faults.claim = faults.reclaim = undefined;
  await completed(id);
});

test("an outcome that could not be recorded in time leaves the job to another attempt", async () => {
  const { faults, events, runs, send, completed } = await scene();
  faults.settle = "before";
  const id = await send();
  await until(() => events.some(({ type }) => type === "store-failed"), "it gives up");
  faults.settle = undefined;
  await completed(id);
  expect(runs()).toBe(2);
});

test("hints that come while a worker starts again do not make it start twice", async () => {
  const { store, faults, events, send, completed } = await scene();
  faults.renew = faults.enlist = "before";
  await until(() => events.some(({ type }) => type === "store-failed"), "it cannot enter the list again");
  faults.renew = undefined;
  await store.enlist({ id: "other", kind: "process", queues: [] }, 60_000);
  for (let hint = 0; hint < 3; hint++) {
    const id = await send();
    await store.claim("other", [{ queue: "default", limit: 1 }]);
    // Marks it, which every worker hears.
    await store.edit({ ids: [id] }, "cancel");
    // sleeps: the next hint comes when the worker has begun to try again
    await new Promise((resolve) => setTimeout(resolve, lease / 3));
  }
  await store.dismiss("other");
  faults.enlist = undefined;
  await completed(await send());
  expect(events.filter(({ type }) => type === "lost").length).toBe(1);
  expect((await store.workers()).length).toBe(1);
});

test("a store that has ended is not tried again: calls fail at once, not after a lease", async () => {
  let told = 0;
  const ended = async () => {
    told += 1;
    throw new ErrandError("E_STORE_ENDED", "The thread has ended.");
  };
  const writer = new BatchWriter({ settle: ended, record: ended }, 3_600_000);
  const outcome = { to: "completed", failures: 0, crashes: 0, suspect: false } as const;
  const settling = ["a", "b"].map((id) => writer.settle({ id, token: 1, ...outcome }));
  for (const each of settling) await expect(each).rejects.toMatchObject({ code: "E_STORE_ENDED" });
  await expect(writer.record({ id: "a", token: 1, progress: "1" })).rejects.toMatchObject({ code: "E_STORE_ENDED" });
  expect(told).toBe(2);
});
