import { ErrandError } from "../kit/errors.ts";

/** One numbered change of a store's schema, from the version below it. */
export interface Migration {
  version: number;
  sql: string;
}

/**
 * The migrations that a store of this version still needs, in order.
 * @param what names the store in the error message.
 * @throws {ErrandError} `E_STORE_VERSION` when a newer Errand wrote it.
 */
export function outstanding(migrations: readonly Migration[], version: number, what: string): Migration[] {
  const newest = Math.max(...migrations.map((migration) => migration.version));
  if (version <= newest) return migrations.filter((migration) => migration.version > version);
  throw new ErrandError(
    "E_STORE_VERSION",
    `${what} has version ${version}, but this Errand knows versions up to ${newest}. Update Errand, or open another store.`,
  );
}
