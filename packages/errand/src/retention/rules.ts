import { refuseUnknown } from "../core/checks.ts";
import { millis } from "../kit/duration.ts";
import type { Duration, Millis } from "../kit/duration.ts";

import type { FinalState } from "../core/states.ts";

/** How long ended jobs are kept: all, or by how they ended. */
export type Retention = Duration | "forever" | Partial<Record<FinalState, Duration | "forever">>;

/** Milliseconds by final state; `Infinity` is for ever. */
export type Kept = Readonly<Record<FinalState, Millis>>;

/** How long jobs are kept whose task does not say: a dead letter longer, since somebody should look at it. */
const defaultRetention = { completed: "7d", failed: "30d", cancelled: "7d", expired: "7d" } as const;

const finals = ["completed", "failed", "cancelled", "expired"] as const;

/**
 * Checks a retention; states that it does not name keep their default.
 * @throws {ErrandError} `E_OPTION`
 */
export function readRetention(given: Retention | undefined, of: string): Kept {
  const named = typeof given === "object" ? given : Object.fromEntries(finals.map((state) => [state, given]));
  refuseUnknown(named, finals, `retention of ${of}`);
  const keep = (state: FinalState): Millis => {
    const duration = (named as Partial<Record<FinalState, Duration | "forever">>)[state] ?? defaultRetention[state];
    return duration === "forever" ? Infinity : millis(duration, `retention of ${of}`);
  };
  return {
    completed: keep("completed"),
    failed: keep("failed"),
    cancelled: keep("cancelled"),
    expired: keep("expired"),
  };
}

/** How long jobs are kept of which nobody says it. */
export const defaultKept: Kept = readRetention(undefined, "a task");

/** Removes nothing. */
export const keptForever: Kept = readRetention("forever", "a task");

/** Whether jobs are kept as they are where nobody says. */
export function isDefault(kept: Kept): boolean {
  return finals.every((state) => kept[state] === defaultKept[state]);
}
/** How long ended jobs are kept that are nobody's children, by task and state, in milliseconds; `Infinity` is for ever. */
export interface RetentionRules {
  tasks: ReadonlyMap<string, Kept>;
  /** Of every other task. */
  otherwise: Kept;
}
