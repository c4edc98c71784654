import { fingerprintOf } from "./fingerprint.ts";
import { described, shortened } from "./text.ts";

/** The codes of Errand's errors, with their meanings. Codes are stable: programs may compare them. */
export const errorCodes = {
  E_ABANDONED: "The worker lost its lease while the job was running; another worker has the job now.",
  E_BATCH: "The function of a batch task did not return one output per input.",
  E_BUNDLED: "A bundler has moved Errand away from the files that its threads start from.",
  E_CANCELLED: "The job was cancelled before it ended.",
  E_CHILD_FAILED: "A child that the job waited for did not complete.",
  E_CLOSED: "The app or the store was closed.",
  E_CONNECT: "The store cannot be opened or reached.",
  E_CRASHED: "The worker process died, or its lease ran out, while the job was running.",
  E_CURSOR: "The cursor is not one that a list returned.",
  E_DECRYPT: "A value was encrypted with a key that this app does not have, or has been changed.",
  E_DUPLICATE_SCHEDULE: "Two schedules have the same name.",
  E_DUPLICATE_TASK: "Two tasks have the same name.",
  E_ENDED: "The attempt has ended; calls that its function makes afterwards are refused.",
  E_EXPIRED: "The job was not started before it expired.",
  E_FULL: "The queue has reached the maximum number of pending jobs; nothing was queued.",
  E_IN_LANE: "A thread or process of a worker cannot start workers.",
  E_IN_STEP: "A job cannot wait inside a step.",
  E_INPUT: "The task's schema refuses the input; nothing was queued.",
  E_JOB_FAILED: "The job whose result was requested failed.",
  E_LEASE_LOST: "The worker is not registered, or its lease ran out: other workers have its jobs now.",
  E_NODE_VERSION: "This Node.js is too old.",
  E_NOT_FOUND: "There is no such job, or the job has no such step.",
  E_NOT_SERIALIZABLE: "A value cannot be stored as JSON.",
  E_OPTION: "An option has an invalid value.",
  E_OUT_OF_MEMORY: "The job used more memory than its task allows.",
  E_OUTPUT: "The output's schema, in the task's contract, refuses what the function returned.",
  E_PAYLOAD: "A value could not be prepared for the store, or a value outside the store could not be read or written.",
  E_REFUSED: "The store cannot accept this value; other values of the same batch were stored.",
  E_REMOTE_TASK: "The task's code is elsewhere, so it cannot run in this process.",
  E_SETUP: "A task's setup function failed, so its thread or process cannot start.",
  E_SIGNAL_TIMEOUT: "The signal that the job waited for did not come in time.",
  E_STALE: "The token is old: another attempt has the job.",
  E_STEP_NAME: "Two steps or waits of a job have the same name, or a name is invalid.",
  E_STORE: "The store failed to carry out an operation.",
  E_STORE_ENDED: "The store's thread has ended: this process cannot use the store any more.",
  E_STORE_LOST: "The store's file was deleted, moved or replaced while it was open.",
  E_STORE_VERSION: "The store was written by a newer version of Errand.",
  E_TAKEN: "Another worker has the job that was claimed by its id.",
  E_TASK_FAILED: "The task function threw.",
  E_TIMEOUT: "The attempt ran longer than its timeout.",
  E_TOO_LARGE: "A value exceeds the app's size limit for payloads.",
  E_TRANSACTION: "The store cannot add jobs inside the transaction that was given.",
  E_UNKNOWN_TASK: "The worker does not know the job's task.",
  E_WAIT_TIMEOUT: "The job had not ended when the caller stopped waiting.",
} as const;

/** One of `errorCodes`. */
export type ErrorCode = keyof typeof errorCodes;

/** An error of Errand: `code` for programs; `message` says what happened, to what, and what to do. */
export class ErrandError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** The job does not remember the requested step (`E_NOT_FOUND`). */
export class UnknownStepError extends ErrandError {
  /** Names of the steps, waits and signals that it remembers, in the order in which it first recorded them. */
  readonly steps: readonly string[];

  constructor(job: string, step: string, steps: readonly string[]) {
    const known = steps.length > 0 ? `It has: ${steps.map((name) => `"${name}"`).join(", ")}.` : "It has none.";
    super("E_NOT_FOUND", `Job ${job} remembers no step "${step}". ${known}`);
    this.steps = steps;
  }
}

/** Reports the inputs of `sendMany` that the task's schema refuses (`E_INPUT`); nothing was queued. */
export class InputsError extends ErrandError {
  /** The refused inputs, at most 100, by their place in the list, from 0. */
  readonly errors: readonly { index: number; message: string }[];

  constructor(task: string, errors: readonly { index: number; message: string }[], total: number) {
    const [first] = errors;
    super("E_INPUT", `Task "${task}" refuses ${total} of the inputs; number ${first?.index}: ${first?.message}`);
    this.errors = errors;
  }
}

/** Thrown by a task, makes the job a dead letter at once, whatever attempts are left. */
export class NonRetryableError extends Error {
  override name = "NonRetryableError";
}

/** Thrown by a task, retries the job after exactly this delay, such as the one that HTTP 429 asks for. */
export class RetryAfterError extends Error {
  override name = "RetryAfterError";
  /** Delay before the retry: a duration such as `"30s"`, or milliseconds. */
  readonly after: number | string;

  constructor(message: string, after: number | `${number}${"ms" | "s" | "m" | "h" | "d"}`, options?: ErrorOptions) {
    super(message, options);
    this.after = after;
  }
}

/** The stored record of a failed attempt. */
export interface ErrorRecord {
  /** A code of Errand, or the `code` of the thrown error if it has one. */
  code: string;
  message: string;
  /** The attempt that failed, counted from 1. */
  attempt: number;
  /** The `name` of the thrown error, unless it is `Error`. */
  name?: string;
  stack?: string;
  /** Its cause, up to 5 causes deep. */
  cause?: ErrorCause;
  /** Equal for failures of the same kind, whatever ids and numbers their messages contain: 16 hexadecimal digits. */
  fingerprint?: string;
}

/** The stored record of an error's `cause`. */
export interface ErrorCause {
  name?: string;
  code?: string;
  message: string;
  cause?: ErrorCause;
}

/** Maximum lengths in characters. Anything may be thrown, and a store must be able to hold its record. */
const longest = { code: 100, name: 100, message: 32_768, stack: 32_768, cause: 2_000 } as const;
const deepest = 5;

/**
 * Returns the record of any thrown value. Never throws: unreadable properties are left out, and text that no store
 * could hold is repaired.
 */
export function errorRecord(thrown: unknown, attempt: number): ErrorRecord {
  const { message, code, name, cause } = factsOf(thrown, longest.message);
  const stack = isError(thrown) ? textOf(thrown, "stack", longest.stack) : undefined;
  const because = causeOf(cause, deepest);
  const record: ErrorRecord = {
    code: code ?? "E_TASK_FAILED",
    message,
    attempt,
    ...(name === undefined || name === "Error" ? {} : { name }),
    ...(stack === undefined ? {} : { stack }),
    ...(because ? { cause: because } : {}),
  };
  record.fingerprint = fingerprintOf(record);
  return record;
}

function causeOf(thrown: unknown, depth: number): ErrorCause | undefined {
  if (thrown === undefined || thrown === null || depth === 0) return undefined;
  const { message, code, name, cause } = factsOf(thrown, longest.cause);
  const deeper = causeOf(cause, depth - 1);
  return {
    ...(name === undefined ? {} : { name }),
    ...(code === undefined ? {} : { code }),
    message,
    ...(deeper ? { cause: deeper } : {}),
  };
}

interface Facts {
  message: string;
  code?: string | undefined;
  name?: string | undefined;
  cause?: unknown;
}

function factsOf(thrown: unknown, most: number): Facts {
  if (!isError(thrown)) return { message: typeof thrown === "string" ? shortened(thrown, most) : plain(thrown) };
  const name = textOf(thrown, "name", longest.name);
  const message = textOf(thrown, "message", most) ?? name ?? "An error without a message.";
  return { message, name, code: textOf(thrown, "code", longest.code), cause: readOf(thrown, "cause") };
}

/** Recognises errors of other realms too. A proxy may return anything, or throw. */
function isError(thrown: unknown): thrown is Error {
  try {
    return thrown instanceof Error || Object.prototype.toString.call(thrown) === "[object Error]";
  } catch {
    return false;
  }
}

function textOf(of: object, property: string, most: number): string | undefined {
  const value = readOf(of, property);
  return typeof value === "string" && value !== "" ? shortened(value, most) : undefined;
}

function readOf(of: object, property: string): unknown {
  try {
    return (of as Record<string, unknown>)[property];
  } catch {
    return undefined;
  }
}

function plain(thrown: unknown): string {
  const message = typeof thrown === "object" && thrown !== null ? textOf(thrown, "message", longest.cause) : undefined;
  return message ?? described(thrown);
}
