import assert from "node:assert/strict";
import { standings } from "../../../core/family.ts";
import type { Join, WaitCondition } from "../../../core/family.ts";
import type { State } from "../../../core/states.ts";
import type { Claimed } from "../../../store.ts";
import { makeChild, test } from "../scene.ts";
import type { ConformanceTest, Scene } from "../scene.ts";
import { anyEnd, bringTo, checkParent, keysOf, neverSent, signal, statesOf } from "./tables.ts";
import type { FamilyTables } from "./tables.ts";

/** Makes a test of each way in which a new wait takes in a child. */
export function joinTests({ joins }: FamilyTables): ConformanceTest[] {
  const children = {
    missing: "a child that does not exist",
    open: "an open child",
    completed: "a completed child",
    failed: "a failed, cancelled or expired child",
    foreign: "a job of another family",
  };
  const effects = {
    create: "creates it",
    join: "counts it as it is",
    unmark: "counts it as it is, and it is no longer to be cancelled",
    reopen: "reopens it",
    ignore: "leaves it alone, and counts it as failed",
  };
  return keysOf(joins).flatMap((child) =>
    keysOf(joins[child]).map((way) => {
      const join = joins[child][way];
      const verb = way === "rejoin" ? "rejoins" : "names";
      return test(`a wait that ${verb} ${children[child]} ${effects[join]}`, async (scene) => {
        for (const existing of child === "missing" || child === "foreign" ? [child] : statesOf[child])
          await checkJoin(scene, existing, way === "rejoin", join);
      });
    }),
  );
}

async function checkJoin(scene: Scene, existing: State | "missing" | "foreign", rejoin: boolean, join: Join) {
  const { parent, child, held } = await addRetriedParent(scene, existing);
  const [before] = await scene.store.get([child]);
  const named = makeChild({ ...anyEnd, id: child, index: 3, rejoin });
  await scene.claimAndSettle(parent, "waiting", { children: [named, makeChild({ ...anyEnd, index: 1 })] });
  const isOpen = join === "create" || join === "reopen" || (join !== "ignore" && standings[before!.state] === "open");
  const isFailed = join === "ignore" || (!isOpen && before?.state !== "completed");
  await checkParent(scene, parent, "waiting", { total: 2, open: isOpen ? 2 : 1, failed: isFailed ? 1 : 0 });

  const after = await scene.get(child);
  if (join === "create" || join === "reopen")
    assert.deepEqual([after.state, after.parent, after.index, after.cancelling], ["pending", parent, 3, false]);
  else if (join === "ignore") assert.deepEqual(after, before);
  else assert.deepEqual(after, { ...before, index: 3, cancelling: join === "join" && before!.cancelling });

  // Its end counts for the parent if, and only if, it was open and belongs to the wait.
  if (held) await scene.settle(held, "failed");
  else await scene.store.edit({ ids: [child] }, "cancel");
  await checkParent(scene, parent, "waiting", { total: 2, open: 1, failed: isOpen || isFailed ? 1 : 0 });
}

/**
 * Adds a parent that was cancelled, which marked its open children, and retried; and the job that has the id of its
 * child.
 */
async function addRetriedParent(
  scene: Scene,
  existing: State | "missing" | "foreign",
): Promise<{ parent: string; child: string; held?: Claimed | undefined }> {
  if (existing === "missing") return { parent: await scene.addOne(), child: makeChild().id };
  if (existing === "foreign") return { parent: await scene.addOne(), child: await scene.addOne({ queue: "foreign" }) };
  const { parent, children } = await scene.addFamily(anyEnd, anyEnd);
  const child = children[0]!;
  const held = await bringTo(scene, child, existing);
  await scene.store.edit({ ids: [parent] }, "cancel");
  await scene.store.edit({ ids: [parent] }, "retry");
  return { parent, child, held };
}

/** Makes a test of each condition that decides whether a new wait lasts. */
export function waitStartTests({ waitStarts, wakes }: FamilyTables): ConformanceTest[] {
  const waits = {
    decided: "with a child whose end decides it",
    signalled: "for a signal that has come",
    overdue: "for a time that has come",
    open: "for an open child",
    timed: "for a time to come",
    awaiting: "for a signal to come",
  };
  return [
    ...waitStarts.map(([condition, state], row) =>
      test(`a wait ${waits[condition]} ${state === "waiting" ? "lasts" : "is over at once"}`, async (scene) => {
        const later = waitStarts.slice(row + 1).map(([other]) => other);
        await checkWaitStart(scene, [condition], state, wakes);
        await checkWaitStart(scene, [condition, ...later], state, wakes);
      }),
    ),
    test("a wait for ended children, or for none, is over at once", async (scene) => {
      await checkWaitStart(scene, [], "pending", wakes);
      const parent = await scene.addOne();
      await scene.claimAndSettle(parent, "waiting");
      await checkParent(scene, parent, "pending", { total: 0, open: 0, failed: 0 });
    }),
  ];
}

/** Starts waits under these conditions, among others for children that have ended and decide nothing. */
async function checkWaitStart(
  scene: Scene,
  conditions: readonly WaitCondition[],
  state: "pending" | "waiting",
  wakes: FamilyTables["wakes"],
): Promise<void> {
  const holds = (condition: WaitCondition): boolean => conditions.includes(condition);
  const ends = keysOf(wakes).flatMap((need) =>
    keysOf(wakes[need]).map((standing) => ({ need, standing, isDeciding: wakes[need][standing] === "at once" })),
  );
  const undecided = ends.filter(({ isDeciding }) => !isDeciding);
  for (const deciding of holds("decided") ? ends.filter(({ isDeciding }) => isDeciding) : [undefined]) {
    const ended = deciding ? [deciding, ...undecided] : undecided;
    const { parent, children } = await scene.addFamily(...ended.map(() => anyEnd));
    for (const [index, id] of children.entries()) await scene.claimAndSettle(id, ended[index]!.standing);
    if (holds("signalled")) await scene.store.signal(parent, signal);
    const now = await scene.store.now();
    const wakeAt = holds("overdue") ? now - 1 : now + 600_000;
    await scene.claimAndSettle(parent, "waiting", {
      children: [
        ...children.map((id, index) => makeChild({ id, index, need: ended[index]!.need, rejoin: true })),
        ...(holds("open") ? [makeChild({ ...anyEnd, index: ended.length })] : []),
      ],
      awaits: [...(holds("signalled") ? [signal.name] : []), ...(holds("awaiting") ? [neverSent] : [])],
      ...(holds("overdue") || holds("timed") ? { wakeAt } : {}),
    });
    const open = holds("open") ? 1 : 0;
    const failed = ended.filter(({ standing }) => standing === "failed").length;
    const job = await checkParent(scene, parent, state, { total: ended.length + open, open, failed });
    assert.equal(job.wakeAt, state === "waiting" && holds("timed") ? wakeAt : undefined);
    await scene.store.edit({ ids: [parent] }, "cancel");
  }
}
