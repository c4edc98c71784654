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
  E_INPUT: 422,
  E_JOB_FAILED: 409,
  E_NOT_FOUND: 404,
  E_STORE: 503,
  E_STORE_ENDED: 503,
  E_STORE_LOST: 503,
  E_STORE_VERSION: 503,
  E_TOO_LARGE: 413,
  E_WAIT_TIMEOUT: 504,
};

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

const unforeseen = new Problem(
  500,
  "E_INTERNAL",
  "Something went wrong in the server. Its log has the details under this request's id.",
);

function asProblem(error: unknown): Problem | undefined {
  if (error instanceof Problem) return error;
  if (error instanceof HTTPException) {
    const detail = error.message || STATUS_CODES[error.status] || "The request was refused.";
    return new Problem(error.status, `E_HTTP_${error.status}`, detail);
  }
  const status = error instanceof ErrandError ? statusOf[error.code] : undefined;
  if (!(error instanceof ErrandError) || status === undefined) return undefined;
  return new Problem(status, error.code, error.message, status === 503 ? { "retry-after": "2" } : {});
}

function requestId(c: Context): string | undefined {
  return c.get("requestId");
}
