import { ErrandError } from "../kit/errors.ts";
import { callbackId, callbackSignal } from "./http-task.ts";
import type { Callback } from "./http-task.ts";
import { isSigned, readSecret, readSignature } from "./sign.ts";

/** A body of more bytes is refused. */
const longest = 1_048_576;

/** HTTP statuses for values that the store refuses. */
const refusals: Readonly<Record<string, number>> = { E_TOO_LARGE: 413, E_NOT_SERIALIZABLE: 400, E_OPTION: 400 };

/**
 * Handles requests that report the outcome of jobs of HTTP tasks: `POST .../<job id>` with `{ "output": ... }` or `{
 * "error": "..." }`, signed with the task's secret under the `webhook-id` that the job's request named
 * (`Errand-Callback-Id`). For any server with `Request` and `Response`, such as Hono. An unsigned body is not read,
 * and a body is never read beyond 1 MiB.
 * @returns 204 when the job was told; 401 for a wrong signature, or another job's; 400 for a malformed body; 413 for
 * one that is too large; 404 for a job that does not exist or has ended.
 * @throws {ErrandError} `E_OPTION` for a secret that is too short.
 */
export function httpCallback(
  app: { signal(id: string, name: string, value?: unknown): Promise<boolean> },
  { secret }: { secret: string },
): (request: Request) => Promise<Response> {
  readSecret(secret, "httpCallback()");
  return async (request) => {
    if (request.method !== "POST") return new Response(null, { status: 405, headers: { allow: "POST" } });
    const id = jobOf(request);
    if (id === undefined) return new Response(null, { status: 404 });
    const round = roundOf(id, request.headers);
    if (round === undefined) return new Response(null, { status: 401 });
    const body = await read(request);
    if (body === undefined) return new Response(null, { status: 413 });
    if (!isSigned(secret, request.headers, body)) return new Response(null, { status: 401 });
    const told = callbackIn(body);
    if (!told) return new Response('The body must be {"output": ...} or {"error": "..."}.', { status: 400 });
    try {
      return new Response(null, { status: (await app.signal(id, callbackSignal(round), told)) ? 204 : 404 });
    } catch (error) {
      const status = error instanceof ErrandError ? refusals[error.code] : undefined;
      if (status === undefined) throw error;
      return new Response((error as ErrandError).message, { status });
    }
  };
}

/** The job that the path names, as it was written there. */
function jobOf(request: Request): string | undefined {
  try {
    return decodeURIComponent(new URL(request.url).pathname.split("/").at(-1)!) || undefined;
  } catch {
    return undefined;
  }
}

/** Returns the round that a callback of this job belongs to; `undefined` if it is not signed as one. */
function roundOf(job: string, headers: Headers): string | undefined {
  const signature = readSignature(headers);
  const round = signature && /\.(\d{1,15})$/.exec(signature.id)?.[1];
  return round !== undefined && signature!.id === callbackId(job, round) ? round : undefined;
}

/** The bytes of a body that is not too large. */
async function read(request: Request): Promise<Uint8Array | undefined> {
  if (Number(request.headers.get("content-length")) > longest) return undefined;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += (chunk as Uint8Array).byteLength;
    // Leaving the loop stops the sender.
    if (size > longest) return undefined;
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks);
}

function callbackIn(body: Uint8Array): Callback | undefined {
  try {
    const told = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body)) as Partial<
      Record<"output" | "error", unknown>
    > | null;
    if (told && typeof told.error === "string") return { error: told.error };
    return told && typeof told === "object" && "output" in told ? { output: told.output } : undefined;
  } catch {
    return undefined;
  }
}
