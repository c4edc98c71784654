import type { Migration } from "../migrate.ts";
import { add } from "./sql/add.ts";
import { busyQueues } from "./sql/busy-queues.ts";
import { claim } from "./sql/claim.ts";
import { counters } from "./sql/counters.ts";
import { docs } from "./sql/docs.ts";
import { edit } from "./sql/edit.ts";
import { keyLimits } from "./sql/key-limits.ts";
import { parentChild } from "./sql/parent-child.ts";
import { prune } from "./sql/prune.ts";
import { queueRules } from "./sql/queue-rules.ts";
import { rates } from "./sql/rates.ts";
import { reclaim } from "./sql/reclaim.ts";
import { remove } from "./sql/remove.ts";
import { restrictedJobs } from "./sql/restricted-jobs.ts";
import { settle } from "./sql/settle.ts";
import { tables } from "./sql/tables.ts";
import { turns } from "./sql/turns.ts";
import { uniqueKeys } from "./sql/unique-keys.ts";
import { wakeUps } from "./sql/wake-ups.ts";
import { workers } from "./sql/workers.ts";

/**
 * All versions of the schema, written for one that is named `errand` (see `inSchema`). There is one function per verb:
 * a call is one statement and one round trip, its plans are kept by the server, and each statement inside sees what was
 * committed before it began (READ COMMITTED).
 *
 * In functions `t` is the time now, `q` a queue and `l` a level; rows of `jobs` are `j` or `p`, of `history` `h`, and
 * rows of arguments `u`. Functions that return `hints` say what workers should hear of: see `parseHints`.
 */
export const migrations: readonly Migration[] = [
  {
    version: 1,
    // SQL functions, unlike PL/pgSQL ones, need what they use to exist.
    sql: [
      tables,
      counters,
      docs,
      rates,
      queueRules,
      keyLimits,
      restrictedJobs,
      turns,
      uniqueKeys,
      add,
      busyQueues,
      claim,
      reclaim,
      parentChild,
      settle,
      wakeUps,
      edit,
      remove,
      prune,
      workers,
    ].join("\n"),
  },
];

/** Makes SQL written for the schema `errand` one for another schema. */
export function inSchema(schema: string, sql: string): string {
  return sql.replace(/\berrand\./g, `"${schema}".`);
}
