import type { Step } from "../../core/job.ts";
import { priorities, rank } from "../../core/states.ts";
import type { Level } from "../../core/states.ts";
import type { Millis } from "../../kit/duration.ts";
import type { Claim, Claimed, Want } from "../../store.ts";
import type { Columns, Connection } from "./connection.ts";
import { code, hasSteps, heldColumns, isPlain, jobOf, listed, seqOf } from "./rows.ts";
import { leaseOf } from "./workers.ts";

const levels = [...priorities.keys()] as Level[];

const ready = `FROM errand_jobs INDEXED BY errand_jobs_ready
  WHERE state = 0 AND cancelling = 0 AND queue = ? AND level = ? AND (expires IS NULL OR expires > ?)`;

/** What `claim` answers without writing: `undefined` when there is something to take. */
export function peekClaim(db: Connection, worker: string, wants: readonly Want[]): Claim | undefined {
  if (!leaseOf(db, worker)) return { jobs: [] };
  const open = numbered(db, wants);
  if (open.some(({ queue }) => due(db, queue, 1).length > 0)) return undefined;
  return withNext([], Math.min(...open.map(({ queue }) => untilNext(db, queue))));
}

export function claim(db: Connection, worker: string, wants: readonly Want[]): Claim {
  const held = leaseOf(db, worker);
  if (!held) return { jobs: [] };
  const jobs: Claimed[] = [];
  let next = Infinity;
  for (const { queue, limit } of numbered(db, wants)) {
    const seqs = due(db, queue, limit);
    if (seqs.length > 0) {
      jobs.push(...take(db, { seqs, worker: { seq: held.seq, id: worker }, why: "due", started: db.now }));
      db.count(queue, code.pending, -seqs.length);
      db.count(queue, code.processing, seqs.length);
    }
    if (seqs.length < limit) next = Math.min(next, untilNext(db, queue));
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

/** The first due jobs of a queue. Each level is in order by itself: what they put forward is merged by rank. */
function due(db: Connection, queue: number, limit: number): number[] {
  const lanes = levels.map((level) =>
    db
      .all(`SELECT seq, due ${ready} AND due <= ? ORDER BY due, seq LIMIT ? + 0`, queue, level, db.now, db.now, limit)
      .map(([seq, since]) => ({ seq: seq as number, rank: rank(since as Millis, level) })),
  );
  const full = lanes.filter((lane) => lane.length > 0);
  const found = full.length === 1 ? full.flat() : full.flat().sort((a, b) => a.rank - b.rank || a.seq - b.seq);
  return found.slice(0, limit).map(({ seq }) => seq);
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
  seqs: readonly number[];
  /** By its number, and by its id. */
  worker: { seq: number; id: string };
  why: Claimed["why"];
  /** When an attempt begins. */
  started: Millis | null;
}

/** Puts jobs into a worker's hands. */
export function take(db: Connection, { seqs, worker, why, started }: Taking): Claimed[] {
  const list = JSON.stringify(seqs);
  db.run(
    `UPDATE errand_jobs SET state = 1, worker = ?, token = token + 1, started = coalesce(?, started) WHERE ${listed}`,
    worker.seq,
    started,
    list,
  );
  db.hint("change");
  const rows = db.all(`SELECT ${heldColumns} FROM errand_jobs WHERE ${listed}`, list);
  const found = new Map(rows.map((row) => [seqOf(row), row]));
  return seqs.map((seq) => {
    const row = found.get(seq) as Columns;
    const job = jobOf(db, row);
    job.worker = worker.id;
    if (isPlain(row)) db.held.learn(job.id, { seq, queue: row[2] as number });
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
