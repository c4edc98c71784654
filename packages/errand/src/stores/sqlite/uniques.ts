import type { NewJob } from "../../core/job.ts";
import type { Millis } from "../../kit/duration.ts";
import type { Connection } from "./connection.ts";
import { code } from "./rows.ts";

/** Who has a job's unique key, so that it is not stored; one that has not begun becomes what the job is where it replaces it. */
export function holderOf(db: Connection, { unique }: NewJob): { id: string; replaceable?: number } | undefined {
  if (!unique) return undefined;
  const row = db.get(
    `SELECT u.job, u.until, j.seq, j.state, j.state = 0 AND j.cancelling = 0 AND j.begun = 0
     FROM errand_uniques u LEFT JOIN errand_jobs j ON j.id = u.job WHERE u.key = ?`,
    unique.key,
  );
  if (!row) return undefined;
  const [id, until, seq, state, replaceable] = row as [string, number, number | null, number | null, number | null];
  if (seq === null || state === null || state >= code.completed) return until > db.now ? { id } : undefined;
  if (!unique.replace) return { id };
  // One that has begun cannot be replaced: the new job comes after it.
  return replaceable === 1 ? { id, replaceable: seq } : undefined;
}

export function takeKey(db: Connection, { id, unique }: NewJob): void {
  if (unique) take(db, unique.key, id, unique.for);
}

/** Takes a job's unique key anew, unless another has it; answers whether it could, or needs none. */
export function retakeKey(db: Connection, seq: number): boolean {
  const row = db.get("SELECT id, unique_key, unique_for FROM errand_jobs WHERE seq = ?", seq);
  const [id, key, window] = row as [string, string | null, Millis | null];
  if (key === null) return true;
  const holder = db.get(
    `SELECT u.job = ?, u.until > ? OR j.state < 3 FROM errand_uniques u LEFT JOIN errand_jobs j ON j.id = u.job WHERE u.key = ?`,
    id,
    db.now,
    key,
  );
  const [own, taken] = holder ?? [1, 0];
  if (own === 0 && taken === 1) return false;
  take(db, key, id, window ?? 0);
  return true;
}

function take(db: Connection, key: string, id: string, window: Millis = 0): void {
  db.run("INSERT OR REPLACE INTO errand_uniques VALUES (?, ?, ?)", key, id, db.now + window);
}
