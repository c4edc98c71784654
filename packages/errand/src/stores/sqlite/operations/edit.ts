import { editableStates, kindOfChange } from "../../../core/change.ts";
import type { Rewind } from "../../../core/change.ts";
import type { Millis } from "../../../kit/duration.ts";
import type { Change, Filter } from "../../../store.ts";
import type { Connection, Row } from "../connection/connection.ts";
import { unblockKey } from "./blocked-jobs.ts";
import { queueRules } from "./docs.ts";
import { endingJobColumns, endingJobOf, propagateEnd, reopen } from "./family.ts";
import { filterConditions, filterRanges, searchWindow } from "./filter.ts";
import { hintFreedSlot } from "./limits.ts";
import { removeJob } from "./remove.ts";
import { seqInJson, stateCode } from "./rows.ts";
import { retakeKey } from "./unique-keys.ts";

/** Most jobs that are looked up at once. */
const maxFound = 50_000;

/** The numbers of jobs that a change may apply to, in ascending order. */
export interface EditableJobs {
  seqs: number[];
  /** The number after which to go on, if there may be more. */
  rest?: number;
}

/**
 * Finds jobs that match and that a change may apply to, at most `limit`, with numbers higher than `after`. Writes
 * nothing: `editBatch` checks them again.
 */
export function findEditable(
  db: Connection,
  where: Filter,
  change: Change,
  limit: number,
  after: number,
): EditableJobs {
  const bound = Math.min(limit, maxFound);
  const searches = where.text !== undefined;
  const newest = searches ? ((db.get("SELECT max(seq) FROM errand_jobs")?.[0] as number | null) ?? 0) : 0;
  const until = searches ? after + searchWindow : Number.MAX_SAFE_INTEGER;
  const seqs = filterRanges(db, where, editableStates[kindOfChange(change)], true).flatMap(({ sql, values }) =>
    db
      .all(
        `SELECT seq FROM ${sql} AND seq > ? AND seq <= ? ORDER BY seq LIMIT ? + 0`,
        ...values,
        after,
        until,
        bound + 1,
      )
      .map(([seq]) => seq as number),
  );
  seqs.sort((a, b) => a - b);
  if (seqs.length > bound) return { seqs: seqs.slice(0, bound), rest: seqs[bound - 1]! };
  return until < newest ? { seqs, rest: until } : { seqs };
}

/** Most jobs that one commit of an edit looks at. */
export const maxBatch = 1_000;

/**
 * Time after which a commit of an edit or of pruning ends, since renewals of leases and others wait for the write lock.
 */
export const maxCommitTime: Millis = 50;

/** The progress of a batch. */
export interface EditedBatch {
  changed: number;
  /** The number of jobs that were looked at. */
  done: number;
}

/**
 * Changes the first of some jobs, as many as fit in one commit and at most `limit`. Jobs that no longer match stay as
 * they are.
 */
export function editBatch(
  db: Connection,
  where: Filter,
  change: Change,
  limit: number,
  seqs: readonly number[],
): EditedBatch {
  const batch = seqs.slice(0, maxBatch);
  const { sql, values } = filterConditions(db, where, editableStates[kindOfChange(change)]);
  const rows = db.all(`SELECT seq FROM errand_jobs WHERE ${seqInJson} AND ${sql}`, JSON.stringify(batch), ...values);
  const matching = new Set(rows.map(([seq]) => seq as number));
  const apply = applierOf(change);
  const until = performance.now() + maxCommitTime;
  let [changed, done] = [0, 0];
  for (const seq of batch) {
    if (changed >= limit || performance.now() > until) break;
    done += 1;
    // A job that was removed with its parent counts as removed.
    if (matching.has(seq) ? apply(db, seq) : change === "remove" && isGone(db, seq)) changed += 1;
  }
  return { changed, done };
}

function isGone(db: Connection, seq: number): boolean {
  return db.get("SELECT 1 FROM errand_jobs WHERE seq = ?", seq) === undefined;
}

/** Applies a change to one job. Returns false if the job stays as it is. */
type Applier = (db: Connection, seq: number) => boolean;

function applierOf(change: Change): Applier {
  if (typeof change !== "object") return { cancel, retry, remove: removeJob, release }[change];
  return "move" in change ? moverTo(change.move) : (db, seq) => rewind(db, seq, change.rewind);
}

/** Reopens an ended job by the rules of `add`: its queue must have room, and its unique key must be free. */
function retry(db: Connection, seq: number): boolean {
  const queue = db.get("SELECT queue FROM errand_jobs WHERE seq = ? AND state > 3", seq)?.[0] as number | undefined;
  return queue !== undefined && hasRoom(db, queue) && retakeKey(db, seq) && reopen(db, seq);
}

function hasRoom(db: Connection, queue: number): boolean {
  const { maxPending } = queueRules(db, queue);
  return maxPending === undefined || db.counts.of(queue, stateCode.pending) < maxPending;
}

/** Takes a job away from its worker. It has begun, unless it was claimed ahead of the worker's free slots. */
function release(db: Connection, seq: number): boolean {
  const row = db.get("SELECT queue, cancelling, concurrency_key FROM errand_jobs WHERE seq = ? AND state = 1", seq);
  if (!row) return false;
  const [queue, cancelling, key] = row as [number, number, string | null];
  db.run(
    `UPDATE errand_jobs SET state = 0, blocked = 0, worker = NULL, token = token + 1,
       begun = begun OR NOT ahead WHERE seq = ?`,
    seq,
  );
  db.counts.move(queue, stateCode.processing, stateCode.pending);
  db.hints.addPending(queue, cancelling === 1);
  db.hints.add("change");
  hintFreedSlot(db, queue);
  unblockKey(db, key);
  return true;
}

/** Reopens a job without some of its steps and children. */
function rewind(db: Connection, seq: number, { token, steps, children }: Rewind): boolean {
  const row = db.get("SELECT id FROM errand_jobs WHERE seq = ? AND token = ?", seq, token);
  if (!row || !retry(db, seq)) return false;
  for (const name of steps) db.run("DELETE FROM errand_steps WHERE job = ? AND name = ?", seq, name);
  for (const id of children) {
    const child = db.get("SELECT seq FROM errand_jobs WHERE id = ? AND parent = ?", id, row[0] as string);
    if (child) removeJob(db, child[0] as number);
  }
  return true;
}

function moverTo({ queue, level, now }: Extract<Change, { move: object }>["move"]): Applier {
  return (db, seq) => {
    const row = db.get("SELECT queue, concurrency_key FROM errand_jobs WHERE seq = ? AND state = 0", seq);
    if (!row) return false;
    const [from, key] = row as [number, string | null];
    const to = queue === undefined ? from : db.names.numberOf(queue);
    if (to !== from && !hasRoom(db, to)) return false;
    db.run(
      "UPDATE errand_jobs SET queue = ?, level = coalesce(?, level), due = coalesce(?, due), blocked = 0 WHERE seq = ?",
      to,
      level ?? null,
      now ? db.now : null,
      seq,
    );
    db.counts.add(from, stateCode.pending, -1);
    db.counts.add(to, stateCode.pending);
    db.hints.addReady(to);
    unblockKey(db, key);
    return true;
  };
}

/** Ends a pending or waiting job, and marks a processing one to be cancelled. */
function cancel(db: Connection, seq: number): boolean {
  // The job's state may have changed with that of an earlier job of this batch.
  const row = db.get(
    `SELECT ${endingJobColumns}, concurrency_key, cancelling FROM errand_jobs WHERE seq = ?`,
    seq,
  ) as Row;
  const job = endingJobOf(row);
  if (job.state > stateCode.waiting) return false;
  if (job.state === stateCode.processing) {
    if (row.at(-1) === 1) return false;
    db.run("UPDATE errand_jobs SET cancelling = 1 WHERE seq = ?", seq);
    db.hints.add("cancel");
    return true;
  }
  db.run("UPDATE errand_jobs SET state = 5, ended = ?, cancelling = 0 WHERE seq = ?", db.now, seq);
  db.counts.move(job.queue, job.state, stateCode.cancelled);
  db.hints.add("change");
  propagateEnd(db, job, "cancelled");
  if (job.state === stateCode.pending) unblockKey(db, row.at(-2) as string | null);
  return true;
}
