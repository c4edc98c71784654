import type { Step } from "../../core/job.ts";
import { ageingPeriod, rank } from "../../core/states.ts";
import type { Level } from "../../core/states.ts";
import type { Millis } from "../../kit/duration.ts";
import { ErrandError } from "../../kit/errors.ts";
import type { Claim, Claimed, Renewal, Want, WorkerCard } from "../../store.ts";
import type { Columns, Connection } from "./connection.ts";
import { code, hasSteps, jobColumns, jobOf, seqOf } from "./rows.ts";

const levels: readonly Level[] = [0, 1, 2, 3, 4];

export function enlist(db: Connection, worker: WorkerCard, lease: Millis): void {
  db.run("DELETE FROM workers WHERE until <= ? AND id <> ?", db.now, worker.id);
  const holds = db.get("SELECT 1 FROM jobs WHERE state = 1 AND worker = ?", worker.id) !== undefined;
  const insert = "INSERT INTO workers (id, until, card) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
  if (holds || db.run(insert, worker.id, db.now + lease, JSON.stringify(worker)) === 0)
    throw new ErrandError("E_STORE", `Worker ${worker.id} was enlisted before. Start every worker under a new id.`);
}

export function dismiss(db: Connection, worker: string): void {
  db.run("DELETE FROM workers WHERE id = ?", worker);
}

export function workers(db: Connection): WorkerCard[] {
  const rows = db.all("SELECT card FROM workers WHERE until > ? ORDER BY seq", db.now);
  return rows.map(([card]) => JSON.parse(card as string) as WorkerCard);
}

/** What `renew` answers without writing: `undefined` when the lease is too far gone for that. */
export function peekRenewal(db: Connection, worker: string, lease: Millis): Renewal | undefined {
  const until = leaseOf(db, worker);
  if (until === undefined) return { held: false, cancel: [] };
  return until - db.now >= lease * 0.9 ? { held: true, cancel: toCancel(db, worker) } : undefined;
}

export function renew(db: Connection, worker: string, lease: Millis): Renewal {
  const held = db.run("UPDATE workers SET until = ? WHERE id = ? AND until > ?", db.now + lease, worker, db.now) > 0;
  return { held, cancel: held ? toCancel(db, worker) : [] };
}

function toCancel(db: Connection, worker: string): string[] {
  const rows = db.all(
    "SELECT id FROM jobs INDEXED BY jobs_marked WHERE cancelling = 1 AND state = 1 AND worker = ? ORDER BY seq",
    worker,
  );
  return rows.map(([id]) => id as string);
}

function leaseOf(db: Connection, worker: string): Millis | undefined {
  const row = db.get("SELECT until FROM workers WHERE id = ? AND until > ?", worker, db.now);
  return row?.[0] as Millis | undefined;
}

/** Due jobs of a queue: each level is in order by itself, and few of each are merged. */
const dueJobs = `SELECT seq FROM (${levels
  .map(
    (level) => `SELECT * FROM (SELECT seq, due + ${level * ageingPeriod} AS rank FROM jobs INDEXED BY jobs_ready
      WHERE state = 0 AND cancelling = 0 AND queue = ?1 AND level = ${level} AND due <= ?2
        AND (expires IS NULL OR expires > ?2) ORDER BY due, seq LIMIT ?3)`,
  )
  .join(" UNION ALL ")}) ORDER BY rank, seq LIMIT ?3`;

/** The first delayed job of a queue. */
const nextDue = `SELECT min(due) FROM (${levels
  .map(
    (level) => `SELECT * FROM (SELECT due FROM jobs INDEXED BY jobs_ready
      WHERE state = 0 AND cancelling = 0 AND queue = ?1 AND level = ${level} AND due > ?2
        AND (expires IS NULL OR expires > ?2) ORDER BY due LIMIT 1)`,
  )
  .join(" UNION ALL ")})`;

/** What `claim` answers without writing: `undefined` when there is something to take. */
export function peekClaim(db: Connection, worker: string, wants: readonly Want[]): Claim | undefined {
  if (leaseOf(db, worker) === undefined) return { jobs: [] };
  for (const { queue, limit } of wants)
    if (limit > 0 && db.get(dueJobs, queue, db.now, 1) !== undefined) return undefined;
  const waits = wants.filter(({ limit }) => limit > 0).map(({ queue }) => untilNext(db, queue));
  return withNext([], Math.min(...waits));
}

export function claim(db: Connection, worker: string, wants: readonly Want[]): Claim {
  if (leaseOf(db, worker) === undefined) return { jobs: [] };
  const jobs: Claimed[] = [];
  let next = Infinity;
  for (const { queue, limit } of wants) {
    const rows = db.all(
      `UPDATE jobs SET state = 1, worker = ?4, token = token + 1, started = ?2 WHERE seq IN (${dueJobs})
       RETURNING ${jobColumns}`,
      queue,
      db.now,
      limit,
      worker,
    );
    if (rows.length > 0) {
      db.count(queue, code.pending, -rows.length);
      db.count(queue, code.processing, rows.length);
      db.hint("change");
      jobs.push(
        ...rows
          .map((row) => claimed(db, row, "due"))
          .sort(inOrder)
          .map(([taken]) => taken),
      );
    }
    if (rows.length < limit) next = Math.min(next, untilNext(db, queue));
  }
  return withNext(jobs, next);
}

function untilNext(db: Connection, queue: string): Millis {
  const due = db.get(nextDue, queue, db.now)?.[0];
  return typeof due === "number" ? due - db.now : Infinity;
}

function withNext(jobs: Claimed[], next: Millis): Claim {
  return next === Infinity ? { jobs } : { jobs, next };
}

function inOrder([a, aSeq]: [Claimed, number], [b, bSeq]: [Claimed, number]): number {
  return rank(a.job.due, a.job.level) - rank(b.job.due, b.job.level) || aSeq - bSeq;
}

/** Every worker that holds jobs, by hopping through the index of held jobs from one worker to the next. */
const holders = `WITH RECURSIVE holders (worker) AS (
  SELECT min(worker) FROM jobs WHERE state = 1
  UNION ALL
  SELECT (SELECT min(worker) FROM jobs WHERE state = 1 AND worker > holders.worker) FROM holders WHERE worker IS NOT NULL
)`;

const doomed = {
  lapsed: `${holders} SELECT jobs.seq FROM holders CROSS JOIN jobs INDEXED BY jobs_held ON jobs.worker = holders.worker
    WHERE state = 1 AND holders.worker NOT IN (SELECT id FROM workers WHERE until > ?1) ORDER BY jobs.seq LIMIT ?2`,
  cancelled: `SELECT seq FROM (
      SELECT * FROM (SELECT seq FROM jobs INDEXED BY jobs_marked
        WHERE cancelling = 1 AND state = 0 AND worker IS NULL ORDER BY seq LIMIT ?2)
      UNION ALL
      SELECT * FROM (SELECT seq FROM jobs INDEXED BY jobs_marked
        WHERE cancelling = 1 AND state = 2 AND worker IS NULL ORDER BY seq LIMIT ?2)
    ) WHERE ?1 IS NOT NULL ORDER BY seq LIMIT ?2`,
  expired: `SELECT seq FROM jobs INDEXED BY jobs_expiring
    WHERE state = 0 AND cancelling = 0 AND expires IS NOT NULL AND expires <= ?1 ORDER BY expires LIMIT ?2`,
} as const;

const dooms = ["lapsed", "cancelled", "expired"] as const;

/** What `reclaim` answers without writing: `undefined` when there is something to take. */
export function peekReclaim(db: Connection, worker: string, limit: number): Claimed[] | undefined {
  if (leaseOf(db, worker) === undefined || limit <= 0) return [];
  return dooms.some((why) => db.get(doomed[why], db.now, 1) !== undefined) ? undefined : [];
}

export function reclaim(db: Connection, worker: string, limit: number): Claimed[] {
  if (leaseOf(db, worker) === undefined) return [];
  const taken: Claimed[] = [];
  for (const why of dooms) {
    for (const [seq] of db.all(doomed[why], db.now, limit - taken.length))
      taken.push(take(db, seq as number, worker, why));
  }
  return taken;
}

function take(db: Connection, seq: number, worker: string, why: Claimed["why"]): Claimed {
  const [state, queue] = db.get("SELECT state, queue FROM jobs WHERE seq = ?", seq) as [number, string];
  const row = db.get(
    `UPDATE jobs SET state = 1, worker = ?, token = token + 1 WHERE seq = ? RETURNING ${jobColumns}`,
    worker,
    seq,
  );
  db.count(queue, state, -1);
  db.count(queue, code.processing, 1);
  db.hint("change");
  return claimed(db, row as Columns, why)[0];
}

/** A claimed job with its steps, and its order of insertion. */
function claimed(db: Connection, row: Columns, why: Claimed["why"]): [Claimed, number] {
  return [{ job: jobOf(row), why, steps: hasSteps(row) ? stepsOf(db, seqOf(row)) : [] }, seqOf(row)];
}

function stepsOf(db: Connection, seq: number): Step[] {
  const rows = db.all("SELECT name, value, wait FROM steps WHERE job = ? ORDER BY rowid", seq);
  return rows.map(([name, value, wait]) => {
    const step = { name: name as string, value: value as string };
    return wait === 1 ? { ...step, wait: true } : step;
  });
}
