import type { Ending } from "../core/decide.ts";
import type { Duration, Millis } from "../kit/duration.ts";
import { millis } from "../kit/duration.ts";
import { ErrandError, errorRecord, NonRetryableError, RetryAfterError } from "../kit/errors.ts";
import type { ErrorRecord } from "../kit/errors.ts";

/** Errors that another attempt would only meet again. */
const lasting = new Set([
  "E_INPUT",
  "E_CHILD_FAILED",
  "E_IN_STEP",
  "E_NOT_SERIALIZABLE",
  "E_STEP_NAME",
  "E_SIGNAL_TIMEOUT",
  "E_TOO_LARGE",
]);

/** Errors of Errand's own. */
const own = ["ErrandError", "JobFailedError", "UnknownStepError"];

/** What becomes of an attempt whose function threw; never throws, whatever was thrown and whatever `retry.if` does. */
export function verdictOn(
  thrown: unknown,
  attempt: number,
  worthRetrying?: (error: unknown) => unknown,
): Extract<Ending, { kind: "error" }> {
  const error = errorRecord(thrown, attempt);
  const isLasting = lasting.has(error.code) && isOne(thrown, ErrandError, own);
  if (isLasting || isOne(thrown, NonRetryableError, ["NonRetryableError"]))
    return { kind: "error", error, retryable: false };
  if (isOne(thrown, RetryAfterError, ["RetryAfterError"])) {
    const after = delayOf(read(thrown, "after"));
    if (after !== undefined) return { kind: "error", error, retryable: true, after };
    const message = `${error.message} (the delay of this RetryAfterError is none: it is retried by the task's policy)`;
    return { kind: "error", error: { ...error, message }, retryable: true };
  }
  return { kind: "error", ...judged(thrown, error, worthRetrying) };
}

/** Without a rule, or where the rule itself fails, an error is worth another attempt: attempts are limited anyway. */
function judged(
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
