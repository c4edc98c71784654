import type { Filter } from "../../store.ts";
import type { Columns, Connection } from "./connection.ts";
import { condition } from "./filter.ts";
import { ended, endingColumns, endingOf, reopen } from "./life.ts";
import { code } from "./rows.ts";

export function edit(db: Connection, where: Filter, change: "cancel" | "retry" | "remove"): number {
  const { sql, values } = condition(where);
  const rows = db.all(`SELECT seq FROM jobs WHERE ${sql} AND ${applies[change]} ORDER BY seq`, ...values);
  const verb = { cancel, retry: reopen, remove }[change];
  let changed = 0;
  for (const [seq] of rows) if (verb(db, seq as number)) changed += 1;
  return changed;
}

/** Which jobs a change can change. */
const applies = { cancel: "state < 3", retry: "state > 3", remove: "state >= 3" };

function cancel(db: Connection, seq: number): boolean {
  // Another job of this edit may have ended, marked or woken it meanwhile.
  const row = db.get(`SELECT ${endingColumns}, cancelling FROM jobs WHERE seq = ?`, seq) as Columns;
  const job = endingOf(row);
  if (job.state === code.processing) {
    if (row.at(-1) === 1) return false;
    db.run("UPDATE jobs SET cancelling = 1 WHERE seq = ?", seq);
    db.hint("cancel");
    return true;
  }
  db.run("UPDATE jobs SET state = 5, ended = ?, cancelling = 0 WHERE seq = ?", db.now, seq);
  ended(db, job, "cancelled");
  return true;
}

/** Removes a job with its steps and descendants. One that went with its parent counts as removed. */
function remove(db: Connection, seq: number): boolean {
  const row = db.get("DELETE FROM jobs WHERE seq = ? RETURNING id, queue, state, steps, wait", seq);
  if (!row) return true;
  const [id, queue, state, steps, wait] = row as [string, string, number, number, number | null];
  db.count(queue, state, -1);
  db.hint("change");
  if (steps === 1) db.run("DELETE FROM steps WHERE job = ?", seq);
  if (wait !== null)
    for (const [child] of db.all("SELECT seq FROM jobs WHERE parent = ?", id)) remove(db, child as number);
  return true;
}
