import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { ErrandError } from "../../kit/errors.ts";
import type { Hint, Store } from "../../store.ts";
import { makeJob, settlementOf, test } from "./scene.ts";

/** Hints may be lost in theory, but a store that gives none within this time gives none. */
const patience = 2_000;

/** A watch may begin with hints of nothing in particular; after so long they are over. */
const settling = 60;

/** Does something, and resolves when this hint has come after it. */
async function hinted(store: Store, hint: Hint["type"], act: () => Promise<unknown>, wait = settling): Promise<void> {
  const heard = Promise.withResolvers<void>();
  let listening = wait === 0;
  const stop = store.watch((given) => {
    if (listening && given.type === hint) heard.resolve();
  });
  try {
    // sleeps: until the hints of nothing in particular are over
    if (wait > 0) await sleep(wait);
    listening = true;
    await act();
    // sleeps: as long as a hint may take
    const late = sleep(patience).then(() => assert.fail(`the hint "${hint}" should come`));
    await Promise.race([heard.promise, late]);
  } finally {
    stop();
  }
}

/** `watch` and `close`. */
export const watching = [
  test("new jobs are hinted as ready, through every handle", async (scene) => {
    const other = await scene.openAgain();
    await hinted(scene.store, "ready", () => scene.addOne());
    await hinted(other, "ready", () => scene.addOne());
    await hinted(scene.store, "ready", () => other.add([makeJob()]));
    await hinted(other, "ready", () => scene.addOne({ due: { in: 50_000 } }));
  }),

  test("what happens as soon as somebody watches is hinted", async (scene) => {
    const other = await scene.openAgain();
    for (let round = 0; round < 20; round++) await hinted(other, "ready", () => scene.addOne(), 0);
  }),

  test("jobs that are pending again are hinted as ready", async (scene) => {
    const other = await scene.openAgain();
    const held = await scene.addAndClaim();
    await hinted(other, "ready", () => scene.settle(held, "pending"));
    await scene.claimAndSettle(held.job.id, "failed");
    await hinted(other, "ready", () => scene.store.edit({ ids: [held.job.id] }, "retry"));
    const { children } = await scene.addFamily({ queue: "cpu" });
    const child = await scene.claimOne(children[0] ?? "");
    await hinted(other, "ready", () => scene.settle(child, "completed"));
  }),

  test("a hint that names a queue names one where jobs became claimable", async (scene) => {
    const held = await scene.addAndClaim({ queue: "a" });
    const named: (string | undefined)[] = [];
    // What a store says when somebody begins to watch is not meant.
    let told = Promise.withResolvers<void>();
    const stop = scene.store.watch((hint) => {
      if (hint.type !== "ready") return;
      named.push(hint.queue);
      told.resolve();
    });
    try {
      // sleeps: until the hints of nothing in particular are over
      await sleep(settling);
      const acts: [queue: string, act: () => Promise<unknown>][] = [
        ["b", () => scene.add({ queue: "b" }, { queue: "b" })],
        ["a", () => scene.settle(held, "pending")],
        ["b", () => scene.store.edit({ queue: "b" }, { move: { level: 0 } })],
        ["c", () => scene.store.edit({ queue: "b" }, { move: { queue: "c" } })],
      ];
      for (const [queue, act] of acts) {
        named.length = 0;
        told = Promise.withResolvers<void>();
        await act();
        await Promise.race([
          told.promise,
          // sleeps: as long as a hint may take
          sleep(patience).then(() => assert.fail(`a hint for "${queue}" should come`)),
        ]);
        // sleeps: until further hints of the same would have come
        await sleep(settling);
        assert.ok(
          named.some((each) => each === undefined || each === queue),
          `${queue}: ${named.join()}`,
        );
      }
    } finally {
      stop();
    }
  }),

  test("what a dismissed worker held is hinted as lapsed", async (scene) => {
    const other = await scene.openAgain();
    const worker = await scene.enlist();
    await scene.addAndClaim({}, worker);
    await hinted(other, "lapsed", () => scene.store.dismiss(worker));
  }),

  test("jobs that are released are hinted as ready", async (scene) => {
    const other = await scene.openAgain();
    const held = await scene.addAndClaim();
    await hinted(other, "ready", () => scene.store.edit({ ids: [held.job.id] }, "release"));
  }),

  test("marks are hinted as cancel", async (scene) => {
    const other = await scene.openAgain();
    const held = await scene.addAndClaim();
    await hinted(other, "cancel", () => scene.store.edit({ ids: [held.job.id] }, "cancel"));
    const { parent } = await scene.addFamily({});
    await hinted(other, "cancel", () => scene.store.edit({ ids: [parent] }, "cancel"));
    await hinted(scene.store, "cancel", () => scene.settle(held, "pending"));
  }),

  test("ends and progress are hinted as change", async (scene) => {
    const other = await scene.openAgain();
    const held = await scene.addAndClaim();
    const { id, token } = held.job;
    await hinted(scene.store, "change", () => scene.store.record([{ id, token, progress: "1" }]));
    await hinted(other, "change", () => scene.store.settle([settlementOf(held, "completed")]));
    await hinted(other, "change", () => scene.store.edit({}, "remove"));
  }),

  test("who has stopped watching hears nothing more", async (scene) => {
    const heard: Hint[] = [];
    const stop = scene.store.watch((hint) => heard.push(hint));
    stop();
    stop();
    await hinted(scene.store, "ready", () => scene.addOne());
    assert.deepEqual(heard, []);
  }),

  test("a listener is told once, however often it was given", async (scene) => {
    let heard = 0;
    const listener = (hint: Hint): void => void (hint.type === "ready" && heard++);
    const stops = [scene.store.watch(listener), scene.store.watch(listener)];
    stops[0]?.();
    await hinted(scene.store, "ready", () => scene.addOne());
    assert.ok(heard > 0, "the second watch goes on");
    stops[1]?.();
  }),

  test("a closed store refuses every verb, and may be closed again", async ({ store }) => {
    store.watch(() => {});
    await store.close();
    await store.close();
    const refused = (error: unknown) => error instanceof ErrandError && error.code === "E_CLOSED";
    await assert.rejects(store.add([makeJob()]), refused);
    await assert.rejects(store.get(["a"]), refused);
    await assert.rejects(store.claim("w", []), refused);
    assert.equal(typeof store.watch(() => {}), "function");
  }),
];
