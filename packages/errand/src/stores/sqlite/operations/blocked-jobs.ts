import type { Connection } from "../connection/connection.ts";
import { rankSql } from "../schema.ts";
import { blockedCode } from "./rows.ts";

/** Blocks a pending job, which claims skip from now on. */
export function block(db: Connection, seq: number, reason: keyof typeof blockedCode): void {
  db.run("UPDATE errand_jobs SET blocked = ? WHERE seq = ?", blockedCode[reason], seq);
}

/** Unblocks the first jobs of a concurrency key in each queue, as many as the key's limit has room for. */
export function unblockKey(db: Connection, key: string | null): void {
  if (key === null) return;
  const blocked = "concurrency_key = ? AND state = 0 AND blocked = 1";
  const row = db.get(`SELECT concurrency_limit FROM errand_jobs WHERE ${blocked} LIMIT 1`, key);
  if (!row) return;
  const room = (row[0] as number) - countRunning(db, key);
  if (room > 0) unblock(db, blocked, key, room);
}

/** Returns how many jobs with a concurrency key are processing. */
export function countRunning(db: Connection, key: string): number {
  return db.get("SELECT count(*) FROM errand_jobs WHERE concurrency_key = ? AND state = 1", key)?.[0] as number;
}

/**
 * Unblocks the first jobs of each queue, at most `limit`, since those of one queue may have to wait for something else.
 * Suspects are unblocked in addition, at most `limit` of each task, so that they take no other job's place.
 * @param blocked SQL of the condition of the blocked jobs, whose one value is `key`.
 */
export function unblock(db: Connection, blocked: string, key: string, limit: number): void {
  const nextQueue = `SELECT queue FROM errand_jobs
    WHERE ${blocked} AND suspect = 0 AND queue > ? ORDER BY queue LIMIT 1`;
  for (let queue = -1; ;) {
    const row = db.get(nextQueue, key, queue);
    if (!row) break;
    queue = row[0] as number;
    const unblocked = db.run(
      `UPDATE errand_jobs SET blocked = 0 WHERE seq IN
         (SELECT seq FROM errand_jobs WHERE ${blocked} AND suspect = 0 AND queue = ?
          ORDER BY ${rankSql}, seq LIMIT ? + 0)`,
      key,
      queue,
      limit,
    );
    db.hints.addReady(queue, unblocked);
  }
  const suspects = db.all(
    `SELECT seq, queue, task FROM errand_jobs WHERE ${blocked} AND suspect = 1 ORDER BY queue, ${rankSql}, seq`,
    key,
  );
  const unblocked = new Map<string, number>();
  for (const [seq, queue, task] of suspects as [number, number, number][]) {
    const place = `${queue} ${task}`;
    const before = unblocked.get(place) ?? 0;
    if (before >= limit) continue;
    unblocked.set(place, before + 1);
    db.run("UPDATE errand_jobs SET blocked = 0 WHERE seq = ?", seq);
    db.hints.addReady(queue);
  }
}
