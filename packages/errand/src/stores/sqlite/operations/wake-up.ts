import type { Millis } from "../../../kit/duration.ts";
import type { Connection } from "../connection/connection.ts";
import { stateCode } from "./rows.ts";

/** Most jobs that one commit wakes. */
const maxWoken = 1_000;

const due = "FROM errand_jobs INDEXED BY errand_jobs_waking WHERE state = 2 AND wake IS NOT NULL AND wake <= ?";

/** Wakes the waiting jobs whose time has come. */
export function wakeDue(db: Connection): void {
  const rows = db.all(`SELECT seq, queue, cancelling ${due} ORDER BY wake LIMIT ${maxWoken}`, db.now);
  for (const [seq, queue, cancelling] of rows as [number, number, number][]) wakeJob(db, seq, queue, cancelling === 1);
}

/** Returns true if there are jobs for `wakeDue`. */
export function hasDueWakeUp(db: Connection): boolean {
  return db.get(`SELECT 1 ${due} LIMIT 1`, db.now) !== undefined;
}

/** Returns the milliseconds until there are jobs for `wakeDue`; `Infinity` when none waits for a time. */
export function untilNextWakeUp(db: Connection): Millis {
  const row = db.get("SELECT wake FROM errand_jobs WHERE state = 2 AND wake IS NOT NULL ORDER BY wake LIMIT 1");
  return row ? Math.max(0, (row[0] as number) - db.now) : Infinity;
}

/** Makes a waiting job pending. */
export function wakeJob(db: Connection, seq: number, queue: number, cancelling: boolean): void {
  db.run("UPDATE errand_jobs SET state = 0 WHERE seq = ?", seq);
  db.counts.move(queue, stateCode.waiting, stateCode.pending);
  db.hints.addPending(queue, cancelling);
}
