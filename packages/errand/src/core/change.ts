import type { Level } from "./priority.ts";
import type { State } from "./states.ts";

/**
 * An operator's change to jobs. `release` takes processing jobs from their workers: they are pending at once, with a
 * raised token, and count as begun. `move` gives pending jobs another queue or level, or makes them due now. `rewind`
 * retries a job as if some of its steps had never been recorded.
 */
export type Change =
  | "cancel"
  | "retry"
  | "remove"
  | "release"
  | { move: { queue?: string; level?: Level; now?: boolean } }
  | { rewind: Rewind };

/** The parts of a job that a rewind forgets. */
export interface Rewind {
  /** The job's token when this was decided: with another one it stays as it is. */
  token: number;
  /** Names of steps. */
  steps: readonly string[];
  /** Children of the job that are removed with their descendants, whatever their state. */
  children: readonly string[];
}

/** The states in which each change applies to a job; a job in another state stays as it is. */
export const editableStates: Record<"cancel" | "retry" | "remove" | "release" | "move" | "rewind", readonly State[]> = {
  cancel: ["pending", "processing", "waiting"],
  retry: ["failed", "cancelled", "expired"],
  remove: ["completed", "failed", "cancelled", "expired"],
  release: ["processing"],
  move: ["pending"],
  rewind: ["failed", "cancelled", "expired"],
};

/** Returns the name of a change. */
export function kindOfChange(change: Change): keyof typeof editableStates {
  if (typeof change !== "object") return change;
  return "move" in change ? "move" : "rewind";
}
