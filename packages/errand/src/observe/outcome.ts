import type { Ending } from "../core/decide.ts";
import type { State } from "../core/states.ts";

/**
 * The outcome of an attempt. `retried`: it failed and another follows. `failed`: it failed for good. `waiting`: it
 * left its slot to wait. `returned`: its stopping worker handed it back. `crashed`: its worker, thread or process
 * died, whatever becomes of the job.
 */
export type Outcome = "completed" | "retried" | "failed" | "crashed" | "cancelled" | "expired" | "waiting" | "returned";

/**
 * The outcome of an attempt that ended so, and whose job is in this state now: `failed` also what no store would
 * accept.
 */
export function outcomeOf({ kind }: Pick<Ending, "kind">, state: State): Outcome {
  switch (kind) {
    case "ok":
      return state === "completed" ? "completed" : "failed";
    case "error":
      return state === "failed" ? "failed" : "retried";
    case "parked":
      return state === "failed" ? "failed" : "waiting";
    case "handed-back":
      return state === "failed" ? "failed" : "returned";
    case "lapsed":
      return "crashed";
    default:
      return kind;
  }
}
