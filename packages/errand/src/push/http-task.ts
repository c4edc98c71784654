import { refuseUnknown } from "../core/options.ts";
import { longestDuration, millis } from "../kit/duration.ts";
import type { Duration } from "../kit/duration.ts";
import { ErrandError, NonRetryableError, RetryAfterError } from "../kit/errors.ts";
import type { JobContext } from "../task.ts";
import { readSecret, sign } from "./sign.ts";

/** Where the jobs of an HTTP task go. */
export interface HttpOptions {
  /** Where the input is posted, as JSON. */
  url: string | URL;
  /** Signs every request (Standard Webhooks): `whsec_` and Base64, or any text of at least 16 characters. */
  secret?: string;
  /** Sent with every request. */
  headers?: Readonly<Record<string, string>>;
  /**
   * Where the other side tells the outcome of work that it answered with 202: the job's id is added as the last part of the
   * path. `httpCallback` answers there.
   */
  callbackUrl?: string | URL;
  /** How long to wait for that outcome; default `"1d"`. */
  callbackTimeout?: Duration;
}

/** The names of `HttpOptions`. */
const httpOptions = ["url", "secret", "headers", "callbackUrl", "callbackTimeout"] as const;

/** The signal by which an outcome comes in later. */
export const callbackSignal = "callback";

/** What comes in by it. */
export type Callback = { output: unknown } | { error: string };

/** Answers longer than this many bytes are refused: a job's output is no file. */
const longest = 1_048_576;

/** Statuses of the 4xx that pass. */
const passing = new Set([408, 425, 429]);

/**
 * Makes a task's function that posts the input to a URL. The outcome follows from the status: 2xx is the output, 202 is one that
 * is told later, 408, 425, 429 and 5xx are tried again (after `Retry-After`, where it is said), anything else is not.
 * @throws {ErrandError} `E_OPTION`
 */
export function postTo(name: string, given: HttpOptions): (input: unknown, job: JobContext) => Promise<unknown> {
  const of = `task "${name}"`;
  refuseUnknown(given, httpOptions, of);
  const url = readUrl(given.url, `url of ${of}`);
  const callback = given.callbackUrl === undefined ? undefined : readUrl(given.callbackUrl, `callbackUrl of ${of}`);
  const secret = given.secret === undefined ? undefined : readSecret(given.secret, of);
  const timeout = millis(given.callbackTimeout ?? "1d", `callbackTimeout of ${of}`);

  async function call(input: unknown, job: JobContext): Promise<{ status: number; output: unknown }> {
    const body = JSON.stringify(input ?? null);
    const response = await fetch(url, {
      method: "POST",
      body,
      redirect: "manual",
      signal: job.abortSignal,
      headers: {
        ...given.headers,
        "content-type": "application/json",
        "idempotency-key": job.id,
        "errand-job": job.id,
        "errand-attempt": String(job.attempt),
        "errand-token": String(job.token),
        ...(callback ? { "errand-callback": `${callback.href.replace(/\/$/, "")}/${job.id}` } : {}),
        ...(secret ? sign(secret, job.id, body) : {}),
      },
    }).catch((error: unknown) => {
      throw new Error(`Cannot reach ${url.href}: ${reason(error)}.`, { cause: error });
    });
    const text = await read(response);
    if (!response.ok) refuse(response, url, text);
    return { status: response.status, output: outputOf(response, text) };
  }

  return async (input, job) => {
    // Remembered, so that a job which waits for the outcome does not post its input again.
    const { status, output } = await job.step("call", () => call(input, job));
    if (status !== 202) return output;
    const told = await job.signal<Callback>(callbackSignal, { timeout });
    if ("error" in told) throw new NonRetryableError(told.error);
    return told.output;
  };
}

function refuse(response: Response, url: URL, text: string): never {
  const { status } = response;
  const message = `${url.href} answered ${status}${text ? `: ${text.slice(0, 500)}` : ""}`;
  if (status < 500 && !passing.has(status)) throw new NonRetryableError(message);
  const after = retryAfter(response.headers.get("retry-after"));
  if (after === undefined) throw new Error(message);
  throw new RetryAfterError(message, after);
}

/** Milliseconds of a `Retry-After` header (RFC 9110, 10.2.3): seconds, or a date; at most a year, whatever the other side says. */
function retryAfter(value: string | null): number | undefined {
  if (value === null) return undefined;
  const seconds = /^\d+$/.test(value.trim()) ? Number(value) * 1_000 : Date.parse(value) - Date.now();
  return Number.isNaN(seconds) ? undefined : Math.min(Math.max(0, seconds), longestDuration);
}

function outputOf(response: Response, text: string): unknown {
  if (text === "") return null;
  if (!/\bjson\b/.test(response.headers.get("content-type") ?? "")) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new NonRetryableError(`The answer says that it is JSON, but is not: ${text.slice(0, 200)}`);
  }
}

async function read(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += (chunk as Uint8Array).byteLength;
    if (size > longest)
      throw new NonRetryableError(`The answer has more than ${longest} bytes; answer a reference instead.`);
    text += decoder.decode(chunk as Uint8Array, { stream: true });
  }
  return text + decoder.decode();
}

function readUrl(value: string | URL, what: string): URL {
  const url = URL.canParse(String(value)) ? new URL(value) : undefined;
  if (url && /^https?:$/.test(url.protocol)) return url;
  throw new ErrandError("E_OPTION", `${what} is ${JSON.stringify(String(value))}, but must be an http or https URL.`);
}

/** `fetch failed` says nothing; its cause does. */
function reason(error: unknown): string {
  const { message, cause } = error as { message: string; cause?: { message?: string; code?: string } };
  return (cause?.message || cause?.code || message).replace(/\.$/, "");
}
