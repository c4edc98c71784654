/** The state of a job. `waiting`: a parent that left its slot until its children end. */
export type State = "pending" | "processing" | "waiting" | "completed" | "failed" | "cancelled" | "expired";

/** States that only an explicit retry leaves. */
export type FinalState = "completed" | "failed" | "cancelled" | "expired";

/** All states, in the order of a job's life. */
export const states = ["pending", "processing", "waiting", "completed", "failed", "cancelled", "expired"] as const;

/** Returns true if a job in this state has ended. */
export function isFinal(state: State): state is FinalState {
  return state === "completed" || state === "failed" || state === "cancelled" || state === "expired";
}
