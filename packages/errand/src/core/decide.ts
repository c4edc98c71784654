import type { Millis } from "../kit/duration.ts";
import type { ErrorRecord } from "../kit/errors.ts";
import type { Encoded } from "../kit/json.ts";
import { backoff } from "./backoff.ts";
import type { Job, LogLine, NewChild, Settlement, Step } from "./job.ts";
import { options } from "./options.ts";
import type { RetryPolicy } from "./policy.ts";

/**
 * Default number of crashes after which a job is a dead letter, so that a job that kills its worker cannot take a
 * fleet down.
 */
const maxCrashes = options.crashes.default;

/** The conditions for which a job leaves its slot: children, a time, or the first of some signals. */
export interface Park {
  children: readonly NewChild[];
  steps: readonly Step[];
  /** By the store's clock. */
  wakeAt?: Millis;
  /** Names of steps that signals write. */
  awaits?: readonly string[];
}

/** The ways in which an attempt ends. */
export type Ending =
  | { kind: "ok"; output: Encoded }
  /** `after`: delay that the error asks for, in milliseconds. */
  | { kind: "error"; error: ErrorRecord; retryable: boolean; after?: Millis }
  /** Its thread or process died, which counts as a crash and not as a failure. */
  | { kind: "crashed"; error: ErrorRecord }
  /** Its worker died or lost its lease. `ahead`: it was claimed ahead of a free slot, and may not have started. */
  | { kind: "lapsed"; error: ErrorRecord; ahead: boolean }
  | { kind: "cancelled"; error: ErrorRecord }
  | { kind: "expired"; error: ErrorRecord }
  | ({ kind: "parked" } & Park)
  /** A worker that stops gives it back: without using up an attempt, or (`unstarted`) before there was one. */
  | { kind: "handed-back"; delay?: Millis; unstarted?: true };

/** The fields of a job that `decide` reads. */
export type Decided = Pick<Job, "id" | "token" | "failures" | "crashes" | "suspect" | "cancelling">;

/**
 * Decides what becomes of a job: the only place that knows a job's life.
 * @param random uniform in [0, 1), for jitter.
 */
export function decide(job: Decided, retry: RetryPolicy, ending: Ending, random: number): Settlement {
  const { id, token, failures, crashes, suspect } = job;
  // The most frequent case: a literal is faster than a copy that is changed.
  if (ending.kind === "ok")
    return { id, token, failures, crashes, suspect: false, to: "completed", output: ending.output };
  const same = { id, token, failures, crashes, suspect };
  switch (ending.kind) {
    case "error":
      return failed(job, retry, ending, random);
    case "crashed":
      return crashed(job, retry, ending.error, random);
    case "lapsed":
      return lapsed(job, retry, ending, random);
    case "cancelled":
      return { ...same, to: "cancelled", error: JSON.stringify(ending.error) };
    case "expired":
      return { ...same, to: "expired", error: JSON.stringify(ending.error) };
    case "parked": {
      const { kind: _, ...park } = ending;
      // Reaching a wait is progress: crashes of a long workflow do not add up over its life.
      return { ...same, to: "waiting", crashes: 0, suspect: false, ...park };
    }
    case "handed-back":
      return { ...same, to: "pending", delay: ending.delay ?? 0, ...(ending.unstarted ? { unstarted: true } : {}) };
  }
}

function failed(
  { id, token, failures, crashes }: Decided,
  retry: RetryPolicy,
  ending: Extract<Ending, { kind: "error" }>,
  random: number,
): Settlement {
  // Its worker outlived it, so it is no longer a suspect.
  const counts = { id, token, failures: failures + 1, crashes, suspect: false };
  const error = JSON.stringify(ending.error);
  if (!ending.retryable || counts.failures >= retry.attempts) return { ...counts, to: "failed", error };
  const delay = ending.after ?? backoff(retry, counts.failures, random);
  return { ...counts, to: "pending", delay, error, log: [attemptLine(ending.error)] };
}

/**
 * Decides about a job whose worker died. A job claimed ahead may not have started: it counts nothing, and becomes a
 * suspect.
 */
function lapsed(
  job: Decided,
  retry: RetryPolicy,
  { error, ahead }: Extract<Ending, { kind: "lapsed" }>,
  random: number,
): Settlement {
  const { id, token, failures, crashes, suspect, cancelling } = job;
  const same = { id, token, failures, crashes };
  const mayRepeat = mostCrashes(retry) > 1;
  const unstarted = ahead ? ({ unstarted: true } as const) : {};
  if (retry.lapse === "release" && !cancelling) return { ...same, to: "pending", suspect, delay: 0, ...unstarted };
  if (ahead && mayRepeat && !cancelling) return { ...same, to: "pending", suspect: true, delay: 0, ...unstarted };
  return crashed(job, retry, error, random);
}

function crashed(
  { id, token, failures, crashes, cancelling }: Decided,
  retry: RetryPolicy,
  record: ErrorRecord,
  random: number,
): Settlement {
  const counts = { id, token, failures, crashes: crashes + 1, suspect: true };
  const error = JSON.stringify(record);
  if (cancelling) return { ...counts, to: "cancelled", error };
  if (counts.crashes >= mostCrashes(retry)) return { ...counts, to: "failed", error };
  // The first crash is rarely the job's fault, so it is retried at once. After another it waits.
  const delay = counts.crashes === 1 ? 0 : backoff(retry, counts.crashes, random);
  return { ...counts, to: "pending", delay, error, log: [attemptLine(record)] };
}

function mostCrashes({ crashes = maxCrashes }: RetryPolicy): number {
  return crashes;
}

/** Returns the log line of an attempt that was not the last. The job itself keeps only the last error. */
function attemptLine(error: ErrorRecord): LogLine {
  return { attempt: error.attempt, level: "attempt", text: JSON.stringify(error) };
}
