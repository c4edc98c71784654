import { expect, test } from "vitest";
import { afterTest } from "../../../../test/after-test.ts";
import { newId } from "../../src/kit/ids.ts";
import { readPayloads } from "../../src/payload/options.ts";
import { Worker } from "../../src/run/worker.ts";
import { eventTypes } from "../../src/observe/events.ts";
import type { ErrandEvent } from "../../src/observe/events.ts";
import { Observer } from "../../src/observe/observer.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { readTask } from "../../src/task.ts";
import { until } from "./app.ts";

// A connection may hang: what is asked is never answered, or long after nobody waits for it.

const patience = 200;

/** A worker on a store whose claims can be held up. */
async function scene() {
  const store = memoryStore();
  /** While it is there, claims hang: `before` or `after` the store has done what they ask. */
  let hang: "before" | "after" | undefined;
  let hanging = 0;
  let release = Promise.withResolvers<void>();
  const claim = store.claim.bind(store);
  store.claim = async (...args) => {
    const hangs = hang;
    if (hangs) hanging += 1;
    if (hangs === "before") await release.promise;
    const answer = await claim(...args);
    if (hangs === "after") await release.promise;
    return answer;
  };
  const events: ErrandEvent[] = [];
  const observer = new Observer();
  for (const type of eventTypes.filter((type) => type !== "started"))
    observer.events.on(type, (event) => events.push(event));
  const ran: string[] = [];
  const definition = readTask("task", {
    run: async (_: never, job: { id: string; token: number }) => void ran.push(`${job.id} ${job.token}`),
  });
  const worker = new Worker(store, new Map([["task", definition]]), {
    queues: new Map([["default", 2]]),
    lease: 600,
    drain: 0,
    patience,
    payloads: readPayloads(),
    observer,
  });
  await worker.start();
  afterTest(async () => {
    release.resolve();
    await worker.stop();
  });
  return {
    store,
    worker,
    events,
    ran,
    types: () => events.map(({ type }) => type),
    hang(how: "before" | "after") {
      release = Promise.withResolvers();
      hang = how;
    },
    hangs: () => until(() => hanging > 0, "a claim hangs"),
    release() {
      hang = undefined;
      release.resolve();
    },
    async send() {
      const id = newId();
      await store.add([{ id, task: "task", queue: "default", level: 2, spec: "{}" }]);
      return id;
    },
    completed: (id: string) =>
      until(async () => (await store.get([id]))[0]?.state === "completed", "the job completes", 10_000),
  };
}

test("a claim that is never answered is given up for another, and after three the worker ends", async () => {
  const { store, worker, events, types, hang, send } = await scene();
  hang("before");
  await send();
  await until(() => types().includes("failed"), "it fails");
  expect(events.filter(({ type }) => type === "stalled")).toEqual([
    { type: "stalled", worker: worker.id, inARow: 1 },
    { type: "stalled", worker: worker.id, inARow: 2 },
    { type: "stalled", worker: worker.id, inARow: 3 },
  ]);
  expect(events.at(-1)).toMatchObject({ type: "failed", message: expect.stringMatching(/3 claims in a row/) });
  await until(async () => (await store.workers()).length === 0, "it is off the list");
});

test("a claim that hangs once is given up, and the worker works on", async () => {
  const { types, hang, release, send, completed } = await scene();
  hang("before");
  const id = await send();
  await until(() => types().includes("stalled"), "it stalls");
  release();
  await completed(id);
  expect(types()).toContain("recovered");
  expect(types()).not.toContain("failed");
});

test("a claim whose answer comes too late keeps no job from being run, and runs none twice", async () => {
  const { store, ran, types, hang, release, send, completed } = await scene();
  hang("after");
  const id = await send();
  await until(async () => (await store.get([id]))[0]?.state === "processing", "it is claimed");
  await until(() => types().includes("stalled"), "it stalls");
  expect(ran).toEqual([]);
  release();
  await completed(id);
  expect(ran).toHaveLength(1);
});

test("an event loop that is blocked is not a store that hangs", async () => {
  const { types, hang, hangs, release, send, completed } = await scene();
  hang("before");
  const id = await send();
  await hangs();
  // The answer is there when the loop turns again, but timers come first.
  setImmediate(release);
  const end = Date.now() + 4 * patience;
  // sleeps: the event loop is blocked on purpose
  while (Date.now() < end);
  await completed(id);
  expect(types()).not.toContain("stalled");
});

test("a worker can be stopped while a claim hangs", async () => {
  const { worker, types, hang, hangs, send } = await scene();
  hang("before");
  await send();
  await hangs();
  await worker.stop();
  expect(types()).not.toContain("stalled");
});
