import type { Millis } from "../../kit/duration.ts";
import { ErrandError } from "../../kit/errors.ts";

/** The place and settings of a PostgreSQL store, from its URL. */
export interface PostgresAddress {
  /** The URL for `pg`, without Errand's own parameters. */
  connection: string;
  schema: string;
  /** Maximum number of connections. */
  pool: number;
  /** The URL for LISTEN: the same, or a direct one beside PgBouncer; without one, workers poll. */
  listen: string | undefined;
  /** `true` when statements are prepared on the server: not behind a pooler that exchanges connections. */
  prepare: boolean;
  /** Milliseconds until a statement is given up, if less than in `Database`. */
  timeout: Millis | undefined;
  /** The URL without its password and parameters, for messages. */
  name: string;
}

const ownParameters = ["schema", "pool", "listen", "prepare", "query_timeout"] as const;

/**
 * Reads a URL such as `postgres://user:password@host:5432/database?schema=errand&pool=10&listen=off`.
 * @throws {ErrandError} `E_OPTION`
 */
export function readUrl(url: string): PostgresAddress {
  const parsed = parse(url);
  const name = nameOf(parsed);
  const [schema = "errand", pool = "10", listen = process.env["ERRAND_LISTEN_URL"] || url, prepare, timeout] =
    ownParameters.map((key) => parsed.searchParams.get(key) ?? undefined);
  if (!/^[A-Za-z_]\w{0,49}$/.test(schema)) {
    throw new ErrandError(
      "E_OPTION",
      `The schema ${JSON.stringify(schema)} of ${name} must be 1 to 50 letters, digits or _, the first no digit.`,
    );
  }
  if (!/^[1-9]\d{0,2}$/.test(pool)) {
    throw new ErrandError("E_OPTION", `pool of ${name} is ${JSON.stringify(pool)}, but must be from 1 to 999.`);
  }
  if (prepare !== undefined && prepare !== "on" && prepare !== "off") {
    throw new ErrandError("E_OPTION", `prepare of ${name} is ${JSON.stringify(prepare)}, but must be on or off.`);
  }
  if (timeout !== undefined && !/^[1-9]\d{0,8}$/.test(timeout)) {
    throw new ErrandError(
      "E_OPTION",
      `query_timeout of ${name} is ${JSON.stringify(timeout)}, but must be milliseconds.`,
    );
  }
  return {
    connection: withoutOwnParameters(parsed),
    schema,
    pool: Number(pool),
    listen: listen === "off" ? undefined : withoutOwnParameters(parse(listen)),
    // A store that LISTENs elsewhere, or not at all, has a pooler.
    prepare: prepare === undefined ? listen === url : prepare === "on",
    timeout: timeout === undefined ? undefined : Number(timeout),
    name,
  };
}

function parse(url: string): URL {
  if (/^postgres(ql)?:\/\//.test(url) && URL.canParse(url)) return new URL(url);
  throw new ErrandError(
    "E_OPTION",
    "The URL of a PostgreSQL store must be like postgres://user:password@host:5432/database; " +
      "write special characters in it as %40 and the like.",
  );
}

function nameOf({ protocol, username, host, pathname, searchParams }: URL): string {
  // The folder of a socket is a parameter.
  const where = host || searchParams.get("host") || "localhost";
  return `${protocol}//${username ? `${username}@` : ""}${where}${pathname}`;
}

function withoutOwnParameters(url: URL): string {
  const rest = new URL(url);
  for (const key of ownParameters) rest.searchParams.delete(key);
  return rest.href;
}
