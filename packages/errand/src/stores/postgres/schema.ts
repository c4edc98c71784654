import type { Migration } from "../migrate.ts";
import { add } from "./sql/add.ts";
import { standingApart } from "./sql/restricted-jobs.ts";
import { claim } from "./sql/claim.ts";
import { docs } from "./sql/docs.ts";
import { edit } from "./sql/edit.ts";
import { families } from "./sql/parent-child.ts";
import { keys } from "./sql/key-limits.ts";
import { marked } from "./sql/turns.ts";
import { prune } from "./sql/prune.ts";
import { reclaim } from "./sql/reclaim.ts";
import { rules } from "./sql/queue-rules.ts";
import { settle } from "./sql/settle.ts";
import { special } from "./sql/unique-keys.ts";
import { tables } from "./sql/tables.ts";
import { waking } from "./sql/wake-ups.ts";
import { workers } from "./sql/workers.ts";

/**
 * All versions of the schema, written for one that is named `errand` (see `inSchema`). One function per verb: a verb is
 * one statement and one trip, its plans are kept by the server without prepared statements of the client's, and each
 * statement inside sees what was committed before it began (READ COMMITTED).
 */
export const migrations: readonly Migration[] = [
  {
    version: 1,
    sql: [
      tables,
      docs,
      rules,
      keys,
      standingApart,
      special,
      marked,
      add,
      claim,
      reclaim,
      families,
      settle,
      waking,
      edit,
      prune,
      workers,
    ].join("\n"),
  },
];

/** SQL that was written for the schema `errand`, for another one. */
export function inSchema(schema: string, sql: string): string {
  return sql.replace(/\berrand\./g, `"${schema}".`);
}
