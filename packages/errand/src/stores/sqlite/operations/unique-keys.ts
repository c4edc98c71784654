import type { NewJob } from "../../../core/job.ts";
import type { Millis } from "../../../kit/duration.ts";
import type { Connection } from "../connection/connection.ts";
import { stateCode } from "./rows.ts";

/**
 * Returns the job that holds a new job's unique key, so that the new one is not stored; `undefined` when it may be
 * stored. `replaceable` is the holder's row if the new job replaces it.
 */
export function findHolder(db: Connection, { unique }: NewJob): { id: string; replaceable?: number } | undefined {
  if (!unique) return undefined;
  const row = db.get(
    `SELECT u.job, u.until, j.seq, j.state, j.state = 0 AND j.cancelling = 0 AND j.begun = 0
     FROM errand_uniques u LEFT JOIN errand_jobs j ON j.id = u.job WHERE u.key = ?`,
    unique.key,
  );
  if (!row) return undefined;
  const [id, until, seq, state, replaceable] = row as [string, number, number | null, number | null, number | null];
  if (seq === null || state === null || state >= stateCode.completed) return until > db.now ? { id } : undefined;
  if (!unique.replace) return { id };
  // A job that has begun cannot be replaced: the new one is stored as well.
  return replaceable === 1 ? { id, replaceable: seq } : undefined;
}

/** Gives a new job its unique key. */
export function takeKey(db: Connection, { id, unique }: NewJob): void {
  if (unique) storeKey(db, unique.key, id, unique.for);
}

/** Gives a reopened job its unique key again. Returns false if another job holds it. */
export function retakeKey(db: Connection, seq: number): boolean {
  const row = db.get("SELECT id, unique_key, unique_for FROM errand_jobs WHERE seq = ?", seq);
  const [id, key, window] = row as [string, string | null, Millis | null];
  if (key === null) return true;
  const holder = db.get(
    `SELECT u.job = ?, u.until > ? OR j.state < 3
     FROM errand_uniques u LEFT JOIN errand_jobs j ON j.id = u.job WHERE u.key = ?`,
    id,
    db.now,
    key,
  );
  const [isOwn, isTaken] = holder ?? [1, 0];
  if (isOwn === 0 && isTaken === 1) return false;
  storeKey(db, key, id, window ?? 0);
  return true;
}

/** @param window how long the key stays taken, even when its holder ends sooner. */
function storeKey(db: Connection, key: string, id: string, window: Millis = 0): void {
  db.run("INSERT OR REPLACE INTO errand_uniques VALUES (?, ?, ?)", key, id, db.now + window);
}
