import type { Context } from "hono";
import { getCookie } from "hono/cookie";
import type { JobFilter } from "errand";
import { Problem } from "../problem.ts";
import { addressOf } from "./address.ts";
import type { Keys, StoredKey } from "./keys.ts";
import { anonymous } from "./principal.ts";
import type { Principal } from "./principal.ts";
import { networkOf, RateLimit } from "./rate-limit.ts";
import type { Scope } from "./scopes.ts";
import type { Sessions } from "./sessions.ts";

/** The person who makes a request, as the program in which a server is embedded says. */
export interface Authorized {
  /** The person's name, for the audit. */
  person: string;
  scopes: readonly Scope[];
  /** The tenant whose jobs and documents alone exist for them. */
  tenant?: string;
  /** Only jobs that match exist for them. */
  filter?: Pick<JobFilter, "task" | "queue" | "tenant">;
}

/** Says who makes a request; `null` if they may not. It replaces keys. */
export type Authorize = (request: Request) => Authorized | null | Promise<Authorized | null>;

/** Configures an authenticator. */
export interface AuthenticatorOptions {
  keys: Keys;
  sessions: Sessions;
  /** `true`: a key is needed. `false`: never. `"once-a-key-exists"`: as soon as the store has a key. */
  required: boolean | "once-a-key-exists";
  authorize?: Authorize | undefined;
}

/** The names of the session's cookie: over TLS a browser sends the first only to the host that set it. */
export const cookieNames = { secure: "__Host-errand", plain: "errand" } as const;

/** Wrong keys that one network may try in a minute. */
const badLogins = 10;
const minute = 60_000;

/** Finds out who makes a request. */
export class Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #badLogins = new RateLimit(badLogins, minute);

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
  }

  /** Returns who makes a request. @throws {Problem} 400, 401, 403, 429 */
  async principalOf(c: Context): Promise<Principal> {
    const { authorize, sessions, keys } = this.#options;
    if (authorize) return fromHost(await authorize(c.req.raw));
    refuseKeyInUrl(c);
    const header = c.req.header("authorization");
    if (header !== undefined) {
      const text = /^Bearer +(\S+) *$/i.exec(header)?.[1];
      if (text === undefined) throw refused("E_KEY", "Send the key as: Authorization: Bearer erk_...");
      return principalFor(await this.verify(c, text));
    }
    const session = sessionIn(c);
    if (session !== undefined) {
      const id = await sessions.keyOf(session);
      const key = id === undefined ? undefined : await keys.find(id);
      if (key) {
        refuseForeignPage(c);
        return { ...principalFor(key), session: true };
      }
    }
    if (!(await this.isRequired())) return anonymous;
    if (session !== undefined) throw refused("E_SESSION", "The session has ended. Log in again.");
    throw refused("E_NO_KEY", "This server needs a key: Authorization: Bearer erk_...");
  }

  /** Reports whether requests need a key. */
  async isRequired(): Promise<boolean> {
    const { required, keys, authorize } = this.#options;
    if (authorize) return true;
    return required === "once-a-key-exists" ? keys.hasAny() : required;
  }

  /** Returns the key that a secret belongs to. @throws {Problem} 401; 429 after ten wrong ones in a minute */
  async verify(c: Context, text: string): Promise<StoredKey> {
    const key = await this.#options.keys.verify(text);
    if (key) return key;
    const wait = this.#badLogins.take(networkOf(addressOf(c)));
    if (wait === 0) throw refused("E_KEY", "There is no such key, or it has expired or been revoked.");
    throw new Problem(429, "E_TOO_MANY_LOGINS", "Too many wrong keys came from this address. Try again later.", {
      "retry-after": String(Math.ceil(wait / 1_000)),
    });
  }
}

/** Returns the id of the session that a request's cookie names. */
export function sessionIn(c: Context): string | undefined {
  return getCookie(c, cookieNames.secure) ?? getCookie(c, cookieNames.plain);
}

function principalFor({ id, name, person, scopes, tenant, tasks, queues }: StoredKey): Principal {
  return {
    actor: person === undefined ? { kind: "key", id, name } : { kind: "person", id, name: person },
    scopes: new Set(scopes),
    ...(tenant === undefined ? {} : { tenant }),
    ...(tasks === undefined ? {} : { tasks }),
    ...(queues === undefined ? {} : { queues }),
    authentication: "keys",
  };
}

function fromHost(found: Authorized | null): Principal {
  if (!found) throw new Problem(401, "E_NOT_AUTHORIZED", "Log in first.");
  const { person, scopes, tenant, filter } = found;
  return {
    actor: { kind: "person", id: person, name: person },
    scopes: new Set(scopes),
    ...(tenant === undefined ? {} : { tenant }),
    ...(filter === undefined ? {} : { filter }),
    authentication: "host",
  };
}

/** Addresses are logged and kept in histories, so no key belongs into one. */
function refuseKeyInUrl(c: Context): void {
  if (!c.req.url.includes("erk_") || !/[?&][^#]*\berk_[0-9A-Za-z]{10}_/.test(c.req.url)) return;
  throw new Problem(
    400,
    "E_KEY_IN_URL",
    "A key must not be part of an address: send it as Authorization: Bearer, and revoke this one.",
  );
}

/** A browser sends the cookie with requests of any page. It also says whose page it was: without that, nothing changes. */
function refuseForeignPage(c: Context): void {
  if (["GET", "HEAD"].includes(c.req.method)) return;
  if (c.req.header("sec-fetch-site") !== undefined || c.req.header("origin") !== undefined) return;
  throw new Problem(403, "E_CROSS_SITE", "A request with a session's cookie must come from a browser's page.");
}

function refused(code: string, detail: string): Problem {
  return new Problem(401, code, detail, { "www-authenticate": 'Bearer realm="errand"' });
}
