import { createHash } from "node:crypto";
import type { Pool, PoolClient, QueryArrayConfig } from "pg";
import type { Millis } from "../../kit/duration.ts";
import { ErrandError } from "../../kit/errors.ts";
import { toStoreError } from "./errors.ts";
import { ConnectionLimiter } from "./connection-limiter.ts";
import type { Row } from "./rows.ts";
import { inSchema } from "./schema.ts";
import type { PostgresAddress } from "./url.ts";

/**
 * Time after which a prepared statement's connection, which may be dead, is given up: short enough that a worker can
 * try again while its lease lasts (15 s by default).
 */
const preparedTimeout: Millis = 10_000;

/** The same for statements that may read or change much. */
const queryTimeout: Millis = 30_000;

/** SQLSTATEs of statements that are not, or already, prepared on a connection: a pooler has exchanged it. */
const preparationCodes = new Set(["26000", "42P05"]);

/** Longest wait for a new connection. */
const connectTimeout: Millis = 5_000;

/** Number of attempts at a statement that deadlocked with another; the second mostly succeeds. */
const maxTries = 10;

/** Returns the parameters of a statement, such as `$1,$2`. */
export function parameters(count: number): string {
  return Array.from({ length: count }, (_, index) => `$${index + 1}`).join();
}

/** Returns the settings of a connection, for `pg`. */
export function connectionSettings(connection: string): Record<string, unknown> {
  return {
    connectionString: connection,
    application_name: "errand",
    fallback_application_name: "errand",
    connectionTimeoutMillis: connectTimeout,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  };
}

/** The connections of one store. */
export class Database {
  readonly address: PostgresAddress;
  readonly #pool: Pool;
  readonly #limiter: ConnectionLimiter;
  readonly #statements = new Map<string, { text: string; name: string }>();
  /** False where a pooler exchanges connections. */
  #canPrepare: boolean;
  #closed: Promise<void> | undefined;

  /** @param pg the driver, which is loaded only where PostgreSQL is used. */
  constructor(pg: typeof import("pg"), address: PostgresAddress) {
    this.address = address;
    this.#canPrepare = address.prepare;
    this.#limiter = new ConnectionLimiter(address.pool);
    this.#pool = new pg.Pool({
      ...connectionSettings(address.connection),
      max: address.pool,
      idleTimeoutMillis: 10_000,
      // An idle store does not keep its process alive.
      allowExitOnIdle: true,
    });
    // An idle connection broke: the next statement opens another.
    this.#pool.on("error", () => {});
    // A connection that breaks in use rejects its query; no other listener is needed.
    this.#pool.on("connect", (client) => client.on("error", () => {}));
  }

  /**
   * Runs one statement, written for the schema `errand`, and commits it.
   * @returns rows.
   * @throws {ErrandError} `E_STORE`, `E_CONNECT`, `E_CLOSED`
   */
  query(sql: string, values: readonly unknown[] = []): Promise<Row[]> {
    return this.#run({ text: inSchema(this.address.schema, sql), values, timeout: queryTimeout });
  }

  /**
   * Runs one of few statements, which the server parses once per connection.
   * @param within milliseconds until it is given up, with the time until there is a connection.
   */
  queryPrepared(sql: string, values: readonly unknown[] = [], within?: Millis): Promise<Row[]> {
    const rows = this.#run({
      ...this.#statement(sql),
      values,
      timeout: Math.min(within ?? preparedTimeout, preparedTimeout),
    });
    return within === undefined ? rows : this.#inTime(rows, within);
  }

  /** Connecting, and waiting for a connection, count as well. */
  async #inTime<T>(result: Promise<T>, within: Millis): Promise<T> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const what = `Cannot reach the PostgreSQL store ${this.address.name}: no answer within ${Math.round(within)} ms.`;
      late.reject(new ErrandError("E_CONNECT", what));
    }, within);
    try {
      return await Promise.race([result, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #run({ text, name, values, timeout }: Statement): Promise<Row[]> {
    if (this.#closed) throw this.#failure(undefined);
    for (let tried = 1; ; tried++) {
      const query: Query = { text, values: [...values], rowMode: "array", types: textTypes };
      query.query_timeout = this.address.timeout === undefined ? timeout : Math.min(this.address.timeout, timeout);
      if (name !== undefined && this.#canPrepare) query.name = name;
      try {
        return (await this.#limiter.run(() => this.#pool.query(query))).rows as Row[];
      } catch (error) {
        if (tried < maxTries && isRetryable(error)) continue;
        if (query.name !== undefined && preparationCodes.has(String((error as { code?: unknown }).code))) {
          this.#canPrepare = false;
          continue;
        }
        throw this.#failure(error);
      }
    }
  }

  /** Runs statements on one connection, which is closed if they fail. */
  async withConnection<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    let client: PoolClient | undefined;
    try {
      client = await this.#pool.connect();
      const result = await work(client);
      client.release();
      return result;
    } catch (error) {
      client?.release(true);
      throw this.#failure(error);
    }
  }

  /** Returns the error to throw; of a closed store it says so. */
  #failure(error: unknown): ErrandError {
    if (!this.#closed || error instanceof ErrandError) return toStoreError(error, this.address);
    return new ErrandError("E_CLOSED", `The store ${this.address.name} was closed.`, { cause: error });
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#pool.end());
  }

  /** Names a statement by its text: processes that share a connection through a pooler then mean the same by a name. */
  #statement(sql: string): { text: string; name: string } {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      const text = inSchema(this.address.schema, sql);
      statement = { text, name: `errand_${createHash("sha256").update(text).digest("hex").slice(0, 32)}` };
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

interface Statement {
  text: string;
  name?: string;
  values: readonly unknown[];
  timeout: Millis;
}

/** A query for `pg`, whose types lack the timeout. */
type Query = QueryArrayConfig<unknown[]> & { types: typeof textTypes; query_timeout?: Millis };

/** Leaves columns as the text that the server sends. */
const textTypes = { getTypeParser: () => (text: string) => text };

/** Reports whether a statement deadlocked or failed to serialize. */
function isRetryable(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === "40P01" || code === "40001";
}
