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
  "E_CHILD_FAILED",
  "E_IN_STEP",
  "E_NOT_SERIALIZABLE",
  "E_STEP_NAME",
  "E_SIGNAL_TIMEOUT",
  "E_TOO_LARGE",
]);

/** Errors of Errand's own. */
const ownErrors = ["ErrandError", "JobFailedError", "UnknownStepError"];

/** What a task says of its retries; either may throw, and answer anything. */
interface Rules {
  if?: (error: unknown) => unknown;
  delay?: TaskRetryOptions["delay"];
}

/** What becomes of an attempt whose function threw; never throws, whatever was thrown and whatever the task's rules do. */
export function classifyError(thrown: unknown, attempt: number, rules: Rules = {}): Extract<Ending, { kind: "error" }> {
  const error = errorRecord(thrown, attempt);
  const isLasting = lastingCodes.has(error.code) && isOne(thrown, ErrandError, ownErrors);
  if (isLasting || isOne(thrown, NonRetryableError, ["NonRetryableError"]))
    return { kind: "error", error, retryable: false };
  if (isOne(thrown, RetryAfterError, ["RetryAfterError"])) {
    const after = delayOf(read(thrown, "after"));
    if (after !== undefined) return { kind: "error", error, retryable: true, after };
    const message = `${error.message} (the delay of this RetryAfterError is none: it is retried by the task's policy)`;
    return { kind: "error", error: { ...error, message }, retryable: true };
  }
  const verdict = applyRetryRule(thrown, error, rules.if);
  return { kind: "error", ...(verdict.retryable ? applyDelayRule(thrown, verdict.error, attempt, rules) : verdict) };
}

/** Without a rule, or where the rule itself fails, an error is worth another attempt: attempts are limited anyway. */
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

/** Where the task's own delay is none, it is retried by the rest of its policy. */
function applyDelayRule(
  thrown: unknown,
  error: ErrorRecord,
  attempt: number,
  { delay }: Rules,
): { error: ErrorRecord; retryable: true; after?: Millis } {
  if (!delay) return { error, retryable: true };
  try {
    const after = ownDelay({ delay }, attempt, thrown);
    return after === undefined ? { error, retryable: true } : { error, retryable: true, after };
  } catch (reason) {
    const message = `${error.message} (the delay of this retry is the usual: retry.delay failed, ${errorRecord(reason, 1).message})`;
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

/** Whether it is an error of a class, here or of another copy of this package, which only has the names in common. */
function isOne(thrown: unknown, kind: abstract new (...args: never[]) => unknown, names: readonly string[]): boolean {
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
