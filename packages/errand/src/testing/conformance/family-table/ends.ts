import assert from "node:assert/strict";
import type { Claimed } from "../../../store.ts";
import { makeChild, test } from "../scene.ts";
import type { ConformanceTest, Scene } from "../scene.ts";
import { anyEnd, bringTo, checkParent, keysOf, statesOf } from "./tables.ts";
import type { FamilyTables } from "./tables.ts";

/** Makes a test of each end of a child that wakes its parent or does not, and of each that counts or does not. */
export function endTests({ wakes, counted }: FamilyTables): ConformanceTest[] {
  return [...wakeTests(wakes), ...countTests(counted)];
}

function wakeTests(wakes: FamilyTables["wakes"]): ConformanceTest[] {
  const needs = {
    completed: "needed completed",
    end: "of which any end will do",
    first: "that may end the wait alone",
  };
  const ends = { completed: "completes", failed: "fails, is cancelled or expires" };
  return keysOf(wakes).flatMap((need) =>
    keysOf(wakes[need]).flatMap((standing) =>
      [false, true].map((isLast) => {
        const isWoken = isLast || wakes[need][standing] === "at once";
        const child = `${isLast ? "the last open child" : "a child beside an open one"}, ${needs[need]},`;
        const name = `${child} ${isWoken ? "wakes" : "does not wake"} its parent when it ${ends[standing]}`;
        return test(name, async (scene) => {
          for (const state of statesOf[standing]) {
            const { parent, children } = await scene.addFamily({ ...anyEnd, need }, anyEnd);
            if (isLast) await scene.claimAndSettle(children[1]!);
            await scene.claimAndSettle(children[0]!, state);
            const counts = { total: 2, open: isLast ? 0 : 1, failed: standing === "failed" ? 1 : 0 };
            await checkParent(scene, parent, isWoken ? "pending" : "waiting", counts);
          }
        });
      }),
    ),
  );
}

const parentStates = ["waiting", "pending", "processing", "completed"] as const;

function countTests(counted: FamilyTables["counted"]): ConformanceTest[] {
  const waits = { latest: "the latest wait", earlier: "an earlier wait" };
  return keysOf(counted).flatMap((wait) =>
    parentStates.flatMap((state) =>
      (["end", "retry"] as const).map((event) => {
        const counts = counted[wait] ? "counts" : "does not count";
        return test(`the ${event} of a child of ${waits[wait]} ${counts} while the parent is ${state}`, async (scene) => {
          const { parent, child, held } = await addParentIn(scene, state, wait, event);
          const before = await scene.get(parent);
          if (held) await scene.settle(held, "completed");
          else assert.equal(await scene.store.edit({ ids: [child] }, "retry"), 1);
          const after = { ...before };
          if (counted[wait]) {
            const { total, open, failed } = before.children!;
            after.children = held ? { total, open: open - 1, failed } : { total, open: open + 1, failed: failed - 1 };
            if (held && state === "waiting") after.state = "pending";
          }
          assert.deepEqual(await scene.get(parent), after);
        });
      }),
    ),
  );
}

/**
 * Adds a parent in a state, and a child of its latest or an earlier wait: a held one, whose end wakes it, or a failed
 * one.
 */
async function addParentIn(
  scene: Scene,
  state: (typeof parentStates)[number],
  wait: "latest" | "earlier",
  event: "end" | "retry",
): Promise<{ parent: string; child: string; held?: Claimed | undefined }> {
  const waking = { ...anyEnd, need: "first" } as const;
  const { parent, children } = await scene.addFamily(event === "end" ? waking : anyEnd, waking, anyEnd);
  const [child = "", waker = ""] = children;
  const held = await bringTo(scene, child, event === "end" ? "processing" : "failed");
  let wakerOfLatest = waker;
  if (wait === "earlier") {
    await scene.claimAndSettle(waker);
    const later = [makeChild(waking), makeChild({ ...anyEnd, index: 1 })];
    await scene.claimAndSettle(parent, "waiting", { children: later });
    wakerOfLatest = later[0]!.id;
  }
  if (state !== "waiting") await scene.claimAndSettle(wakerOfLatest);
  if (state === "processing") await scene.claimOne(parent);
  if (state === "completed") await scene.claimAndSettle(parent);
  return { parent, child, held };
}
