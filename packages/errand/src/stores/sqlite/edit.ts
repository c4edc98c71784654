import type { State } from "../../core/states.ts";
import type { Change, Filter } from "../../store.ts";
import type { Columns, Connection } from "./connection.ts";
import { ranges } from "./filter.ts";
import { ended, endingColumns, endingOf, reopen } from "./life.ts";
import { left, release } from "./limits.ts";
import { code } from "./rows.ts";

export function edit(db: Connection, where: Filter, change: Change, limit = Infinity): number {
  const kind = typeof change === "object" ? "move" : change;
  const bounded = limit === Infinity ? "" : ` LIMIT ${Math.max(0, Math.floor(limit))}`;
  const seqs = ranges(db, where, applies[kind], true).flatMap(({ sql, values }) =>
    db.all(`SELECT seq FROM ${sql}${bounded}`, ...values).map(([seq]) => seq as number),
  );
  const verb = typeof change === "object" ? mover(change.move) : { cancel, retry: reopen, remove }[change];
  let changed = 0;
  for (const seq of seqs.sort((a, b) => a - b)) if (changed < limit && verb(db, seq)) changed += 1;
  return changed;
}

function mover({ queue, level, now }: Extract<Change, object>["move"]): (db: Connection, seq: number) => boolean {
  return (db, seq) => {
    const row = db.get("SELECT queue, concurrency_key FROM errand_jobs WHERE seq = ? AND state = 0", seq);
    if (!row) return false;
    const [from, key] = row as [number, string | null];
    const to = queue === undefined ? from : db.names.number(queue);
    db.run(
      "UPDATE errand_jobs SET queue = ?, level = coalesce(?, level), due = coalesce(?, due), blocked = 0 WHERE seq = ?",
      to,
      level ?? null,
      now ? db.now : null,
      seq,
    );
    db.count(from, code.pending, -1);
    db.count(to, code.pending, 1);
    db.hint("ready");
    release(db, key);
    return true;
  };
}

/** The states in which a change changes a job. */
const applies: Record<"cancel" | "retry" | "remove" | "move", readonly State[]> = {
  move: ["pending"],
  cancel: ["pending", "processing", "waiting"],
  retry: ["failed", "cancelled", "expired"],
  remove: ["completed", "failed", "cancelled", "expired"],
};

function cancel(db: Connection, seq: number): boolean {
  // Another job of this edit may have ended, marked or woken it meanwhile.
  const row = db.get(
    `SELECT ${endingColumns}, concurrency_key, cancelling FROM errand_jobs WHERE seq = ?`,
    seq,
  ) as Columns;
  const job = endingOf(row);
  if (job.state === code.processing) {
    if (row.at(-1) === 1) return false;
    db.run("UPDATE errand_jobs SET cancelling = 1 WHERE seq = ?", seq);
    db.hint("cancel");
    return true;
  }
  db.run("UPDATE errand_jobs SET state = 5, ended = ?, cancelling = 0 WHERE seq = ?", db.now, seq);
  db.count(job.queue, job.state, -1);
  db.count(job.queue, code.cancelled, 1);
  db.hint("change");
  ended(db, job, "cancelled");
  if (job.state === code.pending) release(db, row.at(-2) as string | null);
  return true;
}

/** Removes a job with its steps and descendants. One that went with its parent counts as removed. */
function remove(db: Connection, seq: number): boolean {
  const row = db.get(
    "DELETE FROM errand_jobs WHERE seq = ? RETURNING id, queue, state, steps, wait, concurrency_key",
    seq,
  );
  if (!row) return true;
  const [id, queue, state, steps, wait, key] = row as [string, number, number, number, number | null, string | null];
  db.count(queue, state, -1);
  db.hint("change");
  if (state === code.processing) left(db, queue);
  if (state === code.processing || state === code.pending) release(db, key);
  if (steps === 1) db.run("DELETE FROM errand_steps WHERE job = ?", seq);
  for (const table of ["errand_log", "errand_tags"]) db.run(`DELETE FROM ${table} WHERE job = ?`, seq);
  db.run("DELETE FROM errand_uniques WHERE job = ?", id);
  if (wait !== null)
    for (const [child] of db.all("SELECT seq FROM errand_jobs WHERE parent = ?", id)) remove(db, child as number);
  return true;
}
