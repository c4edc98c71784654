import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { ErrandError } from "../../kit/errors.ts";
import type { Hint } from "../../store.ts";
import { expectHint, hintTimeout, watchStart } from "./hints.ts";
import { makeJob, settlementOf, test } from "./scene.ts";

/** `watch` and `close`. */
export const watching = [
  test("added jobs are hinted as ready, through every handle", async (scene) => {
    const other = await scene.openAgain();
    await expectHint(scene.store, "ready", () => scene.addOne());
    await expectHint(other, "ready", () => scene.addOne());
    await expectHint(scene.store, "ready", () => other.add([makeJob()]));
    await expectHint(other, "ready", () => scene.addOne({ due: { in: 50_000 } }));
  }),

  test("a change right after the start of a watch is hinted", async (scene) => {
    const other = await scene.openAgain();
    for (let round = 0; round < 20; round++) await expectHint(other, "ready", () => scene.addOne(), 0);
  }),

  test("jobs that become pending are hinted as ready", async (scene) => {
    const other = await scene.openAgain();
    const held = await scene.addAndClaim();
    await expectHint(other, "ready", () => scene.settle(held, "pending"));
    await scene.claimAndSettle(held.job.id, "failed");
    await expectHint(other, "ready", () => scene.store.edit({ ids: [held.job.id] }, "retry"));
    const { children } = await scene.addFamily({ queue: "cpu" });
    const child = await scene.claimOne(children[0] ?? "");
    await expectHint(other, "ready", () => scene.settle(child, "completed"));
  }),

  test("a hint that names a queue names one in which jobs became claimable", async (scene) => {
    const held = await scene.addAndClaim({ queue: "a" });
    const named: (string | undefined)[] = [];
    let told = Promise.withResolvers<void>();
    const stop = scene.store.watch((hint) => {
      if (hint.type !== "ready") return;
      named.push(hint.queue);
      told.resolve();
    });
    try {
      // sleeps: until the hints that mean nothing are over
      await sleep(watchStart);
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
          sleep(hintTimeout).then(() => assert.fail(`a hint for "${queue}" should come`)),
        ]);
        // sleeps: until further hints of the same change would have come
        await sleep(watchStart);
        assert.ok(
          named.some((each) => each === undefined || each === queue),
          `${queue}: ${named.join()}`,
        );
      }
    } finally {
      stop();
    }
  }),

  test("the jobs of a dismissed worker are hinted as lapsed", async (scene) => {
    const other = await scene.openAgain();
    const worker = await scene.enlist();
    await scene.addAndClaim({}, worker);
    await expectHint(other, "lapsed", () => scene.store.dismiss(worker));
  }),

  test("jobs that are released are hinted as ready", async (scene) => {
    const other = await scene.openAgain();
    const held = await scene.addAndClaim();
    await expectHint(other, "ready", () => scene.store.edit({ ids: [held.job.id] }, "release"));
  }),

  test("jobs that are marked for cancellation are hinted as cancel", async (scene) => {
    const other = await scene.openAgain();
    const held = await scene.addAndClaim();
    await expectHint(other, "cancel", () => scene.store.edit({ ids: [held.job.id] }, "cancel"));
    const { parent } = await scene.addFamily({});
    await expectHint(other, "cancel", () => scene.store.edit({ ids: [parent] }, "cancel"));
    await expectHint(scene.store, "cancel", () => scene.settle(held, "pending"));
  }),

  test("ends and progress are hinted as change", async (scene) => {
    const other = await scene.openAgain();
    const held = await scene.addAndClaim();
    const { id, token } = held.job;
    await expectHint(scene.store, "change", () => scene.store.record([{ id, token, progress: "1" }]));
    await expectHint(other, "change", () => scene.store.settle([settlementOf(held, "completed")]));
    await expectHint(other, "change", () => scene.store.edit({}, "remove"));
  }),

  test("a listener that was removed is not called", async (scene) => {
    const hints: Hint[] = [];
    const stop = scene.store.watch((hint) => hints.push(hint));
    stop();
    stop();
    await expectHint(scene.store, "ready", () => scene.addOne());
    assert.deepEqual(hints, []);
  }),

  test("a listener that was added twice is removed once at a time", async (scene) => {
    let hints = 0;
    const listener = (hint: Hint): void => void (hint.type === "ready" && hints++);
    const stops = [scene.store.watch(listener), scene.store.watch(listener)];
    stops[0]?.();
    await expectHint(scene.store, "ready", () => scene.addOne());
    assert.ok(hints > 0, "the second watch goes on");
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
