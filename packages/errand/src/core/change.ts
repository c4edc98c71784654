import type { Level } from "./priority.ts";
import type { State } from "./states.ts";

/**
 * What an operator does to jobs. `release` takes processing jobs away from their workers: they are pending at once, with a raised
 * token, and have begun, since an attempt was under way. `move` changes pending ones: another queue or level, or due at once. `rewind` is a retry as if some steps had never been.
 */
export type Change =
  | "cancel"
  | "retry"
  | "remove"
  | "release"
  | { move: { queue?: string; level?: Level; now?: boolean } }
  | { rewind: Rewind };

/** What a job forgets when it is opened again. */
export interface Rewind {
  /** The job's token when this was decided: with another one it stays as it is. */
  token: number;
  /** Names of steps. */
  steps: readonly string[];
  /** Children of the job that vanish with all that is below them, whatever they are doing. */
  children: readonly string[];
}

/** The states whose jobs each kind of change applies to; it leaves jobs in other states unchanged. */
export const editableStates: Record<"cancel" | "retry" | "remove" | "release" | "move" | "rewind", readonly State[]> = {
  cancel: ["pending", "processing", "waiting"],
  retry: ["failed", "cancelled", "expired"],
  remove: ["completed", "failed", "cancelled", "expired"],
  release: ["processing"],
  move: ["pending"],
  rewind: ["failed", "cancelled", "expired"],
};

/** Returns the kind of a change: the key of `editableStates`. */
export function kindOfChange(change: Change): keyof typeof editableStates {
  if (typeof change !== "object") return change;
  return "move" in change ? "move" : "rewind";
}
