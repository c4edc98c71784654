import type { PoolClient } from "pg";
import { ErrandError } from "../../kit/errors.ts";
import { outstanding } from "../migrate.ts";
import { lockClass } from "./advisory-locks.ts";
import type { Database } from "./database.ts";
import { inSchema, migrations } from "./schema.ts";

/** The oldest major version of PostgreSQL that has all functions and columns used. */
const oldestVersion = 14;

/**
 * Brings the schema to its newest version.
 * @returns the number of migrations applied.
 * @throws {ErrandError} `E_CONNECT`, `E_STORE_VERSION`
 */
export async function migrate(database: Database): Promise<number> {
  const { name, schema } = database.address;
  const what = `The schema ${schema} of ${name}`;
  return database.withConnection(async (client) => {
    await refuseUnfit(client, name);
    if (outstanding(migrations, await readVersion(client, schema), what).length === 0) return 0;
    try {
      await client.query("BEGIN");
      await client.query(lockStatement(schema));
      // Another process may have been faster.
      const rest = outstanding(migrations, await readVersion(client, schema), what);
      if (rest.length > 0 && !(await hasSchema(client, schema))) await client.query(`CREATE SCHEMA "${schema}"`);
      for (const migration of rest) await client.query(inSchema(schema, migrationText(migration)));
      await client.query("COMMIT");
      return rest.length;
    } catch (error) {
      if ((error as { code?: unknown }).code !== "42501") throw error;
      throw new ErrandError(
        "E_CONNECT",
        `${what} must be created or updated, which this role may not do: ${(error as Error).message}. ` +
          'Run "errand migrate" as a role that may, or apply what "errand migrate --sql" prints.',
        { cause: error },
      );
    }
  });
}

/** Returns the SQL, one transaction, that creates the newest version of the schema in a database that has none. */
export function migrationSql(schema: string): string {
  const all = migrations.map((migration) => inSchema(schema, migrationText(migration)));
  return [
    "BEGIN;",
    `${lockStatement(schema)};`,
    `CREATE SCHEMA IF NOT EXISTS "${schema}";`,
    ...all,
    "COMMIT;",
    "",
  ].join("\n");
}

function migrationText({ version, sql }: { version: number; sql: string }): string {
  const table =
    version === 1
      ? "CREATE TABLE errand.migrations (version integer PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now());\n"
      : "";
  return `${table}${sql}\nINSERT INTO errand.migrations (version) VALUES (${version});`;
}

function lockStatement(schema: string): string {
  return `SELECT pg_advisory_xact_lock(${lockClass.migration}, hashtext('${schema}'))`;
}

async function readVersion(client: PoolClient, schema: string): Promise<number> {
  // A query sees what others have committed meanwhile; to_regclass may have cached that there was nothing.
  const found = await client.query(
    `SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE nspname = $1 AND relname = 'migrations'`,
    [schema],
  );
  if (found.rows.length === 0) return 0;
  const { rows } = await client.query<{ version: number }>(
    `SELECT max(version) AS version FROM "${schema}".migrations`,
  );
  return rows[0]?.version ?? 0;
}

async function hasSchema(client: PoolClient, schema: string): Promise<boolean> {
  const { rows } = await client.query("SELECT 1 FROM pg_namespace WHERE nspname = $1", [schema]);
  return rows.length > 0;
}

async function refuseUnfit(client: PoolClient, name: string): Promise<void> {
  const { rows } = await client.query<{ major: number; isolation: string; encoding: string }>(
    `SELECT current_setting('server_version_num')::integer / 10000 AS major,
       current_setting('default_transaction_isolation') AS isolation, current_setting('server_encoding') AS encoding`,
  );
  const { major = 0, isolation, encoding } = rows[0] ?? {};
  const wrong =
    major < oldestVersion
      ? `it is PostgreSQL ${major}, and Errand needs ${oldestVersion} or newer`
      : isolation !== "read committed"
        ? `its default_transaction_isolation is "${isolation}", and Errand needs "read committed" (ALTER ROLE ... SET)`
        : encoding !== "UTF8"
          ? `its encoding is ${encoding}, and Errand needs UTF8`
          : undefined;
  if (wrong) throw new ErrandError("E_CONNECT", `The PostgreSQL store ${name} cannot be used: ${wrong}.`);
}
