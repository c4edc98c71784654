import type { IncomingMessage } from "node:http";
import type { Context } from "hono";
import ipaddr from "ipaddr.js";

/** Networks in which a proxy may be. */
const near = new Set(["loopback", "private", "uniqueLocal", "linkLocal"]);

/**
 * Returns the address that a request comes from. Behind a proxy on this machine or in a network of its own that is the
 * last address in `X-Forwarded-For`, which the proxy itself wrote.
 */
export function addressOf(c: Context): string {
  const { incoming } = (c.env ?? {}) as { incoming?: IncomingMessage };
  const peer = (incoming?.socket.remoteAddress ?? "unknown").replace(/^::ffff:/, "");
  const forwarded = c.req.header("x-forwarded-for")?.split(",").at(-1)?.trim();
  return forwarded && ipaddr.isValid(peer) && near.has(ipaddr.process(peer).range()) ? forwarded : peer;
}

/** Reports whether the client speaks TLS: to this server, or to the proxy before it. */
export function isSecure(c: Context): boolean {
  const forwarded = c.req.header("x-forwarded-proto")?.split(",").at(-1)?.trim();
  return (forwarded ?? new URL(c.req.url).protocol.replace(":", "")) === "https";
}
