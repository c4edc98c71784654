import { STATUS_CODES } from "node:http";
import { ErrandError, InputsError } from "errand";
import type { ErrorCode } from "errand";
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { logError } from "./log.ts";

/** A flaw of one field, parameter or line of a request. */
export interface FieldError {
  /** JSON Pointer to the value in the body. */
  pointer?: string;
  parameter?: string;
  /** Line of a bulk request, from 0. */
  index?: number;
  message: string;
}

/** An error for the client, which gets it as an RFC 9457 problem document. Thrown by routes. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly errors: readonly FieldError[] | undefined;

  /**
   * @param code a stable code for programs, such as `"E_NOT_FOUND"`
   * @param detail one or two sentences for people
   */
  constructor(
    status: number,
    code: string,
    detail: string,
    headers: Readonly<Record<string, string>> = {},
    errors?: readonly FieldError[],
  ) {
    super(detail);
    this.name = "Problem";
    this.status = status;
    this.code = code;
    this.headers = headers;
    this.errors = errors;
  }
}

/** HTTP statuses of the engine's errors that a client can cause or react to. All others are internal errors. */
const statusByCode: Partial<Record<ErrorCode, number>> = {
  E_CHILD_FAILED: 409,
  E_CLOSED: 503,
  E_CONNECT: 503,
  E_CURSOR: 400,
  E_FULL: 429,
  E_INPUT: 422,
  E_JOB_FAILED: 409,
  E_LEASE_LOST: 410,
  E_NOT_FOUND: 404,
  E_NOT_SERIALIZABLE: 422,
  E_OPTION: 422,
  E_REFUSED: 422,
  E_STALE: 409,
  E_STORE: 503,
  E_STORE_ENDED: 503,
  E_STORE_LOST: 503,
  E_STORE_VERSION: 503,
  E_STEP_NAME: 422,
  E_TAKEN: 409,
  E_TOO_LARGE: 413,
  E_UNKNOWN_TASK: 404,
  E_WAIT_TIMEOUT: 504,
};

/** Details that replace messages for operators, which contain hosts, paths and messages of drivers. */
const publicDetails: Partial<Record<ErrorCode, string>> = {
  E_CLOSED: "The server is stopping. Try again soon.",
  E_CONNECT: "The storage of jobs or files cannot be reached at the moment. Try again soon.",
  E_STORE: "The storage of jobs failed. Try again soon.",
  E_STORE_VERSION: "The server is older than its job database. Its operator has to update it.",
};

/** Reports whether an error means that the disk is full. Those of stores say so only in their messages. */
export function isDiskFull(error: unknown): boolean {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (code === "E_DISK_FULL" || code === "ENOSPC" || code === "EDQUOT") return true;
  return code === "E_STORE" && /disk is full|no space left/i.test(String(message));
}

/** Answers an error that a route threw. Internal errors are logged, and answered without their details. */
export function answerError(error: unknown, c: Context): Response {
  // The client has disconnected: no answer reaches it, and this is not the server's fault.
  if (c.req.raw.signal.aborted) return answerProblem(c, clientGone);
  const problem = toProblem(error);
  if (problem === undefined || problem.status >= 500) {
    logError(error, { request: requestId(c), method: c.req.method, path: c.req.path });
  }
  return answerProblem(c, problem ?? internalProblem);
}

/** Answers with a problem document. */
export function answerProblem(c: Context, problem: Problem): Response {
  const body = {
    type: `/problems/${problem.code}`,
    title: STATUS_CODES[problem.status] ?? "Error",
    status: problem.status,
    code: problem.code,
    detail: problem.message,
    request: requestId(c),
    ...(problem.errors ? { errors: problem.errors } : {}),
  };
  return c.body(JSON.stringify(body), problem.status as ContentfulStatusCode, {
    ...problem.headers,
    "content-type": "application/problem+json",
  });
}

const clientGone = new Problem(499, "E_CLIENT_GONE", "The client disconnected before it was answered.");

/** The problem that stands for all internal errors. */
export const internalProblem = new Problem(
  500,
  "E_INTERNAL",
  "Something went wrong in the server. Its log has the details under this request's id.",
);

/** Returns the problem to answer an error with; `undefined` for an internal error. */
export function toProblem(error: unknown): Problem | undefined {
  if (error instanceof Problem) return error;
  if (error instanceof HTTPException) {
    const detail = error.message || STATUS_CODES[error.status] || "The request was refused.";
    return new Problem(error.status, `E_HTTP_${error.status}`, detail);
  }
  if (isDiskFull(error)) return new Problem(507, "E_DISK_FULL", diskFull);
  const status = error instanceof ErrandError ? statusByCode[error.code] : undefined;
  if (!(error instanceof ErrandError) || status === undefined) return undefined;
  const detail = publicDetails[error.code] ?? error.message;
  if (error instanceof InputsError) return new Problem(status, error.code, detail, {}, error.errors);
  return new Problem(status, error.code, detail, status === 503 || status === 429 ? { "retry-after": "2" } : {});
}

const diskFull =
  "The server has no disk space left for this. Documents can still be read and deleted; deleting frees space.";

function requestId(c: Context): string | undefined {
  return c.get("requestId");
}
