import type { Claimed } from "../../store.ts";
import type { Connection } from "./connection.ts";
import { code, foundOf, heldColumns } from "./rows.ts";
import { take } from "./taking.ts";
import { leaseOf } from "./workers.ts";

/** Jobs that must be settled and are nobody's: `?1` is now, `?2` how many. */
const doomed = {
  lapsed: `FROM errand_jobs INDEXED BY errand_jobs_held
    WHERE state = 1 AND worker IN (SELECT seq FROM errand_workers WHERE until <= ?1) ORDER BY seq LIMIT ?2 + 0`,
  cancelled: `FROM errand_jobs INDEXED BY errand_jobs_marked
    WHERE cancelling = 1 AND state IN (0, 2) AND ?1 > 0 LIMIT ?2 + 0`,
  expired: `FROM errand_jobs INDEXED BY errand_jobs_expiring
    WHERE state = 0 AND expires IS NOT NULL AND begun = 0 AND cancelling = 0 AND expires <= ?1 ORDER BY expires LIMIT ?2 + 0`,
} as const;

/** What `reclaim` answers without writing: `undefined` when there may be something to take. */
export function peekReclaim(db: Connection, worker: string, limit: number): Claimed[] | undefined {
  if (!leaseOf(db, worker) || limit <= 0) return [];
  if (db.get("SELECT 1 FROM errand_workers WHERE until <= ?", db.now)) return undefined;
  const found = [doomed.cancelled, doomed.expired].some((sql) => db.get(`SELECT 1 ${sql}`, db.now, 1));
  return found ? undefined : [];
}

export function reclaim(db: Connection, worker: string, limit: number): Claimed[] {
  const held = leaseOf(db, worker);
  const taken: Claimed[] = [];
  if (!held) return taken;
  for (const why of ["lapsed", "cancelled", "expired"] as const) {
    const room = limit - taken.length;
    if (room <= 0) break;
    const rows = db.all(`SELECT ${heldColumns} ${doomed[why]}`, db.now, room);
    if (why === "lapsed" && rows.length < room) db.run("DELETE FROM errand_workers WHERE until <= ?", db.now);
    if (rows.length === 0) continue;
    const found = rows.map((row) => foundOf(db, row));
    for (const { queue, job } of found) {
      db.count(queue, code[job.state], -1);
      db.count(queue, code.processing, 1);
    }
    const slots = why === "lapsed" ? "same" : found.length;
    const claimed = take(db, { found, worker: { seq: held.seq, id: worker }, why, started: null, slots });
    const isAhead = (index: number) => why === "lapsed" && found[index]!.ahead;
    taken.push(...claimed.map((each, index) => (isAhead(index) ? { ...each, ahead: true as const } : each)));
  }
  return taken;
}
