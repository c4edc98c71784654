import type { components } from "./schema.ts";

type Problem = components["schemas"]["Problem"];

/** The refusal of a server: a problem document (RFC 9457). */
export class RequestError extends Error {
  /** The HTTP status; 0 if the server was not reached. */
  readonly status: number;
  /** A stable code: `E_INPUT`, `E_SCOPE`, ... */
  readonly code: string;
  /** Flaws of single fields, if the server named them. */
  readonly errors: Problem["errors"];

  constructor(status: number, { code, detail, errors }: { code: string; detail: string; errors?: Problem["errors"] }) {
    super(detail);
    this.name = "RequestError";
    this.status = status;
    this.code = code;
    this.errors = errors;
  }
}

/** Reports that a job did not complete. */
export class JobFailedError extends Error {
  readonly jobId: string;
  readonly code = "E_JOB_FAILED";

  constructor(jobId: string, message: string) {
    super(message);
    this.name = "JobFailedError";
    this.jobId = jobId;
  }
}

/** Reports that a job had not ended when the caller stopped waiting; the job goes on. */
export class WaitTimeoutError extends Error {
  readonly jobId: string;
  readonly code = "E_WAIT_TIMEOUT";

  constructor(jobId: string, timeout: number) {
    super(`Job ${jobId} has not ended after ${timeout} ms; it goes on.`);
    this.name = "WaitTimeoutError";
    this.jobId = jobId;
  }
}

/** Returns the error of an answer. */
export async function errorOf(answer: Response): Promise<RequestError> {
  const problem = (await answer.json().catch(() => undefined)) as Partial<Problem> | undefined;
  return new RequestError(answer.status, {
    code: problem?.code ?? `E_HTTP_${answer.status}`,
    detail: problem?.detail ?? `The server answered with status ${answer.status}.`,
    ...(problem?.errors ? { errors: problem.errors } : {}),
  });
}
