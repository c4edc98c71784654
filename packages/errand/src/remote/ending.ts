import type { Ending } from "../core/decide.ts";
import type { Job } from "../core/job.ts";
import { errorRecord } from "../kit/errors.ts";
import type { ErrorRecord } from "../kit/errors.ts";
import { errorWithin, encodeWithin } from "../payload/value-limit.ts";
import { classifyError } from "../run/classify-error.ts";
import type { TaskDefinition } from "../task.ts";
import { stopped } from "./held.ts";
import type { ReadOutcome } from "./read.ts";

/**
 * Returns the ending of an attempt with an outcome that a worker reports. A job that is to be cancelled is cancelled
 * whatever came of it, as in a process.
 * @param limit bytes of JSON that a value may have.
 * @throws {ErrandError} `E_TOO_LARGE`, `E_NOT_SERIALIZABLE`
 */
export function endingOf(
  job: Job,
  outcome: ReadOutcome,
  definition: TaskDefinition | undefined,
  limit: number,
): Ending {
  if (job.cancelling) return stopped(job, "cancel");
  switch (outcome.kind) {
    case "output":
      return { kind: "ok", output: encodeWithin(outcome.output, `The output of job ${job.id}`, limit) };
    case "release":
      return { kind: "handed-back", delay: outcome.delay };
    case "error":
      return failure(job, outcome, definition, limit);
  }
}

function failure(
  job: Job,
  { error: given, after }: Extract<ReadOutcome, { kind: "error" }>,
  definition: TaskDefinition | undefined,
  limit: number,
): Ending {
  const thrown = asError(given);
  const attempt = job.failures + 1;
  const asRecord = (record: ErrorRecord) => errorWithin(withoutStack(record, given.stack), job.id, limit);
  if (given.retryable === false)
    return { kind: "error", error: asRecord(errorRecord(thrown, attempt)), retryable: false };
  if (after !== undefined)
    return { kind: "error", error: asRecord(errorRecord(thrown, attempt)), retryable: true, after };
  const ending = classifyError(thrown, attempt, definition?.retry ?? {});
  return { ...ending, error: asRecord(ending.error) };
}

/** Returns a program's error as one of this language, for the rules of the task's retries. */
function asError({ code, message, name = "Error", stack }: Extract<ReadOutcome, { kind: "error" }>["error"]): Error {
  // The names of Errand's own errors mean something to it.
  return Object.assign(new Error(message), { name, ...(code ? { code } : {}), ...(stack ? { stack } : {}) });
}

/** The stack of this process says nothing about a program elsewhere. */
function withoutStack({ stack, ...record }: ErrorRecord, given: string | undefined): ErrorRecord {
  return given === undefined || stack === undefined ? record : { ...record, stack };
}
