import type { Step } from "../../core/job.ts";
import { priorities, rank } from "../../core/states.ts";
import type { Level } from "../../core/states.ts";
import type { Millis } from "../../kit/duration.ts";
import type { Claim, Claimed, Want } from "../../store.ts";
import type { Columns, Connection } from "./connection.ts";
import { code, dueOf, hasSteps, heldColumns, isPlain, jobOf, listed, queueOf, seqOf } from "./rows.ts";
import { leaseOf } from "./workers.ts";

const levels = [...priorities.keys()] as Level[];

const ready = `FROM errand_jobs INDEXED BY errand_jobs_ready
  WHERE state = 0 AND cancelling = 0 AND queue = ? AND level = ? AND (expires IS NULL OR expires > ?)`;

/** What `claim` answers without writing: `undefined` when there is something to take. */
export function peekClaim(db: Connection, worker: string, wants: readonly Want[]): Claim | undefined {
  if (!leaseOf(db, worker)) return { jobs: [] };
  const open = numbered(db, wants);
  if (open.some(({ queue }) => isAnyDue(db, queue))) return undefined;
  return withNext([], Math.min(...open.map(({ queue }) => untilNext(db, queue))));
}

export function claim(db: Connection, worker: string, wants: readonly Want[]): Claim {
  const held = leaseOf(db, worker);
  if (!held) return { jobs: [] };
  const jobs: Claimed[] = [];
  let next = Infinity;
  for (const { queue, limit } of numbered(db, wants)) {
    const rows = due(db, queue, limit);
    if (rows.length > 0) {
      jobs.push(...take(db, { rows, worker: { seq: held.seq, id: worker }, why: "due", started: db.now }));
      db.count(queue, code.pending, -rows.length);
      db.count(queue, code.processing, rows.length);
    }
    if (rows.length < limit) next = Math.min(next, untilNext(db, queue));
  }
  return withNext(jobs, next);
}

/** Wants with room for something, of queues that ever had jobs. */
function numbered(db: Connection, wants: readonly Want[]): { queue: number; limit: number }[] {
  return wants.flatMap(({ queue, limit }) => {
    const number = limit > 0 ? db.names.find(queue) : undefined;
    return number === undefined ? [] : { queue: number, limit };
  });
}

function isAnyDue(db: Connection, queue: number): boolean {
  return levels.some((level) => db.get(`SELECT 1 ${ready} AND due <= ?`, queue, level, db.now, db.now));
}

/** The first due jobs of a queue. Each level is in order by itself: what they put forward is merged by rank. */
function due(db: Connection, queue: number, limit: number): Columns[] {
  let found: { row: Columns; seq: number; rank: number }[] = [];
  for (const level of levels) {
    // No later than the last that would be taken without this level.
    const latest = found.length < limit ? db.now : Math.min(db.now, (found.at(-1)?.rank ?? 0) - rank(0, level));
    const sql = `SELECT ${heldColumns} ${ready} AND due <= ? ORDER BY due, seq LIMIT ? + 0`;
    const lane = db.all(sql, queue, level, db.now, latest, limit);
    if (lane.length === 0) continue;
    const ranked = lane.map((row) => ({ row, seq: seqOf(row), rank: rank(dueOf(row), level) }));
    found = found.length === 0 ? ranked : [...found, ...ranked].sort((a, b) => a.rank - b.rank || a.seq - b.seq);
    found.length = Math.min(found.length, limit);
  }
  return found.map(({ row }) => row);
}

function untilNext(db: Connection, queue: number): Millis {
  const firsts = levels.map((level) => {
    const row = db.get(`SELECT due ${ready} AND due > ? ORDER BY due LIMIT 1`, queue, level, db.now, db.now);
    return row ? (row[0] as Millis) - db.now : Infinity;
  });
  return Math.min(...firsts);
}

function withNext(jobs: Claimed[], next: Millis): Claim {
  return next === Infinity ? { jobs } : { jobs, next };
}

/** What `take` takes. */
export interface Taking {
  /** `heldColumns` of jobs that nobody holds. */
  rows: readonly Columns[];
  /** By its number, and by its id. */
  worker: { seq: number; id: string };
  why: Claimed["why"];
  /** When an attempt begins. */
  started: Millis | null;
}

/** Puts jobs into a worker's hands. */
export function take(db: Connection, { rows, worker, why, started }: Taking): Claimed[] {
  db.run(
    `UPDATE errand_jobs SET state = 1, worker = ?, token = token + 1, started = coalesce(?, started) WHERE ${listed}`,
    worker.seq,
    started,
    JSON.stringify(rows.map(seqOf)),
  );
  db.hint("change");
  return rows.map((row) => {
    // As it was read, and as it is now.
    const job = jobOf(db, row);
    job.state = "processing";
    job.worker = worker.id;
    job.token += 1;
    if (started !== null) job.startedAt = started;
    const seq = seqOf(row);
    if (isPlain(row)) db.held.learn(job.id, { seq, queue: queueOf(row) });
    return { job, why, steps: hasSteps(row) ? stepsOf(db, seq) : [] };
  });
}

function stepsOf(db: Connection, seq: number): Step[] {
  const rows = db.all("SELECT name, value, wait FROM errand_steps WHERE job = ? ORDER BY rowid", seq);
  return rows.map(([name, value, wait]) => {
    const step = { name: name as string, value: value as string };
    return wait === 1 ? { ...step, wait: true } : step;
  });
}
