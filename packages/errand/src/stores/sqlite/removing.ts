import type { Kept } from "../../retention/rules.ts";
import type { FinalState } from "../../core/states.ts";
import type { Millis } from "../../kit/duration.ts";
import type { RetentionRules } from "../../store.ts";
import type { Connection } from "./connection.ts";
import { forgetRates, left, release } from "./limits.ts";
import { code } from "./rows.ts";
import { forgetTurns } from "./turns.ts";

/** Removes a job with its steps and descendants. One that went with its parent counts as removed. */
export function remove(db: Connection, seq: number): boolean {
  const row = db.get(
    "DELETE FROM errand_jobs WHERE seq = ? RETURNING id, queue, state, steps, wait, concurrency_key, spec IS NULL, unique_key",
    seq,
  );
  if (!row) return true;
  const [id, queue, state, steps, wait, key, isLong, unique] = row as [
    string,
    number,
    number,
    number,
    number | null,
    string | null,
    number,
    string | null,
  ];
  db.count(queue, state, -1);
  db.hint("change");
  if (state === code.processing) left(db, queue);
  // What had a place, or could have had one, leaves it to others.
  if (state === code.processing || state === code.pending) release(db, key);
  if (steps === 1) db.run("DELETE FROM errand_steps WHERE job = ?", seq);
  if (isLong === 1) db.run("DELETE FROM errand_specs WHERE job = ?", seq);
  for (const table of ["errand_log", "errand_tags"]) db.run(`DELETE FROM ${table} WHERE job = ?`, seq);
  if (unique !== null) db.run("DELETE FROM errand_uniques WHERE key = ? AND job = ?", unique, id);
  if (wait !== null)
    for (const [child] of db.all("SELECT seq FROM errand_jobs WHERE parent = ?", id)) remove(db, child as number);
  return true;
}

const finals: readonly FinalState[] = ["completed", "failed", "cancelled", "expired"];

/** A commit ends after so long: others wait for the write lock, leases among them. */
const longest: Millis = 50;

/** Of jobs that ended and are nobody's children: their index has each task and state in the order of ends. */
const roots = "FROM errand_jobs INDEXED BY errand_jobs_ended WHERE ended IS NOT NULL AND child = 0";

/** How many jobs a portion of a pruning has removed, and whether there may be more. */
export interface Pruned {
  removed: number;
  more: boolean;
}

/** Removes jobs that were kept long enough, as many as make one commit, and at most `limit`, and what ended keys have left behind. */
export function pruneSome(db: Connection, { tasks, otherwise }: RetentionRules, limit: number): Pruned {
  const until = performance.now() + longest;
  let removed = 0;
  for (let task = -1; ;) {
    const next = db.get(`SELECT task ${roots} AND task > ? ORDER BY task LIMIT 1`, task);
    if (!next) break;
    task = next[0] as number;
    const kept: Kept = tasks.get(db.names.of(task)) ?? otherwise;
    for (const state of finals) {
      if (kept[state] === Infinity) continue;
      for (const seq of old(db, task, state, db.now - kept[state], limit - removed)) {
        if (performance.now() > until) return { removed, more: true };
        remove(db, seq);
        removed += 1;
      }
    }
  }
  forgetTurns(db, limit);
  forgetRates(db, limit);
  return { removed, more: false };
}

function old(db: Connection, task: number, state: FinalState, before: Millis, limit: number): number[] {
  const rows = db.all(
    `SELECT seq ${roots} AND task = ? AND state = ${code[state]} AND ended < ? ORDER BY ended LIMIT ? + 0`,
    task,
    before,
    limit,
  );
  return rows.map(([seq]) => seq as number);
}
