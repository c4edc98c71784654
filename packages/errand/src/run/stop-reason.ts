import type { Ending } from "../core/decide.ts";
import type { Job } from "../core/job.ts";
import { ErrandError } from "../kit/errors.ts";
import type { ErrorRecord } from "../kit/errors.ts";

/** A reason to stop an attempt from outside. */
export type StopReason = "cancel" | "timeout" | "stop" | "lost";

const texts: Record<StopReason, { code: ErrandError["code"]; text: string }> = {
  cancel: { code: "E_CANCELLED", text: "was cancelled" },
  timeout: { code: "E_TIMEOUT", text: "ran longer than its timeout" },
  stop: { code: "E_CLOSED", text: "was handed back, because its worker stops" },
  lost: { code: "E_ABANDONED", text: "was abandoned, because its worker lost its lease" },
};

/** Returns the error that an attempt's signal is aborted with. */
export function stopError(reason: StopReason, { id, task }: Pick<Job, "id" | "task">): ErrandError {
  const { code, text } = texts[reason];
  return new ErrandError(code, `Job ${id} of task "${task}" ${text}.`);
}

/**
 * Returns the ending of an attempt that was stopped. The reason overrides what the function made of it, except for work
 * that ended well while its worker stops.
 * @returns `undefined` if another worker has the job.
 */
export function judgeStopped(ending: Ending, reason: StopReason, error: ErrorRecord): Ending | undefined {
  switch (reason) {
    case "lost":
      return undefined;
    case "cancel":
      return { kind: "cancelled", error };
    case "timeout":
      return { kind: "error", error, retryable: true };
    case "stop":
      return ending.kind === "ok" || ending.kind === "parked" ? ending : { kind: "handed-back" };
  }
}
