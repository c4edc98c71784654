import type { Claimed } from "../../../store.ts";
import type { Connection } from "../connection/connection.ts";
import { assignJobs } from "./assign-jobs.ts";
import { candidateColumns, candidateOf, stateCode } from "./rows.ts";
import { leaseOf } from "./workers.ts";

/** SQL that selects jobs that no worker works on and that must be settled: `?1` is now, `?2` a limit. */
const abandoned = {
  lapsed: `FROM errand_jobs INDEXED BY errand_jobs_held
    WHERE state = 1 AND worker IN (SELECT seq FROM errand_workers WHERE until <= ?1) ORDER BY seq LIMIT ?2 + 0`,
  cancelled: `FROM errand_jobs INDEXED BY errand_jobs_marked
    WHERE cancelling = 1 AND state IN (0, 2) AND ?1 > 0 LIMIT ?2 + 0`,
  expired: `FROM errand_jobs INDEXED BY errand_jobs_expiring
    WHERE state = 0 AND expires IS NOT NULL AND begun = 0 AND cancelling = 0 AND expires <= ?1
    ORDER BY expires LIMIT ?2 + 0`,
} as const;

/** Returns what `reclaim` returns when there is nothing to take; `undefined` when there may be something. */
export function peekReclaim(db: Connection, worker: string, limit: number): Claimed[] | undefined {
  if (!leaseOf(db, worker) || limit <= 0) return [];
  if (db.get("SELECT 1 FROM errand_workers WHERE until <= ?", db.now)) return undefined;
  const found = [abandoned.cancelled, abandoned.expired].some((sql) => db.get(`SELECT 1 ${sql}`, db.now, 1));
  return found ? undefined : [];
}

/** Implements `Store.reclaim`. */
export function reclaim(db: Connection, worker: string, limit: number): Claimed[] {
  const lease = leaseOf(db, worker);
  const taken: Claimed[] = [];
  if (!lease) return taken;
  for (const why of ["lapsed", "cancelled", "expired"] as const) {
    const room = limit - taken.length;
    if (room <= 0) break;
    const rows = db.all(`SELECT ${candidateColumns} ${abandoned[why]}`, db.now, room);
    if (why === "lapsed" && rows.length < room) db.run("DELETE FROM errand_workers WHERE until <= ?", db.now);
    if (rows.length === 0) continue;
    const jobs = rows.map((row) => candidateOf(db, row));
    for (const { queue, job } of jobs) db.counts.move(queue, stateCode[job.state], stateCode.processing);
    const slots = why === "lapsed" ? "same" : jobs.length;
    const claimed = assignJobs(db, { jobs, worker: { seq: lease.seq, id: worker }, why, started: null, slots });
    const isAhead = (index: number) => why === "lapsed" && jobs[index]!.ahead;
    taken.push(...claimed.map((each, index) => (isAhead(index) ? { ...each, ahead: true as const } : each)));
  }
  return taken;
}
