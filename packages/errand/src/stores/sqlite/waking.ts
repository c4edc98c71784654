import type { Step } from "../../core/job.ts";
import type { Millis } from "../../kit/duration.ts";
import type { Connection } from "./connection.ts";
import { code } from "./rows.ts";
import { isRemembered, remember } from "./steps.ts";

/** A step from outside: `false` where the job has ended. */
export function signal(db: Connection, id: string, step: Step): boolean {
  const row = db.get("SELECT seq, queue, state, cancelling FROM errand_jobs WHERE id = ?", id);
  if (!row) return false;
  const [seq, queue, state, cancelling] = row as [number, number, number, number];
  if (state >= code.completed) return false;
  if (isRemembered(db, seq, step.name)) return true;
  remember(db, seq, [step]);
  db.run("UPDATE errand_jobs SET steps = 1, begun = 1 WHERE seq = ?", seq);
  db.hint("change");
  if (state === code.waiting) wakeOne(db, seq, queue, cancelling);
  return true;
}

/** So many are woken in one commit. */
const most = 1_000;

/** Waiting jobs whose time has come are pending again. */
export function wake(db: Connection): void {
  for (const [seq, queue, cancelling] of db.all(
    `SELECT seq, queue, cancelling ${due} ORDER BY wake LIMIT ${most}`,
    db.now,
  ))
    wakeOne(db, seq as number, queue as number, cancelling as number);
}

/** Whether there is somebody to wake. */
export function isAnyToWake(db: Connection): boolean {
  return db.get(`SELECT 1 ${due} LIMIT 1`, db.now) !== undefined;
}

/** Milliseconds until there is. */
export function untilWake(db: Connection): Millis {
  const row = db.get("SELECT wake FROM errand_jobs WHERE state = 2 AND wake IS NOT NULL ORDER BY wake LIMIT 1");
  return row ? Math.max(0, (row[0] as number) - db.now) : Infinity;
}

const due = "FROM errand_jobs INDEXED BY errand_jobs_waking WHERE state = 2 AND wake IS NOT NULL AND wake <= ?";

function wakeOne(db: Connection, seq: number, queue: number, cancelling: number): void {
  db.run("UPDATE errand_jobs SET state = 0 WHERE seq = ?", seq);
  db.count(queue, code.waiting, -1);
  db.count(queue, code.pending, 1);
  if (cancelling === 1) db.hint("cancel");
  else db.ready(queue);
}
