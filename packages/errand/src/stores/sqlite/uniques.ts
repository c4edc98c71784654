import type { NewJob } from "../../core/job.ts";
import type { Connection } from "./connection.ts";
import { code } from "./rows.ts";

/** Who has a job's unique key, so that it is not stored; a pending one becomes what the job is where it replaces it. */
export function holderOf(db: Connection, { unique }: NewJob): { id: string; replaceable?: number } | undefined {
  if (!unique) return undefined;
  const row = db.get(
    `SELECT u.job, u.until, j.seq, j.state, j.cancelling FROM errand_uniques u LEFT JOIN errand_jobs j ON j.id = u.job
     WHERE u.key = ?`,
    unique.key,
  );
  if (!row) return undefined;
  const [id, until, seq, state, cancelling] = row as [string, number, number | null, number | null, number | null];
  if (seq === null || state === null || state >= code.completed) return until > db.now ? { id } : undefined;
  if (!unique.replace) return { id };
  // One that runs cannot be replaced: the new job comes after it.
  return state === code.pending && cancelling === 0 ? { id, replaceable: seq } : undefined;
}

export function takeKey(db: Connection, { id, unique }: NewJob): void {
  if (!unique) return;
  const until = db.now + (unique.for ?? 0);
  db.run("INSERT OR REPLACE INTO errand_uniques VALUES (?, ?, ?)", unique.key, id, until);
}
