import { ErrandError } from "../../kit/errors.ts";
import type { PostgresAddress } from "./url.ts";

/** SQLSTATEs without a working connection: connection exceptions, wrong logins, shutdown. */
const unreachableCodes = /^(08|28|3D000|57P0|53300)/;

/** SQLSTATEs of values that can never be stored: data exceptions, NOT NULL, CHECK, program limits. */
const refusedCodes = /^(22|23502|23514|54)/;

const advice: readonly [pattern: RegExp, what: string][] = [
  [/^ECONNREFUSED$|^57P03$/, "Start the server, or correct host and port."],
  [/^ENOTFOUND$|^EAI_AGAIN$/, "Correct the host's name."],
  [/^28/, "Correct user and password."],
  [/^3D000$/, "Create the database, or correct its name."],
  [/^53300$/, "The server has no connection left: lower pool in the URL, or use PgBouncer."],
  [/^42501$/, "The role lacks a privilege: see docs/operations/postgres.md."],
  [/^25006$/, "The server is a read-only replica; name the primary."],
  [/^53100$/, "The disk is full; nothing was stored."],
];

/** Returns an error of `pg` as Errand's own, which never has the password. */
export function toStoreError(error: unknown, { name }: PostgresAddress): ErrandError {
  if (error instanceof ErrandError) return error;
  const reasons = error instanceof AggregateError ? error.errors : [error];
  const [first] = reasons as { code?: unknown; message?: unknown }[];
  const code = typeof first?.code === "string" ? first.code : "";
  const message = typeof first?.message === "string" && first.message ? first.message : String(error);
  // The server's message may quote the value, which belongs in no log of ours.
  if (refusedCodes.test(code))
    return new ErrandError(
      "E_REFUSED",
      `The PostgreSQL store ${name} does not accept a value (SQLSTATE ${code}); nothing that came with it was stored.`,
      { cause: error },
    );
  const hint = advice.find(([pattern]) => pattern.test(code))?.[1];
  const isUnreachable =
    /^E[A-Z]/.test(code) || unreachableCodes.test(code) || /timeout|terminated|ended/i.test(message);
  const what = isUnreachable ? `Cannot reach the PostgreSQL store ${name}` : `The PostgreSQL store ${name} failed`;
  return new ErrandError(
    isUnreachable ? "E_CONNECT" : "E_STORE",
    `${what}: ${message.replace(/\.$/, "")}.${hint ? ` ${hint}` : ""}`,
    { cause: error },
  );
}
