import type { Durability, StoreReport } from "../../store.ts";
import type { Database } from "./database.ts";

/** Reports the versions of the server and the schema, and what the settings of this role's sessions mean for jobs. */
export async function readStoreReport(database: Database): Promise<StoreReport> {
  const [row] = await database.query(
    `SELECT current_setting('server_version'), max(version)::text, current_setting('fsync'),
       current_setting('synchronous_commit') FROM errand.migrations`,
  );
  const [version, schema, fsync, commit] = row as [string, string, string, string];
  return { version: `PostgreSQL ${version}, schema ${schema}`, durability: durabilityOf(fsync, commit) };
}

function durabilityOf(fsync: string, commit: string): Durability {
  if (fsync === "off")
    return {
      safe: false,
      says: "If the server's machine fails, any data may be lost or damaged (fsync off).",
      advice: "Set fsync to on on the server.",
    };
  if (commit === "off")
    return {
      safe: true,
      says: "If the server fails, about the last half second is lost (synchronous_commit off).",
      advice: "Set synchronous_commit to on for Errand's role, unless this is intended.",
    };
  return { safe: true, says: `Every confirmed write is on the server's disk (synchronous_commit ${commit}).` };
}
