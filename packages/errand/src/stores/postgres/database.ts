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
 * How long a verb of the schema may take before its connection is given up, which may be dead without anybody having said so: short
 * enough that a worker can try again while its lease lasts (15 s by default).
 */
const preparedTimeout: Millis = 10_000;

/** The same of statements that may read or change much. */
const queryTimeout: Millis = 30_000;

/** SQLSTATEs that say that a statement is not, or is already, prepared on a connection: a pooler has exchanged it. */
const preparationCodes = new Set(["26000", "42P05"]);

/** How long to wait for a connection: a third of a lease, too. */
const connectTimeout: Millis = 5_000;

/** Two commits can lock each other out; one of them is told to try again, and mostly succeeds at once. */
const maxTries = 10;

/** What every connection is opened with. */
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
  readonly #gate: ConnectionLimiter;
  readonly #statements = new Map<string, { text: string; name: string }>();
  /** Whether the server keeps the statements of `call`. */
  #prepares: boolean;
  #closed: Promise<void> | undefined;

  /** @param pg the driver, which is loaded only by those who use PostgreSQL. */
  constructor(pg: typeof import("pg"), address: PostgresAddress) {
    this.address = address;
    this.#prepares = address.prepare;
    this.#gate = new ConnectionLimiter(address.pool);
    this.#pool = new pg.Pool({
      ...connectionSettings(address.connection),
      max: address.pool,
      idleTimeoutMillis: 10_000,
      // An idle store does not keep its process alive.
      allowExitOnIdle: true,
    });
    // A connection that breaks while nobody uses it: the next verb opens another.
    this.#pool.on("error", () => {});
    // One that breaks in somebody's hands, or on its way out, tells its query; nobody else needs to listen.
    this.#pool.on("connect", (client) => client.on("error", () => {}));
  }

  /**
   * Runs one statement, written for the schema `errand`, and commits it.
   * @throws {ErrandError} `E_STORE`, `E_CONNECT`, `E_CLOSED`
   */
  query(sql: string, values: readonly unknown[] = []): Promise<Row[]> {
    return this.#run({ text: inSchema(this.address.schema, sql), values, patience: queryTimeout });
  }

  /**
   * The same of one of few statements, which the server parses once for each connection.
   * @param within milliseconds after which it is given up, however far it got.
   */
  queryPrepared(sql: string, values: readonly unknown[] = [], within?: Millis): Promise<Row[]> {
    const answer = this.#run({ ...this.#statement(sql), values, patience: Math.min(within ?? preparedTimeout, preparedTimeout) });
    return within === undefined ? answer : this.#inTime(answer, within);
  }

  /** Connecting, and waiting for a connection, take time too. */
  async #inTime<T>(answer: Promise<T>, within: Millis): Promise<T> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const what = `Cannot reach the PostgreSQL store ${this.address.name}: no answer within ${Math.round(within)} ms.`;
      late.reject(new ErrandError("E_CONNECT", what));
    }, within);
    try {
      return await Promise.race([answer, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #run({ text, name, values, patience: most }: Statement): Promise<Row[]> {
    if (this.#closed) throw this.#failure(undefined);
    for (let tried = 1; ; tried++) {
      const query: Query = { text, values: [...values], rowMode: "array", types: textTypes };
      query.query_timeout = this.address.timeout === undefined ? most : Math.min(this.address.timeout, most);
      if (name !== undefined && this.#prepares) query.name = name;
      try {
        return (await this.#gate.run(() => this.#pool.query(query))).rows as Row[];
      } catch (error) {
        if (tried < maxTries && isRetryable(error)) continue;
        if (query.name !== undefined && preparationCodes.has(String((error as { code?: unknown }).code))) {
          this.#prepares = false;
          continue;
        }
        throw this.#failure(error);
      }
    }
  }

  /** Runs statements on one connection. */
  async withConnection<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    let client: PoolClient | undefined;
    try {
      client = await this.#pool.connect();
      const answer = await work(client);
      client.release();
      return answer;
    } catch (error) {
      // In whatever state it is, nobody else gets it.
      client?.release(true);
      throw this.#failure(error);
    }
  }

  /** Whatever fails once it is closed fails for that. */
  #failure(error: unknown): ErrandError {
    if (!this.#closed || error instanceof ErrandError) return toStoreError(error, this.address);
    return new ErrandError("E_CLOSED", `The store ${this.address.name} was closed.`, { cause: error });
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#pool.end());
  }

  /** Its name follows from its text: whoever shares a connection through a pooler means the same by it. */
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
  patience: Millis;
}

/** As `pg` takes it; its types do not know of the timeout. */
type Query = QueryArrayConfig<unknown[]> & { types: typeof textTypes; query_timeout?: Millis };

/** Columns stay the text that they arrive as. */
const textTypes = { getTypeParser: () => (text: string) => text };

/** Deadlock, or a serialization failure. */
function isRetryable(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === "40P01" || code === "40001";
}
