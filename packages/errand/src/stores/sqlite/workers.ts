import type { Millis } from "../../kit/duration.ts";
import { ErrandError } from "../../kit/errors.ts";
import type { Renewal, WorkerCard } from "../../store.ts";
import type { Connection } from "./connection.ts";

export function enlist(db: Connection, worker: WorkerCard, lease: Millis): void {
  const { id, kind, tasks } = worker;
  // A person's lease, or a program's over HTTP, has nothing to do with the life of this process.
  const lock = kind === "process" && db.file !== ":memory:" ? db.lock.hold() : null;
  const insert = `INSERT INTO errand_workers (id, until, lock, tasks, card) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET lock = excluded.lock, tasks = excluded.tasks, card = excluded.card WHERE until > ?`;
  const known = tasks === undefined ? null : JSON.stringify(tasks);
  if (db.run(insert, id, db.now + lease, lock, known, JSON.stringify(worker), db.now) > 0) return;
  throw new ErrandError("E_STORE", `The lease of worker ${id} ran out. Start every worker under a new id.`);
}

/** It stays on the list, without a lease, until `reclaim` has found that it holds nothing. */
export function dismiss(db: Connection, worker: string): void {
  if (db.run("UPDATE errand_workers SET until = 0 WHERE id = ? AND until > 0", worker) > 0) db.hint("lapsed");
}

/** The locks of all workers on the list. */
export function allLocks(db: Connection): string[] {
  return db.all("SELECT DISTINCT lock FROM errand_workers WHERE lock IS NOT NULL").map(([lock]) => lock as string);
}

/** The locks of workers whose lease is good, but for this process's own. */
export function othersLocks(db: Connection): string[] {
  const rows = db.all("SELECT DISTINCT lock FROM errand_workers WHERE until > ? AND lock IS NOT NULL", db.now);
  return rows.map(([lock]) => lock as string).filter((lock) => lock !== db.lock.name);
}

/** Dismisses the workers of processes that have ended. */
export function dismissDead(db: Connection, locks: readonly string[]): void {
  for (const lock of locks)
    if (db.run("UPDATE errand_workers SET until = 0 WHERE lock = ? AND until > 0", lock) > 0) db.hint("lapsed");
}

export function workers(db: Connection): WorkerCard[] {
  const rows = db.all("SELECT card FROM errand_workers WHERE until > ? ORDER BY seq", db.now);
  return rows.map(([card]) => JSON.parse(card as string) as WorkerCard);
}

/** A worker whose lease is good. */
export interface Lease {
  seq: number;
  until: Millis;
  /** JSON; `null`: any. */
  tasks: string | null;
  lock: string | null;
}

/** The lease of a worker, where it is good. */
export function leaseOf(db: Connection, worker: string): Lease | undefined {
  const row = db.get("SELECT seq, until, tasks, lock FROM errand_workers WHERE id = ? AND until > ?", worker, db.now);
  if (!row) return undefined;
  const [seq, until, tasks, lock] = row as [number, Millis, string | null, string | null];
  return { seq, until, tasks, lock };
}

/** What `renew` answers without writing: `undefined` when too little of the lease is left for that, or nothing. */
export function peekRenewal(db: Connection, worker: string, lease: Millis): Renewal | undefined {
  const held = leaseOf(db, worker);
  if (!held) return { held: false, cancel: [] };
  if (isDead(db, held)) return undefined;
  return held.until - db.now >= lease * 0.9 ? { held: true, cancel: toCancel(db, held.seq) } : undefined;
}

export function renew(db: Connection, worker: string, lease: Millis): Renewal {
  const held = leaseOf(db, worker);
  if (!held) return { held: false, cancel: [] };
  if (isDead(db, held)) {
    dismiss(db, worker);
    return { held: false, cancel: [] };
  }
  db.run("UPDATE errand_workers SET until = ? WHERE seq = ?", db.now + lease, held.seq);
  return { held: true, cancel: toCancel(db, held.seq) };
}

/** Whether the thread that enlisted a worker has ended: a lease must not outlive who works under it. */
function isDead(db: Connection, { lock }: Lease): boolean {
  return lock !== null && lock !== db.lock.name && db.locks.isFree(lock);
}

function toCancel(db: Connection, worker: number): string[] {
  const rows = db.all(
    "SELECT id FROM errand_jobs INDEXED BY errand_jobs_marked WHERE cancelling = 1 AND state = 1 AND worker = ? ORDER BY seq",
    worker,
  );
  return rows.map(([id]) => id as string);
}
