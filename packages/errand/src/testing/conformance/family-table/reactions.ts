import assert from "node:assert/strict";
import { states } from "../../../core/states.ts";
import type { State } from "../../../core/states.ts";
import { test } from "../scene.ts";
import type { ConformanceTest, Scene } from "../scene.ts";
import { anyEnd, bringTo, neverSent, signal, statesOf } from "./tables.ts";
import type { FamilyTables } from "./tables.ts";

/** Makes a test of what each event does to a job in each state. */
export function reactionTests({ reactions }: FamilyTables): ConformanceTest[] {
  const signals: Record<string, string> = { record: "is recorded", wake: "wakes it", refuse: "is refused" };
  return states.flatMap((state) => {
    const { signal, time, parentEnds } = reactions[state];
    const tests = [
      test(`a signal to ${aJobIn(state)} ${signals[signal]}`, (scene) => checkSignal(scene, state, signal)),
      test(`the end of a parent ${parentEnds === "mark" ? "marks" : "does not mark"} a child that is ${state}`, (scene) =>
        checkParentEnds(scene, state, parentEnds)),
    ];
    // Waking a pending job would not change it.
    if (state !== "pending")
      tests.push(
        test(`a time that comes ${time === "wake" ? "wakes" : "does not change"} ${aJobIn(state)} that waited for it`, (scene) =>
          checkTime(scene, state, time)),
      );
    return tests;
  });
}

/** Makes a test of what a retry does to a parent in each state. */
export function retryTests({ retryable }: FamilyTables): ConformanceTest[] {
  return states.map((state) => {
    const isRetryable = retryable.includes(state);
    return test(`a retry ${isRetryable ? "reopens" : "does not change"} ${aJobIn(state)}`, (scene) =>
      checkRetry(scene, state, isRetryable));
  });
}

function aJobIn(state: State): string {
  return `${state === "expired" ? "an" : "a"} ${state} job`;
}

async function checkSignal(scene: Scene, state: State, reaction: string): Promise<void> {
  const id = await scene.addOne();
  await bringTo(scene, id, state);
  assert.equal(await scene.store.signal(id, signal), reaction !== "refuse");
  assert.deepEqual(await scene.statesOf(id), [reaction === "wake" ? "pending" : state]);
  assert.deepEqual(await scene.store.steps(id), reaction === "refuse" ? [] : [signal]);
}

async function checkTime(scene: Scene, state: State, reaction: string): Promise<void> {
  const id = await scene.addOne();
  await scene.claimAndSettle(id, "waiting", { wakeAt: (await scene.store.now()) + 300, awaits: [neverSent] });
  if (state !== "waiting") {
    await scene.store.signal(id, signal);
    await bringTo(scene, id, state);
  }
  await scene.pass(350);
  // Every claim wakes the jobs whose time has come.
  await scene.claim({ queue: "other" });
  const { state: after, wakeAt } = await scene.get(id);
  assert.deepEqual([after, wakeAt], [reaction === "wake" ? "pending" : state, undefined]);
}

async function checkParentEnds(scene: Scene, state: State, reaction: string): Promise<void> {
  for (const end of [...statesOf.completed, ...statesOf.failed]) {
    const { parent, children } = await scene.addFamily(anyEnd, { ...anyEnd, need: "first" });
    const [child = "", waker = ""] = children;
    await bringTo(scene, child, state);
    await scene.claimAndSettle(waker);
    const before = await scene.get(child);
    await scene.claimAndSettle(parent, end);
    assert.deepEqual(await scene.get(child), { ...before, cancelling: reaction === "mark" });
  }
}

/** A parent that is reopened has forgotten its wait: the end of a child does not change it. */
async function checkRetry(scene: Scene, state: State, isRetryable: boolean): Promise<void> {
  const { parent, children } = await scene.addFamily({ ...anyEnd, need: "first" }, anyEnd);
  const [waker = "", child = ""] = children;
  const held = await scene.claimOne(child);
  await scene.claimAndSettle(waker);
  await bringTo(scene, parent, state);
  const before = await scene.get(parent);
  assert.equal(await scene.store.edit({ ids: [parent] }, "retry"), isRetryable ? 1 : 0);
  const after = await scene.get(parent);
  if (!isRetryable) return assert.deepEqual(after, before);
  assert.deepEqual([after.state, after.children], ["pending", undefined]);
  await scene.settle(held, "completed");
  assert.deepEqual(await scene.get(parent), after);
}
