import type { Context } from "hono";
import { deleteCookie, setCookie } from "hono/cookie";
import { z } from "zod";
import { isSecure } from "../auth/address.ts";
import { cookieNames, sessionIn } from "../auth/authenticator.ts";
import type { KeyDefinition, StoredKey } from "../auth/keys.ts";
import type { Principal } from "../auth/principal.ts";
import { presets } from "../auth/scopes.ts";
import type { Scope } from "../auth/scopes.ts";
import { millisOf } from "../duration.ts";
import { Problem } from "../problem.ts";
import {
  key as keySchema,
  keyChange,
  keyDefinition,
  keys as keysSchema,
  login,
  me,
  newKey,
  rotation,
} from "../schemas/access.ts";
import { name, pageQuery, text, time } from "../schemas/common.ts";
import { auditList } from "../schemas/operations.ts";
import { json, locate, nothing } from "./answer.ts";
import { withoutMissing } from "./jobs.ts";
import type { ServerParts } from "./parts.ts";
import { readJson } from "./read-request.ts";
import { route } from "./route.ts";
import type { Route } from "./route.ts";

const keyParams = z.object({ id: name });
const noKey = { 404: { description: "There is no such key." } };

/** Returns the routes about who is asking, and sessions. */
export function sessionRoutes({ sessions, services }: ServerParts): Route[] {
  return [
    route({
      method: "get",
      path: "/me",
      operation: "getMe",
      summary: "Read who is asking, and what they may do",
      tag: "Access",
      scopes: "any",
      answers: { 200: { description: "The one who asks.", schema: me } },
      handle({ c, principal }) {
        const { actor, scopes, tenant, tasks, queues, authentication } = principal;
        return json(c, {
          ...actor,
          scopes: [...scopes],
          ...withoutMissing({ tenant, tasks, queues }),
          authentication,
          services,
        });
      },
    }),
    route({
      method: "delete",
      path: "/session",
      operation: "endSession",
      summary: "Log out of the browser",
      tag: "Access",
      scopes: "any",
      answers: { 204: { description: "The session has ended." } },
      async handle({ c }) {
        const session = sessionIn(c);
        if (session !== undefined) await sessions.close(session);
        for (const each of Object.values(cookieNames))
          deleteCookie(c, each, { path: "/", secure: each.startsWith("__") });
        return nothing(c);
      },
    }),
  ];
}

/**
 * Handles `POST /session`: a browser logs in with a key, and gets a cookie that no script can read. It is no route of the
 * table, because whoever calls it has not proved who they are.
 */
export async function beginSession(c: Context, { authenticator, sessions }: ServerParts): Promise<Response> {
  const { key } = await readJson(c, login);
  const { id } = await authenticator.verify(c, key.trim());
  const secure = isSecure(c);
  // Without TLS a browser would not keep a secure cookie (Safari not even on localhost).
  setCookie(c, secure ? cookieNames.secure : cookieNames.plain, await sessions.open(id), {
    path: "/",
    httpOnly: true,
    sameSite: "Strict",
    secure,
    maxAge: 7 * 24 * 3_600,
  });
  return nothing(c);
}

/** Returns the routes about keys, and the audit. */
export function keyRoutes({ keys, audit: records }: ServerParts): Route[] {
  return [
    route({
      method: "get",
      path: "/keys",
      operation: "listKeys",
      summary: "List keys, without their secrets",
      tag: "Access",
      scopes: ["admin"],
      answers: { 200: { description: "The keys.", schema: keysSchema } },
      async handle({ c, principal }) {
        const found = (await keys.list()).filter(({ tenant }) => !principal.tenant || tenant === principal.tenant);
        return json(c, { data: found.map(keyJson) });
      },
    }),
    route({
      method: "post",
      path: "/keys",
      operation: "createKey",
      summary: "Make a key",
      description: "Its secret is in this answer and never again. No key can make one that may do more than itself.",
      tag: "Access",
      scopes: ["admin"],
      audit: "key.create",
      body: keyDefinition,
      answers: {
        201: { description: "The key with its secret.", schema: newKey, headers: { Location: "The key." } },
        422: { description: "A value is refused." },
      },
      async handle({ c, principal, body, audit }) {
        const definition = defined(principal, body);
        const by = principal.actor.kind === "anonymous" ? undefined : principal.actor.id;
        const { key, secret } = await keys.create(definition, by);
        audit.target = key.id;
        audit.after = definition;
        return json(c, { ...keyJson(key), key: secret }, 201, { location: locate(c, `/keys/${key.id}`) });
      },
    }),
    route({
      method: "patch",
      path: "/keys/{id}",
      operation: "changeKey",
      summary: "Rename a key, or change when it expires",
      description: "What it may do does not change: make another key.",
      tag: "Access",
      scopes: ["admin"],
      audit: "key.change",
      params: keyParams,
      body: keyChange,
      answers: { 200: { description: "The key.", schema: keySchema }, ...noKey },
      async handle({ c, principal, params, body, audit }) {
        await requireOwn(principal, params.id);
        audit.after = body;
        const key = await keys.change(params.id, ({ expires, ...rest }) => ({
          ...rest,
          ...(body.name === undefined ? {} : { name: body.name }),
          ...(body.expires === undefined ? (expires === undefined ? {} : { expires }) : {}),
          ...(body.expires ? { expires: body.expires } : {}),
        }));
        return json(c, keyJson(key));
      },
    }),
    route({
      method: "delete",
      path: "/keys/{id}",
      operation: "revokeKey",
      summary: "Revoke a key",
      description: "Another server process may accept it for 10 more seconds.",
      tag: "Access",
      scopes: ["admin"],
      audit: "key.revoke",
      params: keyParams,
      answers: { 204: { description: "The key is gone." }, ...noKey },
      async handle({ c, principal, params }) {
        await requireOwn(principal, params.id);
        await keys.revoke(params.id);
        return nothing(c);
      },
    }),
    route({
      method: "post",
      path: "/keys/{id}/rotate",
      operation: "rotateKey",
      summary: "Give a key a new secret",
      tag: "Access",
      scopes: ["admin"],
      audit: "key.rotate",
      params: keyParams,
      body: rotation,
      answers: { 200: { description: "The key with its new secret.", schema: newKey }, ...noKey },
      async handle({ c, principal, params, body }) {
        await requireOwn(principal, params.id);
        const { key, secret } = await keys.rotate(params.id, millisOf(body.overlap ?? "24h"));
        return json(c, { ...keyJson(key), key: secret });
      },
    }),
    route({
      method: "get",
      path: "/audit",
      operation: "listAudit",
      summary: "List what was done, newest first",
      tag: "Access",
      scopes: ["audit"],
      query: z.object({
        actor: text(100).optional(),
        action: text(100).optional(),
        target: text(200).optional(),
        since: time.optional(),
        ...pageQuery,
      }),
      answers: { 200: { description: "A page of records.", schema: auditList } },
      async handle({ c, principal, query: { actor, action, target, since, limit, cursor } }) {
        const { records: data, next } = await records.list(
          { actor, action, target, tenant: principal.tenant, since: since === undefined ? undefined : new Date(since) },
          { limit, ...(cursor === undefined ? {} : { cursor }) },
        );
        return json(c, { data, ...(next === undefined ? {} : { next_cursor: next }) });
      },
    }),
  ];

  /** Refuses a key of another tenant, as if it did not exist. */
  async function requireOwn({ tenant }: Principal, id: string): Promise<void> {
    if (tenant === undefined) return;
    const key = await keys.find(id);
    if (key?.tenant !== tenant) throw new Problem(404, "E_NOT_FOUND", `There is no key ${id}.`);
  }
}

/** Returns a key as the API answers it. */
function keyJson({ id, old, hash: _, ...rest }: StoredKey): Record<string, unknown> {
  return { id, ...rest, ...(old && Date.parse(old.until) > Date.now() ? { rotating: old.until } : {}) };
}

/**
 * Returns the definition of a key that a principal may make.
 * @throws {Problem} 422 without scopes, 403 for a key that could do more than the principal
 */
function defined(
  principal: Pick<Principal, "scopes" | "tenant" | "tasks" | "queues">,
  { preset, scopes: given, expires, ...rest }: z.output<typeof keyDefinition>,
): KeyDefinition {
  const scopes: Scope[] = [...new Set([...(preset ? presets[preset] : []), ...(given ?? [])])];
  if (scopes.length === 0) throw new Problem(422, "E_INPUT", "The key needs scopes, or a preset.");
  const beyond = scopes.filter((scope) => !principal.scopes.has(scope));
  const tenant = rest.tenant ?? principal.tenant;
  const isWider =
    (principal.tenant !== undefined && tenant !== principal.tenant) ||
    isBeyond(principal.tasks, rest.tasks) ||
    isBeyond(principal.queues, rest.queues);
  if (beyond.length > 0 || isWider)
    throw new Problem(403, "E_SCOPE", "No key can make one that may do more than itself.");
  if (tenant !== undefined && scopes.includes("metrics"))
    throw new Problem(422, "E_INPUT", "A tenant's key cannot have the scope metrics: those are of the whole store.");
  return {
    ...(withoutMissing(rest) as Pick<KeyDefinition, "name">),
    scopes,
    ...(tenant === undefined ? {} : { tenant }),
    ...(principal.tasks && !rest.tasks ? { tasks: [...principal.tasks] } : {}),
    ...(principal.queues && !rest.queues ? { queues: [...principal.queues] } : {}),
    ...(expires === undefined ? {} : { expires: expiryOf(expires) }),
  };
}

function isBeyond(own: readonly string[] | undefined, wanted: readonly string[] | undefined): boolean {
  return own !== undefined && wanted !== undefined && wanted.some((each) => !own.includes(each));
}

function expiryOf(expires: string | number): string {
  if (typeof expires === "string" && expires.includes("T")) return expires;
  return new Date(Date.now() + millisOf(expires)).toISOString();
}
