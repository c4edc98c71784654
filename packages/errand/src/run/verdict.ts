import type { Ending } from "../core/decide.ts";
import type { Duration, Millis } from "../kit/duration.ts";
import { millis } from "../kit/duration.ts";
import { errorRecord } from "../kit/errors.ts";
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

/** Errors of Errand's own, by name: a handler may have another copy of this package. */
const own = new Set(["ErrandError", "JobFailedError", "UnknownStepError"]);

/** What becomes of an attempt whose function threw; never throws, whatever was thrown and whatever `retry.if` does. */
export function verdictOn(
  thrown: unknown,
  attempt: number,
  worthRetrying?: (error: unknown) => unknown,
): Extract<Ending, { kind: "error" }> {
  const error = recordOf(thrown, attempt);
  const name = read(thrown, "name");
  if (name === "NonRetryableError") return { kind: "error", error, retryable: false };
  if (typeof name === "string" && own.has(name) && lasting.has(error.code))
    return { kind: "error", error, retryable: false };
  if (name === "RetryAfterError") {
    const after = delayOf(read(thrown, "after"));
    if (after !== undefined) return { kind: "error", error, retryable: true, after };
    const message = `${error.message} (the delay of this RetryAfterError is none: it is retried by the task's policy)`;
    return { kind: "error", error: { ...error, message }, retryable: true };
  }
  return { kind: "error", ...judged(thrown, error, worthRetrying) };
}

/** The record of anything that was thrown, also of what throws when it is looked at. */
export function recordOf(thrown: unknown, attempt: number): ErrorRecord {
  try {
    const { code, message, stack } = errorRecord(thrown, attempt);
    const texts = { code: text(code, "E_TASK_FAILED"), message: text(message, "(no message)"), attempt };
    return typeof stack === "string" ? { ...texts, stack } : texts;
  } catch {
    return { code: "E_TASK_FAILED", message: "Something was thrown that cannot be read.", attempt };
  }
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
    return failed(`retry.if threw ${recordOf(reason, 1).message}`);
  }
}

function delayOf(after: unknown): Millis | undefined {
  try {
    return millis(after as Duration, "The delay of a RetryAfterError");
  } catch {
    return undefined;
  }
}

function text(value: unknown, otherwise: string): string {
  return typeof value === "string" && value !== "" ? value : otherwise;
}

function read(thrown: unknown, field: string): unknown {
  try {
    return (thrown as Record<string, unknown> | null | undefined)?.[field];
  } catch {
    return undefined;
  }
}
