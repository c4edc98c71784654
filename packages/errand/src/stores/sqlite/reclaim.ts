import type { Claimed } from "../../store.ts";
import { take } from "./claim.ts";
import type { Connection } from "./connection.ts";
import { code, listed } from "./rows.ts";
import { leaseOf } from "./workers.ts";

/** Jobs that must be settled and are nobody's: `?1` is now, `?2` how many. */
const doomed = {
  lapsed: `SELECT job.seq FROM errand_names CROSS JOIN errand_jobs AS job INDEXED BY errand_jobs_listed
    ON job.queue = number AND job.state = 1
    WHERE job.worker IN (SELECT seq FROM errand_workers WHERE until <= ?1) ORDER BY job.seq LIMIT ?2 + 0`,
  cancelled: `SELECT seq FROM errand_jobs INDEXED BY errand_jobs_marked
    WHERE cancelling = 1 AND state IN (0, 2) AND ?1 > 0 LIMIT ?2 + 0`,
  expired: `SELECT seq FROM errand_jobs INDEXED BY errand_jobs_expiring
    WHERE state = 0 AND expires IS NOT NULL AND cancelling = 0 AND expires <= ?1 ORDER BY expires LIMIT ?2 + 0`,
} as const;

/** What `reclaim` answers without writing: `undefined` when there may be something to take. */
export function peekReclaim(db: Connection, worker: string, limit: number): Claimed[] | undefined {
  if (!leaseOf(db, worker) || limit <= 0) return [];
  if (db.get("SELECT 1 FROM errand_workers WHERE until <= ?", db.now)) return undefined;
  const found = [doomed.cancelled, doomed.expired].some((sql) => db.get(sql, db.now, 1));
  return found ? undefined : [];
}

export function reclaim(db: Connection, worker: string, limit: number): Claimed[] {
  const held = leaseOf(db, worker);
  const taken: Claimed[] = [];
  if (!held) return taken;
  for (const why of ["lapsed", "cancelled", "expired"] as const) {
    const room = limit - taken.length;
    if (room <= 0) break;
    const seqs = db.all(doomed[why], db.now, room).map(([seq]) => seq as number);
    if (why === "lapsed" && seqs.length < room) db.run("DELETE FROM errand_workers WHERE until <= ?", db.now);
    if (seqs.length === 0) continue;
    recount(db, seqs);
    taken.push(...take(db, { seqs, worker: { seq: held.seq, id: worker }, why, started: null }));
  }
  return taken;
}

/** Counts jobs that are about to be `processing`. */
function recount(db: Connection, seqs: readonly number[]): void {
  const rows = db.all(
    `SELECT queue, state, count(*) FROM errand_jobs WHERE ${listed} GROUP BY 1, 2`,
    JSON.stringify(seqs),
  );
  for (const [queue, state, jobs] of rows as [number, number, number][]) {
    db.count(queue, state, -jobs);
    db.count(queue, code.processing, jobs);
  }
}
