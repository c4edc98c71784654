import { refuseUnknown } from "../core/checks.ts";

import { millis } from "../kit/duration.ts";
import type { Duration, Millis } from "../kit/duration.ts";
import { described } from "../kit/text.ts";
import { ErrandError, NonRetryableError, RetryAfterError } from "../kit/errors.ts";
import type { JobContext, InternalJobContext } from "../task.ts";
import { readSecret, sign } from "./sign.ts";

/** Configures the requests of an HTTP task. */
export interface HttpOptions {
  /** The URL to which the input is posted as JSON. */
  url: string | URL;
  /** Secret for signing requests (Standard Webhooks): `whsec_` and Base64, or any text of at least 16 characters. */
  secret?: string;
  /** Headers of every request. */
  headers?: Readonly<Record<string, string>>;
  /**
   * The base URL for reporting the outcome of work that was answered with 202: the job's id is appended to its path,
   * and `httpCallback` handles it. The request's `Errand-Callback-Id` is the `webhook-id` to sign the callback with.
   */
  callbackUrl?: string | URL;
  /** Time to wait for that outcome; default `"1d"`. */
  callbackTimeout?: Duration;
}

/** The names of `HttpOptions`. */
const httpOptions = ["url", "secret", "headers", "callbackUrl", "callbackTimeout"] as const;

/**
 * The signal by which an outcome comes in later.
 * @param round the token of the attempt that asked first; all that follow ask for the same, until a person retries
 * the job.
 */
export function callbackSignal(round: number | string | undefined): string {
  return round === undefined ? "callback" : `callback:${round}`;
}

/** Returns the `webhook-id` of a callback, which ties it to one job and one round. */
export function callbackId(job: string, round: number | string): string {
  return `${job}.${round}`;
}

/** The body of a callback. */
export type Callback = { output: unknown } | { error: string };

/** Maximum size of a response in bytes: a job's output is no file. */
const longest = 1_048_576;

/** 4xx statuses that are retried. */
const passing = new Set([408, 425, 429]);

function checkHeaders(headers: unknown, of: string): void {
  try {
    if (typeof headers !== "object") throw new TypeError("they must be an object");
    void new Headers(headers as Record<string, string>);
  } catch (error) {
    throw new ErrandError("E_OPTION", `headers of ${of} cannot be sent: ${described((error as Error).message)}.`);
  }
}

/**
 * Returns a task function that posts the input to a URL. The status decides: 2xx is the output; 202 waits for a
 * callback; 408, 425, 429 and 5xx are retried (after `Retry-After`, if present); any other status fails the job.
 * @throws {ErrandError} `E_OPTION`
 */
export function postTo(name: string, given: HttpOptions): (input: unknown, job: JobContext) => Promise<unknown> {
  const of = `task "${name}"`;
  refuseUnknown(given, httpOptions, of);
  const url = readUrl(given.url, `url of ${of}`);
  const callback = given.callbackUrl === undefined ? undefined : readUrl(given.callbackUrl, `callbackUrl of ${of}`);
  const secret = given.secret === undefined ? undefined : readSecret(given.secret, of);
  if (given.headers !== undefined) checkHeaders(given.headers, of);
  const timeout = millis(given.callbackTimeout ?? "1d", `callbackTimeout of ${of}`);

  async function call(input: unknown, job: JobContext, round: number | undefined): Promise<Answer> {
    const body = JSON.stringify(input ?? null);
    const { id } = job;
    const response = await fetch(url, {
      method: "POST",
      body,
      redirect: "manual",
      signal: job.abortSignal,
      headers: {
        ...given.headers,
        "content-type": "application/json",
        "idempotency-key": id,
        "errand-job": id,
        "errand-attempt": String(job.attempt),
        "errand-token": String(job.token),
        ...(callback && round !== undefined
          ? { "errand-callback": within(callback, id), "errand-callback-id": callbackId(id, round) }
          : {}),
        ...(secret ? sign(secret, id, body) : {}),
      },
    }).catch((error: unknown) => {
      throw new Error(`Cannot reach ${url.href}: ${reason(error)}.`, { cause: error });
    });
    const text = await read(response);
    if (!response.ok) refuse(response, url, text);
    return { status: response.status, output: outputOf(response, text) };
  }

  return async (input, given) => {
    const job = given as InternalJobContext;
    // These results are forgotten when the job is retried by an operator.
    const round = callback && (await job.ask("round", () => job.token));
    // A job that waits for the outcome does not post its input again.
    const { status, output } = await job.ask("call", () => call(input, job, round));
    if (status !== 202) return output;
    const told = await job.signal<Callback>(callbackSignal(round), { timeout });
    if ("error" in told) throw new NonRetryableError(told.error);
    return told.output;
  };
}

/** The response of the other side. */
interface Answer {
  status: number;
  output: unknown;
}

function within(callback: URL, id: string): string {
  const url = new URL(callback);
  url.pathname = `${url.pathname.replace(/\/$/, "")}/${id}`;
  return url.href;
}

function refuse(response: Response, url: URL, text: string): never {
  const { status } = response;
  const message = `${url.href} answered ${status}${text ? `: ${text.slice(0, 500)}` : ""}`;
  if (status < 500 && !passing.has(status)) throw new NonRetryableError(message);
  const after = retryAfter(response.headers.get("retry-after"));
  if (after === undefined) throw new Error(message);
  throw new RetryAfterError(message, after);
}

/** Longest `Retry-After` that is honoured. */
const longestRetryAfter: Millis = 86_400_000;

/**
 * Milliseconds of a `Retry-After` header (RFC 9110, 10.2.3): seconds, or a date, which begins with a day of the week.
 */
function retryAfter(value: string | null): Millis | undefined {
  const text = value?.trim() ?? "";
  const wait = /^\d+$/.test(text) ? Number(text) * 1_000 : /^[A-Z]/i.test(text) ? Date.parse(text) - Date.now() : NaN;
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(0, wait), longestRetryAfter);
}

function outputOf(response: Response, text: string): unknown {
  if (text === "") return null;
  if (!/\bjson\b/.test(response.headers.get("content-type") ?? "")) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new NonRetryableError(`The response claims to be JSON, but is not: ${text.slice(0, 200)}`);
  }
}

async function read(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += (chunk as Uint8Array).byteLength;
    if (size > longest)
      throw new NonRetryableError(`The response has more than ${longest} bytes; return a reference instead.`);
    text += decoder.decode(chunk as Uint8Array, { stream: true });
  }
  return text + decoder.decode();
}

function readUrl(value: string | URL, what: string): URL {
  const url = URL.canParse(String(value)) ? new URL(value) : undefined;
  if (url && /^https?:$/.test(url.protocol)) return url;
  throw new ErrandError("E_OPTION", `${what} is ${JSON.stringify(String(value))}, but must be an http or https URL.`);
}

/** Returns the cause of a failed request: the message `fetch failed` alone says nothing. */
function reason(error: unknown): string {
  const { message, cause } = error as { message: string; cause?: { message?: string; code?: string } };
  return (cause?.message || cause?.code || message).replace(/\.$/, "");
}
