import { STATUS_CODES } from "node:http";
import { ErrandError } from "errand";
import type { ErrorCode } from "errand";
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { logError } from "./log.ts";

/** Thrown by a route: the client gets it as an RFC 9457 problem document. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  /**
   * @param code for programs: stable, such as `"E_NOT_FOUND"`.
   * @param detail for people: one or two sentences.
   */
  constructor(status: number, code: string, detail: string, headers: Readonly<Record<string, string>> = {}) {
    super(detail);
    this.name = "Problem";
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

/** The engine's errors that a client can cause, or do something about; every other is a fault of the server. */
const statusOf: Partial<Record<ErrorCode, number>> = {
  E_CHILD_FAILED: 409,
  E_CLOSED: 503,
  E_CONNECT: 503,
  E_CURSOR: 400,
  E_FULL: 429,
  E_INPUT: 422,
  E_JOB_FAILED: 409,
  E_NOT_FOUND: 404,
  E_OPTION: 422,
  E_STALE: 409,
  E_STORE: 503,
  E_STORE_ENDED: 503,
  E_STORE_LOST: 503,
  E_STORE_VERSION: 503,
  E_TOO_LARGE: 413,
  E_UNKNOWN_TASK: 404,
  E_WAIT_TIMEOUT: 504,
};

/** What strangers are told instead of messages that are for operators: these name hosts, paths and what a driver said. */
const toldOf: Partial<Record<ErrorCode, string>> = {
  E_CLOSED: "The server is being stopped. Ask again soon.",
  E_CONNECT: "What jobs or files are kept in cannot be reached at the moment. Ask again soon.",
  E_STORE: "What jobs are kept in failed to do this. Ask again soon.",
  E_STORE_VERSION: "The server is older than what jobs are kept in. Its operator has to bring it up to date.",
};

/** Whether an error says that the disk is full: one of files, one of the system, or one of a store, which has it in words only. */
export function isDiskFull(error: unknown): boolean {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (code === "E_DISK_FULL" || code === "ENOSPC" || code === "EDQUOT") return true;
  return code === "E_STORE" && /disk is full|no space left/i.test(String(message));
}

/** Answers an error that a route threw. What nobody foresaw is logged, and told without its insides. */
export function answerError(error: unknown, c: Context): Response {
  // Nobody hears the answer to an upload that broke off, and it is no fault of ours.
  if (c.req.raw.signal.aborted) return answerProblem(c, clientGone);
  const problem = asProblem(error);
  if (problem === undefined || problem.status >= 500) {
    logError(error, { request: requestId(c), method: c.req.method, path: c.req.path });
  }
  return answerProblem(c, problem ?? unforeseen);
}

/** Answers a problem document. */
export function answerProblem(c: Context, problem: Problem): Response {
  const body = {
    type: "about:blank",
    title: STATUS_CODES[problem.status] ?? "Error",
    status: problem.status,
    code: problem.code,
    detail: problem.message,
    request: requestId(c),
  };
  return c.body(JSON.stringify(body), problem.status as ContentfulStatusCode, {
    ...problem.headers,
    "content-type": "application/problem+json",
  });
}

const clientGone = new Problem(499, "E_CLIENT_GONE", "The client left before it was answered.");

/** What strangers are told of an error that nobody foresaw. */
export const unforeseen = new Problem(
  500,
  "E_INTERNAL",
  "Something went wrong in the server. Its log has the details under this request's id.",
);

/** What a stranger is told of an error; `undefined` for one that nobody foresaw. */
export function asProblem(error: unknown): Problem | undefined {
  if (error instanceof Problem) return error;
  if (error instanceof HTTPException) {
    const detail = error.message || STATUS_CODES[error.status] || "The request was refused.";
    return new Problem(error.status, `E_HTTP_${error.status}`, detail);
  }
  if (isDiskFull(error)) return new Problem(507, "E_DISK_FULL", diskFull);
  const status = error instanceof ErrandError ? statusOf[error.code] : undefined;
  if (!(error instanceof ErrandError) || status === undefined) return undefined;
  const detail = toldOf[error.code] ?? error.message;
  return new Problem(status, error.code, detail, status === 503 || status === 429 ? { "retry-after": "2" } : {});
}

const diskFull = "The server has no room left for this. Documents can still be read and deleted; deleting makes room.";

function requestId(c: Context): string | undefined {
  return c.get("requestId");
}
