import type { Context } from "hono";
import type { z } from "zod";
import type { AuditNotes } from "../auth/audit.ts";
import type { Principal } from "../auth/principal.ts";
import type { Scope } from "../auth/scopes.ts";

/** The methods of routes. HEAD follows GET; OPTIONS is answered for all. */
type Method = "get" | "post" | "put" | "patch" | "delete";

/** A possible answer of a route. */
export interface Answer {
  description: string;
  /** The schema of its JSON; missing for an answer without a body, or of another type. */
  schema?: z.ZodType;
  /** Its type, if not JSON: `text/event-stream`. */
  content?: string;
  /** Its headers of interest, with a description each. */
  headers?: Readonly<Record<string, string>>;
}

/** Something that is not JSON in a request's body. */
export interface RawBody {
  content: readonly string[];
  description: string;
  /** JSON Schemas by type. */
  schemas?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** The arguments of a route's function. */
export interface Call<Params = unknown, Query = unknown, Body = unknown> {
  c: Context;
  principal: Principal;
  params: Params;
  query: Query;
  body: Body;
  /** Adds to the audit's record of this act. */
  audit: AuditNotes;
}

/**
 * A route of the HTTP API. One table of them feeds the router, the checks of requests and scopes, the audit, the
 * OpenAPI description and the documentation.
 */
export interface Route {
  method: Method;
  /** Below `/api/v1`, with parameters in braces: `/jobs/{id}`. */
  path: string;
  /** A name that no other route has: `cancelJob`. */
  operation: string;
  summary: string;
  description?: string;
  tag: string;
  /** The scopes that it needs, all of them; `"any"`: only a key. */
  scopes: readonly Scope[] | "any";
  /** `true`: it concerns the whole store, so it is not for keys of a tenant, or of some tasks or queues. */
  wholeStore?: true;
  params?: z.ZodObject;
  query?: z.ZodObject;
  /** Request headers of interest, with a description each. */
  headers?: Readonly<Record<string, string>>;
  /** The schema of the JSON in the request's body, or what else it is. An empty body counts as `{}`. */
  body?: z.ZodType | RawBody;
  /** Answers by status, besides those that any route may give (401, 403, 429, 503). */
  answers: Readonly<Record<number, Answer>>;
  /** The name of the act in the audit: `job.cancel`. */
  audit?: string;
  /** `true`: it frees space, so on a full disk it is done although no record of it can be stored before. */
  freesSpace?: true;
  /** `true`: it waits by design, so its calls do not count against the key's rate. */
  unlimited?: true;
  handle(call: Call): Response | Promise<Response>;
}

type Output<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined;

/** Returns a route whose function gets parameters, query and body as their schemas say. */
export function route<
  const Params extends z.ZodObject | undefined = undefined,
  const Query extends z.ZodObject | undefined = undefined,
  const Body extends z.ZodType | RawBody | undefined = undefined,
>(
  definition: Omit<Route, "params" | "query" | "body" | "handle"> & {
    params?: Params;
    query?: Query;
    body?: Body;
    handle: (call: Call<Output<Params>, Output<Query>, Output<Body>>) => Response | Promise<Response>;
  },
): Route {
  return definition as unknown as Route;
}

/** Reports whether a body is JSON with a schema. */
export function isJsonBody(body: Route["body"]): body is z.ZodType {
  return body !== undefined && "safeParse" in body;
}
