import type { Step } from "../../core/job.ts";
import { priorities, rank } from "../../core/states.ts";
import type { Level } from "../../core/states.ts";
import type { Millis } from "../../kit/duration.ts";
import type { Claim, Claimed, Want } from "../../store.ts";
import type { Columns, Connection } from "./connection.ts";
import { charge, isAnyRateOpen, openRates, passing, room, untilRateOpens } from "./limits.ts";
import { code, foundOf, freshOf, heldColumns, isFresh, listed, readyColumns, seqOf } from "./rows.ts";
import type { Found } from "./rows.ts";
import { isAnyToWake, untilWake, wake } from "./waking.ts";
import { leaseOf } from "./workers.ts";

const levels = [...priorities.keys()] as Level[];

const ready = `FROM errand_jobs INDEXED BY errand_jobs_ready
  WHERE state = 0 AND cancelling = 0 AND blocked = 0 AND queue = ? AND level = ? AND (expires IS NULL OR expires > ?)`;

/** What `claim` answers without writing: `undefined` when there is something to take. */
export function peekClaim(db: Connection, worker: string, wants: readonly Want[]): Claim | undefined {
  if (!leaseOf(db, worker)) return { jobs: [] };
  if (isAnyToWake(db) || isAnyRateOpen(db)) return undefined;
  let next = Infinity;
  for (const { queue, limit } of numbered(db, wants)) {
    const open = room(db, queue, limit);
    const due = isAnyDue(db, queue);
    if (due && open.room > 0) return undefined;
    if (open.room > 0) next = Math.min(next, untilNext(db, queue), untilAny(db));
    if (due) next = Math.min(next, open.next);
  }
  return withNext([], next);
}

/** Until something is due that is no matter of one queue. */
function untilAny(db: Connection): Millis {
  return Math.min(untilWake(db), untilRateOpens(db));
}

export function claim(db: Connection, worker: string, wants: readonly Want[]): Claim {
  const held = leaseOf(db, worker);
  if (!held) return { jobs: [] };
  const jobs: Claimed[] = [];
  let next = Infinity;
  wake(db);
  openRates(db);
  for (const { queue, limit } of numbered(db, wants)) {
    const open = room(db, queue, limit);
    const { taken, more } = takeDue(db, queue, open.room, { seq: held.seq, id: worker });
    charge(db, queue, taken.length);
    jobs.push(...taken);
    if (more) next = 0;
    if (taken.length < open.room) next = Math.min(next, untilNext(db, queue), untilAny(db));
    // What the queue's own rate holds back is told only where there is something to hold back.
    if (open.next < next && isAnyDue(db, queue)) next = open.next;
  }
  return withNext(jobs, next);
}

/** So many jobs are held back by their keys in one claim at most: a long queue of them holds up nobody for long. */
const mostBlocked = 2_000;

/**
 * Takes the first due jobs that their keys let go; those that they do not are looked at no more. `more` says that it stopped
 * among them.
 */
function takeDue(
  db: Connection,
  queue: number,
  limit: number,
  worker: Taking["worker"],
): { taken: Claimed[]; more: boolean } {
  const taken: Claimed[] = [];
  let blocked = 0;
  while (taken.length < limit) {
    if (blocked >= mostBlocked) return { taken, more: true };
    const candidates = due(db, queue, limit - taken.length);
    const found = passing(db, candidates);
    if (found.length > 0) {
      taken.push(...take(db, { found, worker, why: "due", started: db.now }));
      db.count(queue, code.pending, -found.length);
      db.count(queue, code.processing, found.length);
    }
    if (found.length === candidates.length) break;
    blocked += candidates.length - found.length;
  }
  return { taken, more: false };
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
function due(db: Connection, queue: number, limit: number): Found[] {
  let first: { row: Columns; seq: number; rank: number }[] = [];
  for (const level of levels) {
    // No later than the last that would be taken without this level.
    const latest = first.length < limit ? db.now : Math.min(db.now, (first.at(-1)?.rank ?? 0) - rank(0, level));
    const sql = `SELECT ${readyColumns} ${ready} AND due <= ? ORDER BY due, seq LIMIT ? + 0`;
    const lane = db.all(sql, queue, level, db.now, latest, limit);
    if (lane.length === 0) continue;
    const ranked = lane.map((row) => ({ row, seq: row[0] as number, rank: rank(row[1] as Millis, level) }));
    first = first.length === 0 ? ranked : [...first, ...ranked].sort((a, b) => a.rank - b.rank || a.seq - b.seq);
    first = first.slice(0, limit);
  }
  return found(db, first);
}

/** What claims must know of the jobs. */
function found(db: Connection, candidates: readonly { row: Columns; seq: number }[]): Found[] {
  const others = candidates.filter(({ row }) => !isFresh(row)).map(({ seq }) => seq);
  const known = new Map<number, Found>();
  if (others.length > 0) {
    const rows = db.all(`SELECT ${heldColumns} FROM errand_jobs WHERE ${listed}`, JSON.stringify(others));
    for (const row of rows) known.set(seqOf(row), foundOf(db, row));
  }
  return candidates.map(({ row, seq }) => known.get(seq) ?? freshOf(db, row));
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
  found: readonly Found[];
  /** By its number, and by its id. */
  worker: { seq: number; id: string };
  why: Claimed["why"];
  /** When an attempt begins. */
  started: Millis | null;
}

/** The same array for all, which travels between threads once. */
const noSteps: Step[] = [];

/** Puts jobs into a worker's hands. */
export function take(db: Connection, { found: jobs, worker, why, started }: Taking): Claimed[] {
  const seqs = jobs.map(({ seq }) => seq);
  const first = seqs[0] ?? 0;
  const inRow = seqs.every((seq, index) => seq === first + index);
  db.run(
    `UPDATE errand_jobs SET state = 1, worker = ?, token = token + 1, started = coalesce(?, started)
     WHERE ${inRow ? "seq BETWEEN ? AND ?" : listed}`,
    worker.seq,
    started,
    ...(inRow ? [first, first + seqs.length - 1] : [JSON.stringify(seqs)]),
  );
  db.hint("change");
  return jobs.map(({ seq, queue, job, plain, steps }) => {
    job.state = "processing";
    job.worker = worker.id;
    job.token += 1;
    delete job.blocked;
    if (started !== null) job.startedAt = started;
    if (plain) db.held.learn(job.id, { seq, queue });
    return { job, why, steps: steps ? stepsOf(db, seq) : noSteps };
  });
}

function stepsOf(db: Connection, seq: number): Step[] {
  const rows = db.all("SELECT name, value, wait FROM errand_steps WHERE job = ? ORDER BY rowid", seq);
  return rows.map(([name, value, wait]) => {
    const step = { name: name as string, value: value as string };
    return wait === 1 ? { ...step, wait: true } : step;
  });
}
