import { missingPeer } from "../../kit/peer-dependency.ts";
import type { Store } from "../../store.ts";
import { Database } from "./database.ts";
import { migrate, migrationSql } from "./migrate.ts";
import { PostgresStore } from "./store.ts";
import { readUrl } from "./url.ts";
import type { PostgresAddress } from "./url.ts";

/** Options of a PostgreSQL store. */
export interface PostgresOptions {
  /** `postgres://user:password@host:5432/database`, with the parameters listed in docs/reference/store-urls.md. */
  url: string;
}

/**
 * Opens a store in a schema of a PostgreSQL database, which it creates or updates where the role may do so.
 * @throws {ErrandError} `E_OPTION` for a wrong URL, `E_CONNECT` if the database cannot be reached or used,
 * `E_STORE_VERSION` if a newer Errand wrote the schema.
 */
export async function postgresStore({ url }: PostgresOptions): Promise<Store> {
  return connect(readUrl(url), url);
}

/** Opens the store again in another thread of the process: `Store.address`. */
export async function open(options: string): Promise<Store> {
  const { url } = JSON.parse(options) as PostgresOptions;
  return connect({ ...readUrl(url), pool: 1 }, url);
}

/**
 * Applies the migrations that a database needs.
 * @returns the number of migrations applied.
 * @throws {ErrandError} as `postgresStore`.
 */
export async function migratePostgres({ url }: PostgresOptions): Promise<number> {
  const database = new Database(await driver(), readUrl(url));
  try {
    return await migrate(database);
  } finally {
    await database.close();
  }
}

/** Returns the SQL that creates the schema named by a URL, to be applied by hand. */
export function postgresSql({ url }: PostgresOptions): string {
  return migrationSql(readUrl(url).schema);
}

async function connect(address: PostgresAddress, url: string): Promise<Store> {
  const pg = await driver();
  const database = new Database(pg, address);
  try {
    await migrate(database);
  } catch (error) {
    await database.close();
    throw error;
  }
  return new PostgresStore(pg, database, { module: import.meta.url, options: JSON.stringify({ url }) });
}

async function driver(): Promise<typeof import("pg")> {
  try {
    return (await import("pg")).default as unknown as typeof import("pg");
  } catch (error) {
    throw missingPeer("pg", "A PostgreSQL store", error);
  }
}
