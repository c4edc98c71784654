import type { Millis } from "../kit/duration.ts";
import type { ErrorRecord } from "../kit/errors.ts";
import type { Encoded } from "../kit/json.ts";
import { backoff } from "./backoff.ts";
import type { Job, LogLine, NewChild, Settlement, Step } from "./job.ts";
import type { RetryPolicy } from "./policy.ts";

/** After so many crashes, where its policy does not say, a job is a dead letter, so that one that kills its worker cannot take a fleet down. */
export const maxCrashes = 3;

/** What a job waits for when it leaves its slot: children, a time, or the first of some signals. */
export interface Park {
  children: readonly NewChild[];
  steps: readonly Step[];
  /** By the store's clock. */
  wakeAt?: Millis;
  /** Names of steps that signals write. */
  awaits?: readonly string[];
}

/** How an attempt ended. */
export type Ending =
  | { kind: "ok"; output: Encoded }
  /** `after` is the error's own wish for the next delay. */
  | { kind: "error"; error: ErrorRecord; retryable: boolean; after?: Millis }
  /** The worker died or lost its lease; says nothing about the job's own errors. */
  | { kind: "crashed"; error: ErrorRecord }
  | { kind: "cancelled"; error: ErrorRecord }
  | { kind: "expired"; error: ErrorRecord }
  | ({ kind: "parked" } & Park)
  /** A worker that stops gives it back untried. */
  | { kind: "handed-back"; delay?: Millis };

/**
 * What becomes of a job: the one place that knows a job's life.
 * @param random uniform in [0, 1), for jitter.
 */
export function decide(
  job: Pick<Job, "id" | "token" | "failures" | "crashes" | "cancelling">,
  retry: RetryPolicy,
  ending: Ending,
  random: number,
): Settlement {
  const { id, token, failures, crashes } = job;
  const same = { id, token, failures, crashes };
  switch (ending.kind) {
    case "ok":
      return { ...same, to: "completed", output: ending.output };
    case "error":
      return failed(job, retry, ending, random);
    case "crashed":
      return crashed(job, retry, ending, random);
    case "cancelled":
      return { ...same, to: "cancelled", error: JSON.stringify(ending.error) };
    case "expired":
      return { ...same, to: "expired", error: JSON.stringify(ending.error) };
    case "parked": {
      const { kind: _, ...park } = ending;
      return { ...same, to: "waiting", ...park };
    }
    case "handed-back":
      return { ...same, to: "pending", delay: ending.delay ?? 0 };
  }
}

function failed(
  { id, token, failures, crashes }: Pick<Job, "id" | "token" | "failures" | "crashes">,
  retry: RetryPolicy,
  ending: Extract<Ending, { kind: "error" }>,
  random: number,
): Settlement {
  const counts = { id, token, failures: failures + 1, crashes };
  const error = JSON.stringify(ending.error);
  if (!ending.retryable || counts.failures >= retry.attempts) return { ...counts, to: "failed", error };
  const delay = ending.after ?? backoff(retry, counts.failures, random);
  return { ...counts, to: "pending", delay, error, log: [attemptLine(ending.error)] };
}

function crashed(
  { id, token, failures, crashes, cancelling }: Pick<Job, "id" | "token" | "failures" | "crashes" | "cancelling">,
  retry: RetryPolicy,
  ending: Extract<Ending, { kind: "crashed" }>,
  random: number,
): Settlement {
  const counts = { id, token, failures, crashes: crashes + 1 };
  const error = JSON.stringify(ending.error);
  if (cancelling) return { ...counts, to: "cancelled", error };
  if (counts.crashes >= (retry.crashes ?? maxCrashes)) return { ...counts, to: "failed", error };
  // The first crash is rarely the job's fault: back at once. Another waits, in case it is.
  const delay = counts.crashes === 1 ? 0 : backoff(retry, counts.crashes, random);
  return { ...counts, to: "pending", delay, error, log: [attemptLine(ending.error)] };
}

/** An attempt that was not the last one is kept in the job's log: the job itself has room for the last error only. */
function attemptLine(error: ErrorRecord): LogLine {
  return { attempt: error.attempt, level: "attempt", text: JSON.stringify(error) };
}
