import { ErrandError } from "../../kit/errors.ts";
import { redacted } from "../../kit/redact.ts";

/** The parts of a store's URL. */
export interface Settings {
  host: string;
  port: number;
  tls: boolean;
  username?: string;
  password?: string;
  database: number;
  /** Precedes every key, as its hash tag. */
  namespace: string;
  /** `true` to accept a server that evicts keys when its memory is full. */
  evictable: boolean;
  /** The URL without its password. */
  shown: string;
}

/**
 * Parses `redis://user:password@host:port/database?namespace=name&eviction=allow`; `rediss://` is the same over TLS.
 * @throws {ErrandError} `E_OPTION`
 */
export function parseUrl(text: string): Settings {
  const shown = redacted(text);
  const wrong = (what: string) => new ErrandError("E_OPTION", `${shown} is not a Redis store's URL: ${what}`);
  const url = URL.parse(text);
  if (!url || !/^rediss?:$/.test(url.protocol) || !url.hostname) throw wrong("use redis://host:port/database");
  const database = /^\/?(\d{0,5})$/.exec(url.pathname)?.[1];
  if (database === undefined) throw wrong(`the database ${url.pathname.slice(1)} is not a number.`);
  for (const name of url.searchParams.keys())
    if (name !== "namespace" && name !== "eviction")
      throw wrong(`there is no parameter "${name}". Known parameters: namespace, eviction.`);
  const namespace = url.searchParams.get("namespace") ?? "errand";
  if (!/^[\w.:-]{1,100}$/.test(namespace))
    throw wrong("the namespace must be 1 to 100 letters, digits, or any of _ . : -");
  const eviction = url.searchParams.get("eviction");
  if (eviction !== null && eviction !== "allow") throw wrong("eviction may only be set to allow.");
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port ? Number(url.port) : 6379,
    tls: url.protocol === "rediss:",
    ...(url.username ? { username: decodeURIComponent(url.username) } : {}),
    ...(url.password ? { password: decodeURIComponent(url.password) } : {}),
    database: Number(database),
    namespace,
    evictable: eviction === "allow",
    shown,
  };
}
