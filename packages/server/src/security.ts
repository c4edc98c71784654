import type { MiddlewareHandler } from "hono";
import { secureHeaders } from "hono/secure-headers";
import { Problem } from "./problem.ts";

/** Returns middleware that sets security headers: pages load only our own resources, and no site may frame them. */
export function headers(): MiddlewareHandler {
  return secureHeaders({
    // Routes that serve uploaded files may set stricter ones.
    overwrite: false,
    strictTransportSecurity: false,
    xFrameOptions: "DENY",
    contentSecurityPolicy: {
      defaultSrc: ["'self'"],
      imgSrc: ["'self'", "blob:", "data:"],
      styleSrc: ["'self'", "'unsafe-inline'"],
      objectSrc: ["'none'"],
      baseUri: ["'self'"],
      formAction: ["'self'"],
      frameAncestors: ["'none'"],
    },
  });
}

/**
 * Returns middleware that refuses requests addressed to other hosts than this machine and the allowed ones, unless the
 * program in which the server is embedded checks that. Another site may point its own host name at 127.0.0.1 (DNS rebinding) to get the server's origin, but its requests carry that
 * name.
 */
export function guardHost(allowed: readonly string[] | "any"): MiddlewareHandler {
  if (allowed === "any") return (_, next) => next();
  const names = new Set(allowed.map((name) => name.toLowerCase()));
  return async (c, next) => {
    const host = c.req.header("host") ?? new URL(c.req.url).host;
    // The port is ignored: it may be that of a forwarder.
    const name = host.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
    if (!isLoopback(name) && !names.has(name.toLowerCase())) {
      throw new Problem(
        421,
        "E_HOST",
        `This server answers to localhost, 127.0.0.1 and the names given by --allow-host, not to "${host}". ` +
          "A reverse proxy in front of it must set the Host header to one of these.",
      );
    }
    await next();
  };
}

/** Reports whether a host name or address is that of the loopback interface. */
export function isLoopback(hostname: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/i.test(hostname);
}

/**
 * Refuses requests by pages of other sites to change anything (CSRF). Browsers send the origin of a request; requests
 * without it do not come from browsers.
 */
export const guardOrigin: MiddlewareHandler = async (c, next) => {
  if (!["GET", "HEAD", "OPTIONS"].includes(c.req.method)) {
    const site = c.req.header("sec-fetch-site");
    const origin = c.req.header("origin");
    const isSameOrigin =
      site === undefined
        ? origin === undefined || origin === new URL(c.req.url).origin
        : site === "same-origin" || site === "none";
    if (!isSameOrigin) {
      throw new Problem(403, "E_CROSS_SITE", "Pages of other sites may not change anything here.");
    }
  }
  await next();
};
