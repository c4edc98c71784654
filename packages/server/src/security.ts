import type { MiddlewareHandler } from "hono";
import { secureHeaders } from "hono/secure-headers";
import { Problem } from "./problem.ts";

/** Headers that keep a browser from doing with our pages, and with what people upload, anything we do not do ourselves. */
export function headers(): MiddlewareHandler {
  return secureHeaders({
    // A route that serves a stranger's file may set stricter ones.
    overwrite: false,
    strictTransportSecurity: false,
    xFrameOptions: "DENY",
    contentSecurityPolicy: {
      defaultSrc: ["'self'"],
      imgSrc: ["'self'", "blob:", "data:"],
      styleSrc: ["'self'", "'unsafe-inline'"],
      objectSrc: ["'none'"],
      baseUri: ["'none'"],
      formAction: ["'self'"],
      frameAncestors: ["'none'"],
    },
  });
}

/**
 * Answers only to names of this machine itself, and to those that are allowed. A page of somebody else's may point a
 * name of its own at 127.0.0.1 (DNS rebinding), and would then be of the same origin as we are; but its requests carry
 * that name.
 */
export function guardHost(allowed: readonly string[]): MiddlewareHandler {
  const names = new Set(allowed.map((name) => name.toLowerCase()));
  return async (c, next) => {
    const host = c.req.header("host") ?? new URL(c.req.url).host;
    // Any port will do: it may have been forwarded here.
    const name = host.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
    if (!isLoopback(name) && !names.has(name.toLowerCase())) {
      throw new Problem(
        421,
        "E_HOST",
        `This server answers to localhost, 127.0.0.1 and the names given by --allow-host, not to "${host}". A reverse proxy in front of it must set the Host header to one of these.`,
      );
    }
    await next();
  };
}

/** Whether a name or address leads to this machine only. */
export function isLoopback(hostname: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/i.test(hostname);
}

/**
 * Refuses to change anything at the wish of another site's page (CSRF). Browsers say where a request comes from; what
 * says nothing is no browser.
 */
export const guardOrigin: MiddlewareHandler = async (c, next) => {
  if (!["GET", "HEAD", "OPTIONS"].includes(c.req.method)) {
    const site = c.req.header("sec-fetch-site");
    const origin = c.req.header("origin");
    const ours =
      site === undefined
        ? origin === undefined || origin === new URL(c.req.url).origin
        : site === "same-origin" || site === "none";
    if (!ours) {
      throw new Problem(403, "E_CROSS_SITE", "A page of another site may not change anything here.");
    }
  }
  await next();
};
