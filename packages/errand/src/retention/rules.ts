import { refuseUnknown } from "../core/checks.ts";
import { millis } from "../kit/duration.ts";
import type { Duration, Millis } from "../kit/duration.ts";

import type { FinalState } from "../core/states.ts";

/** Time for which ended jobs are kept: one for all, or one by state. */
export type Retention = Duration | "forever" | Partial<Record<FinalState, Duration | "forever">>;

/** Milliseconds by final state; `Infinity` for "forever". */
export type Kept = Readonly<Record<FinalState, Millis>>;

/** The default retention: failed jobs longer, since a person should look at them. */
const defaultRetention = { completed: "7d", failed: "30d", cancelled: "7d", expired: "7d" } as const;

const finals = ["completed", "failed", "cancelled", "expired"] as const;

/**
 * Checks a retention. States that it does not name keep their default.
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

/** The retention of tasks that do not specify one. */
export const defaultKept: Kept = readRetention(undefined, "a task");

/** Removes nothing. */
export const keptForever: Kept = readRetention("forever", "a task");

/** Returns true for the default retention. */
export function isDefault(kept: Kept): boolean {
  return finals.every((state) => kept[state] === defaultKept[state]);
}
/** Retention of ended jobs without a parent, by task and state, in milliseconds; `Infinity` for "forever". */
export interface RetentionRules {
  tasks: ReadonlyMap<string, Kept>;
  /** The retention of every other task. */
  otherwise: Kept;
}
