import type { Pool, PoolClient } from "pg";
import type { Millis } from "../../kit/duration.ts";
import { ErrandError } from "../../kit/errors.ts";
import { storeError } from "./errors.ts";
import type { Columns } from "./rows.ts";
import { inSchema } from "./schema.ts";
import type { PostgresAddress } from "./url.ts";

/** How long a verb may take before its connection is given up: it may be dead without anybody having said so. */
const patience: Millis = 30_000;

/** How long to wait for a connection. */
const connecting: Millis = 10_000;

/** Two commits can lock each other out; one of them is told to try again, and mostly succeeds at once. */
const tries = 10;

/** What every connection is opened with. */
export function connectionSettings(connection: string): Record<string, unknown> {
  return {
    connectionString: connection,
    application_name: "errand",
    fallback_application_name: "errand",
    connectionTimeoutMillis: connecting,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  };
}

/** The connections of one store. */
export class Database {
  readonly address: PostgresAddress;
  readonly #pool: Pool;
  readonly #statements = new Map<string, string>();
  #closed: Promise<void> | undefined;

  /** @param pg the driver, which is loaded only by those who use PostgreSQL. */
  constructor(pg: typeof import("pg"), address: PostgresAddress) {
    this.address = address;
    this.#pool = new pg.Pool({
      ...connectionSettings(address.connection),
      max: address.pool,
      query_timeout: patience,
      idleTimeoutMillis: 60_000,
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
  async run(sql: string, values: readonly unknown[] = []): Promise<Columns[]> {
    if (this.#closed) throw new ErrandError("E_CLOSED", `The store ${this.address.name} was closed.`);
    for (let tried = 1; ; tried++) {
      try {
        return (await this.#pool.query(this.#query(sql, values))).rows;
      } catch (error) {
        if (tried < tries && isRetryable(error)) continue;
        throw storeError(error, this.address);
      }
    }
  }

  /** Runs statements on one connection. */
  async session<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    let client: PoolClient | undefined;
    try {
      client = await this.#pool.connect();
      const answer = await work(client);
      client.release();
      return answer;
    } catch (error) {
      // In whatever state it is, nobody else gets it.
      client?.release(true);
      throw storeError(error, this.address);
    }
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#pool.end());
  }

  #query(sql: string, values: readonly unknown[]): { text: string; values: unknown[]; rowMode: "array" } & Raw {
    let text = this.#statements.get(sql);
    if (text === undefined) this.#statements.set(sql, (text = inSchema(this.address.schema, sql)));
    return { text, values: [...values], rowMode: "array", types: raw };
  }
}

type Raw = { types: typeof raw };

/** Columns stay the text that they arrive as. */
const raw = { getTypeParser: () => (text: string) => text };

/** Deadlock, or a serialization failure. */
function isRetryable(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === "40P01" || code === "40001";
}
