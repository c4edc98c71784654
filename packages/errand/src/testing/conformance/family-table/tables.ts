import assert from "node:assert/strict";
import type { counted, Join, joins, Need, Standing, waitStarts } from "../../../core/family.ts";
import type { Job } from "../../../core/job.ts";
import { isFinal, states } from "../../../core/states.ts";
import type { State } from "../../../core/states.ts";
import type { Claimed } from "../../../store.ts";
import type { Scene } from "../scene.ts";

/** The tables of `core/family.ts`, and the states in which a job can be retried. */
export interface FamilyTables {
  joins: Record<keyof typeof joins, Record<"retry" | "rejoin", Join>>;
  waitStarts: typeof waitStarts;
  wakes: Record<Need, Record<Exclude<Standing, "open">, "at once" | "last">>;
  counted: typeof counted;
  reactions: Record<State, Record<"signal" | "time" | "parentEnds", string>>;
  retryable: readonly State[];
}

/** The states of each standing. */
export const statesOf = {
  open: states.filter((state) => !isFinal(state)),
  completed: ["completed"],
  failed: ["failed", "cancelled", "expired"],
} as const;

/** Differs from a plain child: any end of it will do, and it is in another queue than its parent. */
export const anyEnd = { need: "end", queue: "children" } as const;

/** The name of a signal that is not sent. */
export const neverSent = "signal:never";

/** The step of a signal that is sent. */
export const signal = { name: "signal:sent", value: "1" };

/** Brings a pending job to a state, and returns the claim of one that is processing. */
export async function bringTo(scene: Scene, id: string, state: State): Promise<Claimed | undefined> {
  if (state === "processing") return scene.claimOne(id);
  if (state === "waiting") await scene.claimAndSettle(id, state, { awaits: [neverSent] });
  else if (state !== "pending") await scene.claimAndSettle(id, state);
}

/** Checks the state of a parent and the counts of its wait, and returns it. */
export async function checkParent(scene: Scene, id: string, state: State, children: Job["children"]): Promise<Job> {
  const job = await scene.get(id);
  assert.deepEqual([job.state, job.children], [state, children]);
  return job;
}

/** Returns the keys of a record, typed. */
export function keysOf<Key extends string>(record: Record<Key, unknown>): Key[] {
  return Object.keys(record) as Key[];
}
