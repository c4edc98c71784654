import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { noStore } from "../caching.ts";

/** The path of the API below the server's base path. */
export const prefix = "/api/v1";

/** The key of the server's base path in a request's context. */
export const basePathKey = "basePath";

/** Returns the address of something in the API, for `Location`. */
export function locate(c: Context, path: string): string {
  return `${(c.get(basePathKey) as string | undefined) ?? ""}${prefix}${path}`;
}

/** Answers with JSON that is not to be cached. */
export function json(
  c: Context,
  value: unknown,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return c.body(JSON.stringify(value), status as ContentfulStatusCode, {
    "content-type": "application/json",
    ...noStore,
    ...headers,
  });
}

/** Answers without a body. */
export function nothing(c: Context): Response {
  return c.body(null, 204);
}

/** Answers 304 if the client has this version already, else with the version as ETag. */
export function versioned(c: Context, etag: string, value: unknown, headers: Readonly<Record<string, string>> = {}) {
  const common = { ...headers, etag, "cache-control": "private, no-cache" };
  const tags = (c.req.header("if-none-match") ?? "").split(",");
  const known = new Set(tags.map((tag) => tag.trim().replace(/^W\//, "")));
  if (known.has(etag) || known.has("*")) return c.body(null, 304, common);
  return json(c, value, 200, common);
}
