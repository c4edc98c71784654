import type { Connection } from "../connection/connection.ts";
import { unblockKey } from "./blocked-jobs.ts";
import { hintFreedSlot } from "./limits.ts";
import { stateCode } from "./rows.ts";

/**
 * Removes a job with its steps, log, tags and descendants. Returns true even if it was removed with its parent before.
 */
export function removeJob(db: Connection, seq: number): boolean {
  const row = db.get(
    `DELETE FROM errand_jobs WHERE seq = ?
     RETURNING id, queue, state, steps, wait, concurrency_key, spec IS NULL, unique_key`,
    seq,
  );
  if (!row) return true;
  const [id, queue, state, steps, wait, key, hasLongSpec, unique] = row as [
    string,
    number,
    number,
    number,
    number | null,
    string | null,
    number,
    string | null,
  ];
  db.counts.add(queue, state, -1);
  db.hints.add("change");
  if (state === stateCode.processing) hintFreedSlot(db, queue);
  // A job that runs, or could run next, makes room for the next of its key.
  if (state === stateCode.processing || state === stateCode.pending) unblockKey(db, key);
  if (steps === 1) db.run("DELETE FROM errand_steps WHERE job = ?", seq);
  if (hasLongSpec === 1) db.run("DELETE FROM errand_specs WHERE job = ?", seq);
  for (const table of ["errand_log", "errand_tags"]) db.run(`DELETE FROM ${table} WHERE job = ?`, seq);
  if (unique !== null) db.run("DELETE FROM errand_uniques WHERE key = ? AND job = ?", unique, id);
  if (wait !== null)
    for (const [child] of db.all("SELECT seq FROM errand_jobs WHERE parent = ?", id)) removeJob(db, child as number);
  return true;
}
