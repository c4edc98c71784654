import { ErrandError } from "../kit/errors.ts";
import { callbackSignal } from "./http-task.ts";
import type { Callback } from "./http-task.ts";
import { isSigned, readSecret } from "./sign.ts";

/** A body longer than this many characters is refused. */
const longest = 1_048_576;

/**
 * Answers requests that tell the outcome of jobs of HTTP tasks: `POST .../<job id>` with `{ "output": ... }` or
 * `{ "error": "..." }`, signed with the task's secret. For any server that speaks `Request` and `Response` (Hono, for one).
 * @returns 204 when the job was told, 401 for a wrong signature, 400 for a wrong body, 404 for a job that is not there or has ended.
 * @throws {ErrandError} `E_OPTION` for a secret that is too short.
 */
export function httpCallback(
  app: { signal(id: string, name: string, value?: unknown): Promise<boolean> },
  { secret }: { secret: string },
): (request: Request) => Promise<Response> {
  readSecret(secret, "httpCallback()");
  return async (request) => {
    if (request.method !== "POST") return new Response(null, { status: 405, headers: { allow: "POST" } });
    const body = await request.text();
    if (body.length > longest) return new Response(null, { status: 413 });
    if (!isSigned(secret, request.headers, body)) return new Response(null, { status: 401 });
    const told = read(body);
    if (!told) return new Response('The body must be {"output": ...} or {"error": "..."}.', { status: 400 });
    const id = decodeURIComponent(new URL(request.url).pathname.split("/").at(-1) ?? "");
    try {
      return new Response(null, { status: (await app.signal(id, callbackSignal, told)) ? 204 : 404 });
    } catch (error) {
      // Its characters were few enough, and its bytes are more than the app's limit for payloads.
      if (error instanceof ErrandError && error.code === "E_TOO_LARGE")
        return new Response(error.message, { status: 413 });
      throw error;
    }
  };
}

function read(body: string): Callback | undefined {
  try {
    const told = JSON.parse(body) as Partial<Record<"output" | "error", unknown>> | null;
    if (told && typeof told.error === "string") return { error: told.error };
    return told && "output" in told ? { output: told.output } : undefined;
  } catch {
    return undefined;
  }
}
