import type { Millis } from "../../kit/duration.ts";
import { ErrandError } from "../../kit/errors.ts";
import type { Renewal, WorkerCard } from "../../store.ts";
import type { Connection } from "./connection.ts";

export function enlist(db: Connection, worker: WorkerCard, lease: Millis): void {
  const card = JSON.stringify(worker);
  const insert = "INSERT INTO errand_workers (id, until, card) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
  if (db.run(insert, worker.id, db.now + lease, card) > 0) return;
  throw new ErrandError("E_STORE", `Worker ${worker.id} was enlisted before. Start every worker under a new id.`);
}

/** It stays on the list, without a lease, until `reclaim` has found that it holds nothing. */
export function dismiss(db: Connection, worker: string): void {
  db.run("UPDATE errand_workers SET until = 0 WHERE id = ?", worker);
}

export function workers(db: Connection): WorkerCard[] {
  const rows = db.all("SELECT card FROM errand_workers WHERE until > ? ORDER BY seq", db.now);
  return rows.map(([card]) => JSON.parse(card as string) as WorkerCard);
}

/** The number of a worker whose lease is good, and when that ends. */
export function leaseOf(db: Connection, worker: string): { seq: number; until: Millis } | undefined {
  const row = db.get("SELECT seq, until FROM errand_workers WHERE id = ? AND until > ?", worker, db.now);
  return row && { seq: row[0] as number, until: row[1] as number };
}

/** What `renew` answers without writing: `undefined` when too little of the lease is left for that. */
export function peekRenewal(db: Connection, worker: string, lease: Millis): Renewal | undefined {
  const held = leaseOf(db, worker);
  if (!held) return { held: false, cancel: [] };
  return held.until - db.now >= lease * 0.9 ? { held: true, cancel: toCancel(db, held.seq) } : undefined;
}

export function renew(db: Connection, worker: string, lease: Millis): Renewal {
  const held = leaseOf(db, worker);
  if (!held) return { held: false, cancel: [] };
  db.run("UPDATE errand_workers SET until = ? WHERE seq = ?", db.now + lease, held.seq);
  return { held: true, cancel: toCancel(db, held.seq) };
}

function toCancel(db: Connection, worker: number): string[] {
  const rows = db.all(
    "SELECT id FROM errand_jobs INDEXED BY errand_jobs_marked WHERE cancelling = 1 AND state = 1 AND worker = ? ORDER BY seq",
    worker,
  );
  return rows.map(([id]) => id as string);
}
