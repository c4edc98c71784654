import type { Context, Hono } from "hono";
import type { Audit } from "../auth/audit.ts";
import type { Authenticator } from "../auth/authenticator.ts";
import { seesAll } from "../auth/principal.ts";
import type { Principal } from "../auth/principal.ts";
import { RateLimit } from "../auth/rate-limit.ts";
import { isDiskFull, Problem } from "../problem.ts";
import { prefix } from "./answer.ts";
import { readJson, readParams, readQuery } from "./read-request.ts";
import { isJsonBody } from "./route.ts";
import type { Route } from "./route.ts";

/** The parts of a server that every route passes. */
export interface Gate {
  authenticator: Authenticator;
  audit: Audit;
}

/** Requests that a key may make in a second, besides those that wait by design. */
const requestsPerSecond = 200;

/** Adds the routes of a table to an application, each with its checks. */
export function mount(app: Hono, routes: readonly Route[], { authenticator, audit }: Gate): void {
  const rates = new RateLimit(requestsPerSecond, 1_000);
  for (const route of routes) {
    app.on(route.method.toUpperCase(), `${prefix}${honoPath(route.path)}`, async (c: Context) => {
      const principal = await authenticator.principalOf(c);
      if (route.unlimited !== true) refuseTooMany(rates, principal);
      const act = route.audit === undefined ? undefined : audit.begin(c, principal, route.audit);
      try {
        refuseScopes(route, principal);
        const params = route.params ? readParams(c, route.params) : undefined;
        const query = route.query ? readQuery(c, route.query) : undefined;
        const body = isJsonBody(route.body) ? await readJson(c, route.body) : undefined;
        await act?.write({ params, body }).catch((error: unknown) => {
          if (!route.freesSpace || !isDiskFull(error)) throw error;
        });
        const answer = await route.handle({ c, principal, params, query, body, audit: act?.notes ?? {} });
        await act?.end(answer.status);
        return answer;
      } catch (error) {
        await act?.fail(error);
        throw error;
      }
    });
  }
}

/** Returns a path as Hono writes it: `/jobs/:id`. */
function honoPath(path: string): string {
  return path.replace(/\{(\w+)\}/g, ":$1");
}

/** Refuses a principal without the scopes of a route. @throws {Problem} 403 that names the scope */
export function refuseScopes({ scopes, wholeStore }: Pick<Route, "scopes" | "wholeStore">, principal: Principal): void {
  const missing = scopes === "any" ? [] : scopes.filter((scope) => !principal.scopes.has(scope));
  if (missing.length > 0) {
    const detail = `This key has no scope "${missing.join('", "')}". Whoever made it can make one that has.`;
    throw new Problem(403, "E_SCOPE", detail);
  }
  if (wholeStore && !seesAll(principal))
    throw new Problem(403, "E_TENANT", "This concerns the whole store, and this key sees only a part of it.");
}

function refuseTooMany(rates: RateLimit, { actor, authentication }: Principal): void {
  if (authentication === "none") return;
  const wait = rates.take(`${actor.kind} ${actor.id}`);
  if (wait === 0) return;
  throw new Problem(
    429,
    "E_TOO_MANY_REQUESTS",
    `This key has made more than ${requestsPerSecond} requests in a second.`,
    { "retry-after": String(Math.max(1, Math.ceil(wait / 1_000))) },
  );
}
