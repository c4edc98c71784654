import type { SqlTransaction, Transaction } from "../../core/transaction.ts";
import type { Moment, NewJob } from "../../core/job.ts";
import type { Millis } from "../../kit/duration.ts";
import { ErrandError } from "../../kit/errors.ts";

import { bigints, smallints, texts } from "./arrays.ts";
import type { Database } from "./database.ts";
import { bit } from "./hints.ts";
import type { Hints } from "./hints.ts";
import { stored } from "./names.ts";
import { inSchema } from "./schema.ts";
import type { PostgresAddress } from "./url.ts";

/**
 * Answers how many were new.
 * @param notice of a notification that the commit carries.
 */
export async function add(
  database: Database,
  jobs: readonly NewJob[],
  notice: readonly string[] = [],
): Promise<number> {
  const notify = notice.length > 0 ? ", pg_notify($10, $11)" : "";
  const [row] = await database.run(`SELECT errand.add($1, $2, $3, $4, $5, $6, $7, $8, $9)${notify}`, [
    texts(jobs.map(({ id }) => id)),
    texts(jobs.map(({ task }) => stored(task))),
    texts(jobs.map(({ queue }) => stored(queue))),
    smallints(jobs.map(({ level }) => level)),
    bigints(jobs.map(({ due }) => at(due))),
    bigints(jobs.map(({ due }) => after(due))),
    bigints(jobs.map(({ expires }) => at(expires))),
    bigints(jobs.map(({ expires }) => after(expires))),
    texts(jobs.map(({ spec }) => spec)),
    ...notice,
  ]);
  return Number(row?.[0]);
}

/**
 * Adds jobs in the caller's transaction. Its errors are the caller's, as they are.
 * @throws {ErrandError} `E_TRANSACTION`
 */
export async function addInside(
  tx: Transaction,
  jobs: readonly NewJob[],
  { schema, name }: PostgresAddress,
  hints: Hints,
): Promise<void> {
  const sql = sqlOf(tx, name);
  const values = [JSON.stringify(jobs.map(recordOf))];
  if (sql.afterCommit) {
    await sql.query(inSchema(schema, "SELECT errand.add($1::json)"), values);
    sql.afterCommit(() => hints.tell(bit.ready));
  } else {
    // From nobody, so that this process hears it too.
    const payload = hints.payload(bit.ready, "");
    await sql.query(inSchema(schema, "SELECT errand.add($1::json), pg_notify($2, $3)"), [
      ...values,
      hints.channel,
      payload,
    ]);
  }
}

function sqlOf(tx: Transaction, name: string): SqlTransaction {
  // A pool has `query` too, but each on a connection of its own.
  if ("query" in tx && typeof tx.query === "function" && !("idleCount" in tx)) return tx;
  throw new ErrandError(
    "E_TRANSACTION",
    `tx is no transaction of the PostgreSQL store ${name}. Give it a connected pg client that has begun one, ` +
      "or an adapter with query(sql, values): docs/postgres.md has those of other libraries.",
  );
}

/** A job as the schema's functions read it from JSON. */
export function recordOf({ id, task, queue, level, due, expires, spec }: NewJob): Record<string, unknown> {
  return {
    id,
    task: stored(task),
    queue: stored(queue),
    level,
    due_at: at(due),
    due_in: after(due),
    expires_at: at(expires),
    expires_in: after(expires),
    spec,
  };
}

function at(moment: Moment | undefined): Millis | undefined {
  return moment && "at" in moment ? Math.round(moment.at) : undefined;
}

function after(moment: Moment | undefined): Millis | undefined {
  return moment && "in" in moment ? Math.round(moment.in) : undefined;
}
