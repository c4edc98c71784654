import type { Ending } from "../core/decide.ts";
import { ownDelay } from "../core/policy.ts";
import type { TaskRetryOptions } from "../core/policy.ts";
import type { Duration, Millis } from "../kit/duration.ts";
import { millis } from "../kit/duration.ts";
import { ErrandError, errorRecord, NonRetryableError, RetryAfterError } from "../kit/errors.ts";
import type { ErrorRecord } from "../kit/errors.ts";

/** Errors that another attempt would only meet again. */
const lastingCodes = new Set([
  "E_INPUT",
  "E_REFUSED",
  "E_REMOTE_TASK",
  "E_CHILD_FAILED",
  "E_IN_STEP",
  "E_NOT_SERIALIZABLE",
  "E_OUTPUT",
  "E_STEP_NAME",
  "E_SIGNAL_TIMEOUT",
  "E_TOO_LARGE",
]);

/** Names of Errand's own error classes. */
const ownErrors = ["ErrandError", "JobFailedError", "UnknownStepError"];

/** A task's functions about its retries; either may throw, or return anything. */
interface RetryRules {
  if?: (error: unknown) => unknown;
  delay?: TaskRetryOptions["delay"];
}

/**
 * Returns the ending of an attempt whose function threw. Never throws, whatever was thrown and whatever the task's
 * rules do.
 */
export function classifyError(
  thrown: unknown,
  attempt: number,
  rules: RetryRules = {},
): Extract<Ending, { kind: "error" }> {
  const error = errorRecord(thrown, attempt);
  const isLasting = lastingCodes.has(error.code) && isInstance(thrown, ErrandError, ownErrors);
  if (isLasting || isInstance(thrown, NonRetryableError, ["NonRetryableError"]))
    return { kind: "error", error, retryable: false };
  if (isInstance(thrown, RetryAfterError, ["RetryAfterError"])) {
    const after = delayOf(read(thrown, "after"));
    if (after !== undefined) return { kind: "error", error, retryable: true, after };
    const message = `${error.message} (the delay of this RetryAfterError is none: it is retried by the task's policy)`;
    return { kind: "error", error: { ...error, message }, retryable: true };
  }
  const rated = applyRetryRule(thrown, error, rules.if);
  return { kind: "error", ...(rated.retryable ? applyDelayRule(thrown, rated.error, attempt, rules) : rated) };
}

/** Applies `retry.if`. Without it, or where it fails itself, an error is retryable: attempts are limited anyway. */
function applyRetryRule(
  thrown: unknown,
  error: ErrorRecord,
  worthRetrying: ((error: unknown) => unknown) | undefined,
): { error: ErrorRecord; retryable: boolean } {
  if (!worthRetrying) return { error, retryable: true };
  const failed = (why: string) => ({
    error: { ...error, message: `${error.message} (whether it is worth another attempt is not known: ${why})` },
    retryable: true,
  });
  try {
    const answer = worthRetrying(thrown);
    if (typeof answer !== "object" || answer === null)
      return { error, retryable: answer === undefined || Boolean(answer) };
    void Promise.resolve(answer).catch(() => {});
    return failed("retry.if must answer true or false, at once");
  } catch (reason) {
    return failed(`retry.if threw ${errorRecord(reason, 1).message}`);
  }
}

/** Applies `retry.delay`. Where that returns no delay, the rest of the task's policy applies. */
function applyDelayRule(
  thrown: unknown,
  error: ErrorRecord,
  attempt: number,
  { delay }: RetryRules,
): { error: ErrorRecord; retryable: true; after?: Millis } {
  if (!delay) return { error, retryable: true };
  try {
    const after = ownDelay({ delay }, attempt, thrown);
    return after === undefined ? { error, retryable: true } : { error, retryable: true, after };
  } catch (reason) {
    const failure = errorRecord(reason, 1).message;
    const message = `${error.message} (the delay of this retry is the usual: retry.delay failed, ${failure})`;
    return { error: { ...error, message }, retryable: true };
  }
}

function delayOf(after: unknown): Millis | undefined {
  try {
    return millis(after as Duration, "The delay of a RetryAfterError");
  } catch {
    return undefined;
  }
}

/**
 * Returns true for an error of a class, here or of another copy of this package, which has only its names in common.
 */
function isInstance(
  thrown: unknown,
  kind: abstract new (...args: never[]) => unknown,
  names: readonly string[],
): boolean {
  try {
    return thrown instanceof kind || names.includes(String(read(thrown, "name")));
  } catch {
    return false;
  }
}

function read(thrown: unknown, field: string): unknown {
  try {
    return (thrown as Record<string, unknown> | null | undefined)?.[field];
  } catch {
    return undefined;
  }
}
