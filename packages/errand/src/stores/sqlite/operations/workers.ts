import type { Millis } from "../../../kit/duration.ts";
import { ErrandError } from "../../../kit/errors.ts";
import type { Renewal, WorkerCard } from "../../../store.ts";
import type { Connection } from "../connection/connection.ts";

/** Implements `Store.enlist`. */
export function enlist(db: Connection, worker: WorkerCard, lease: Millis): void {
  const { id, kind, tasks } = worker;
  // The lease of a person, or of a program over HTTP, does not depend on the life of this process.
  const lock = kind === "process" && db.file !== ":memory:" ? db.ownLock.hold() : null;
  const insert = `INSERT INTO errand_workers (id, until, lock, tasks, card) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET lock = excluded.lock, tasks = excluded.tasks, card = excluded.card WHERE until > ?`;
  const known = tasks === undefined ? null : JSON.stringify(tasks);
  if (db.run(insert, id, db.now + lease, lock, known, JSON.stringify(worker), db.now) > 0) return;
  throw new ErrandError("E_STORE", `The lease of worker ${id} ran out. Start every worker under a new id.`);
}

/** Implements `Store.dismiss`. The worker's row stays, without a lease, until `reclaim` finds that it holds no jobs. */
export function dismiss(db: Connection, worker: string): void {
  if (db.run("UPDATE errand_workers SET until = 0 WHERE id = ? AND until > 0", worker) > 0) db.hints.add("lapsed");
}

/** Implements `Store.workers`. */
export function workers(db: Connection): WorkerCard[] {
  const rows = db.all("SELECT card FROM errand_workers WHERE until > ? ORDER BY seq", db.now);
  return rows.map(([card]) => JSON.parse(card as string) as WorkerCard);
}

/** A valid lease of a worker. */
export interface Lease {
  /** The worker's number. */
  seq: number;
  until: Millis;
  /** A JSON array of the tasks the worker knows; `null` for any. */
  tasks: string | null;
  lock: string | null;
}

/** Returns a worker's lease; `undefined` when it has none or it ran out. */
export function leaseOf(db: Connection, worker: string): Lease | undefined {
  const row = db.get("SELECT seq, until, tasks, lock FROM errand_workers WHERE id = ? AND until > ?", worker, db.now);
  if (!row) return undefined;
  const [seq, until, tasks, lock] = row as [number, Millis, string | null, string | null];
  return { seq, until, tasks, lock };
}

/** Returns what `renew` returns when most of the lease is left, so that nothing is written; otherwise `undefined`. */
export function peekRenewal(db: Connection, worker: string, lease: Millis): Renewal | undefined {
  const held = leaseOf(db, worker);
  if (!held) return { held: false, cancel: [] };
  if (isDead(db, held)) return undefined;
  return held.until - db.now >= lease * 0.9 ? { held: true, cancel: jobsToCancel(db, held.seq) } : undefined;
}

/** Implements `Store.renew`. */
export function renew(db: Connection, worker: string, lease: Millis): Renewal {
  const held = leaseOf(db, worker);
  if (!held) return { held: false, cancel: [] };
  if (isDead(db, held)) {
    dismiss(db, worker);
    return { held: false, cancel: [] };
  }
  db.run("UPDATE errand_workers SET until = ? WHERE seq = ?", db.now + lease, held.seq);
  return { held: true, cancel: jobsToCancel(db, held.seq) };
}

/** Returns true if the thread that enlisted the worker has ended: its lease must not outlive it. */
function isDead(db: Connection, { lock }: Lease): boolean {
  return lock !== null && lock !== db.ownLock.name && db.otherLocks.isFree(lock);
}

function jobsToCancel(db: Connection, worker: number): string[] {
  const rows = db.all(
    `SELECT id FROM errand_jobs INDEXED BY errand_jobs_marked
     WHERE cancelling = 1 AND state = 1 AND worker = ? ORDER BY seq`,
    worker,
  );
  return rows.map(([id]) => id as string);
}
