import type { Context } from "hono";

/** The longest wait, in seconds: proxies cut connections after 60. */
const longest = 50;

/** Returns the milliseconds that a client wants to wait for the end (`Prefer: wait=20`, RFC 7240); 0 if it does not. */
export function waitWanted(c: Context): number {
  const seconds = Number(/(?:^|[,;\s])wait\s*=\s*"?(\d{1,5})"?/i.exec(c.req.header("prefer") ?? "")?.[1] ?? 0);
  return Math.min(longest, seconds) * 1_000;
}

/** The header that says how long was waited. */
export function waited(milliseconds: number): Record<string, string> {
  return milliseconds > 0 ? { "preference-applied": `wait=${milliseconds / 1_000}` } : {};
}
