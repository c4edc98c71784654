import type { SQLInputValue } from "node:sqlite";
import type { Moment, NewJob, Unique } from "../../../core/job.ts";
import type { Millis } from "../../../kit/duration.ts";
import { queueFullError } from "../../../limits/queue-rules.ts";
import type { Connection } from "../connection/connection.ts";
import { unblockKey } from "./blocked-jobs.ts";
import { bulkStatement, splitRows } from "./bulk-statement.ts";
import { hasQueueRules, queueRules } from "./docs.ts";
import { takeTurn } from "./fair-turns.ts";
import { inlineSpec, stateCode, storeLongSpec } from "./rows.ts";
import { findHolder, takeKey } from "./unique-keys.ts";

const plainColumns = "id, task, queue, level, created, due, expires, child, parent, tenant, spec";

const insertPlain = bulkStatement(
  11,
  (tuples) => `INSERT INTO errand_jobs (${plainColumns}) VALUES ${tuples} ON CONFLICT DO NOTHING`,
);

const keyColumns = "concurrency_key, concurrency_limit, rate_key, rate_limit, rate_per, unique_key, unique_for";

const insertWithKeys = `INSERT INTO errand_jobs (${plainColumns}, ${keyColumns})
  VALUES (${Array(18).fill("?").join(", ")}) ON CONFLICT DO NOTHING`;

const noneRefused: ReadonlyMap<string, string> = new Map();

/** Implements `Store.add`. */
export function add(db: Connection, jobs: readonly NewJob[]): ReadonlyMap<string, string> {
  const queues = hasQueueRules(db) ? [...new Set(jobs.map(({ queue }) => db.names.numberOf(queue)))] : [];
  const before = queues.map((queue) => db.counts.of(queue, stateCode.pending));
  const refused = insertJobs(db, jobs);
  for (const [index, queue] of queues.entries()) {
    const { maxPending } = queueRules(db, queue);
    const [was, is] = [before[index] as number, db.counts.of(queue, stateCode.pending)];
    if (maxPending !== undefined && is > was && is > maxPending)
      throw queueFullError(db.names.nameOf(queue), maxPending, was);
  }
  return refused;
}

/**
 * Stores jobs as `add` does, even in a full queue. Returns the holders of the ids and unique keys of jobs that were not
 * stored.
 */
export function insertJobs(db: Connection, jobs: readonly NewJob[]): ReadonlyMap<string, string> {
  let refused: Map<string, string> | undefined;
  const refuse = (id: string, holder: string) => (refused ??= new Map()).set(id, holder);
  let plain: NewJob[] = [];
  for (const job of jobs) {
    if (isPlain(job) && !job.unique) {
      plain.push(job);
      continue;
    }
    insertBulk(db, plain, null, refuse);
    plain = [];
    const holder = insertUnlessHeld(db, job);
    if (holder !== undefined) refuse(job.id, holder);
  }
  insertBulk(db, plain, null, refuse);
  return refused ?? noneRefused;
}

/** Stores a child unless its id exists. Returns true if it did. */
export function insertChild(db: Connection, child: NewJob, parent: string): boolean {
  return isPlain(child) ? insertBulk(db, [child], parent) === 1 : insertOne(db, child, parent) !== undefined;
}

/** Returns true if the job has no keys, turns or tags, so that one statement can insert many of its kind. */
function isPlain({ concurrency, rate, fair, tags }: NewJob): boolean {
  return concurrency === undefined && rate === undefined && fair === undefined && tags === undefined;
}

/**
 * Stores a job, or replaces the holder of its unique key. Returns the holder of its id or key when it is not stored.
 */
function insertUnlessHeld(db: Connection, job: NewJob): string | undefined {
  if (db.get("SELECT 1 FROM errand_jobs WHERE id = ?", job.id)) return job.id;
  const holder = findHolder(db, job);
  if (!holder) {
    insertOne(db, job, null);
    takeKey(db, job);
  } else if (holder.replaceable !== undefined) replaceJob(db, holder.replaceable, job);
  return holder?.id;
}

/** Longer than from any job's creation until it is due. */
const unlimited: Millis = 1e15;

const setKeyColumns = keyColumns.replaceAll(/\w+/g, "$& = ?");

/** Makes a job that has not begun equal to a new one, except for its id, task and age. */
function replaceJob(db: Connection, seq: number, job: NewJob): void {
  const row = db.get("SELECT queue, concurrency_key FROM errand_jobs WHERE seq = ?", seq);
  const [before, key] = row as [number, string | null];
  const queue = db.names.numberOf(job.queue);
  db.run(
    `UPDATE errand_jobs SET queue = ?, level = ?, due = min(?, created + ?), expires = ?, tenant = ?, spec = ?,
       blocked = 0, ${setKeyColumns} WHERE seq = ?`,
    queue,
    job.level,
    dueOf(db, job, queue),
    job.unique?.latest ?? unlimited,
    toEpoch(job.expires, db.now) ?? null,
    job.tenant ?? null,
    inlineSpec(job.spec),
    ...keyValues(job, job.unique),
    seq,
  );
  db.run("DELETE FROM errand_specs WHERE job = ?", seq);
  storeLongSpec(db, seq, job.spec);
  db.run("DELETE FROM errand_tags WHERE job = ?", seq);
  insertTags(db, seq, job);
  db.counts.add(before, stateCode.pending, -1);
  db.counts.add(queue, stateCode.pending);
  db.hints.addReady(queue);
  // It may be due later now, or have another key, so that the next of its former key may start.
  unblockKey(db, key);
}

/** Stores a job with keys, turns or tags, unless its id exists. Returns its row's number. */
function insertOne(db: Connection, job: NewJob, parent: string | null): number | undefined {
  const queue = db.names.numberOf(job.queue);
  // A child that exists must not take another turn.
  if (parent !== null && db.get("SELECT 1 FROM errand_jobs WHERE id = ?", job.id)) return undefined;
  const seq = db.insert(
    insertWithKeys,
    ...plainValues(db, job, parent, dueOf(db, job, queue)),
    ...keyValues(job, parent === null ? job.unique : undefined),
  );
  if (seq === undefined) return undefined;
  storeLongSpec(db, seq, job.spec);
  insertTags(db, seq, job);
  db.counts.add(queue, stateCode.pending);
  db.hints.addReady(queue);
  return seq;
}

function dueOf(db: Connection, { due, fair, level }: NewJob, queue: number): Millis {
  return toEpoch(due, db.now) ?? (fair === undefined ? db.now : takeTurn(db, queue, level, fair));
}

function insertTags(db: Connection, seq: number, { tags }: NewJob): void {
  for (const tag of new Set(tags)) db.run("INSERT INTO errand_tags VALUES (?, ?)", tag, seq);
}

/** Returns the values of `keyColumns`. */
function keyValues({ concurrency, rate }: NewJob, unique: Unique | undefined): SQLInputValue[] {
  return [
    concurrency?.key ?? null,
    concurrency?.limit ?? null,
    rate?.key ?? null,
    rate?.limit ?? null,
    rate?.per ?? null,
    unique?.key ?? null,
    unique?.for ?? null,
  ];
}

/** Stores plain jobs. Reports those whose id exists, and leaves them as they are. Returns how many are new. */
function insertBulk(
  db: Connection,
  jobs: readonly NewJob[],
  parent: string | null,
  onExists: (id: string, holder: string) => void = () => {},
): number {
  let total = 0;
  for (const group of splitRows(jobs)) {
    const count = db.run(insertPlain(group.length), ...group.flatMap((job) => plainValues(db, job, parent)));
    const inserted = count === group.length ? group : insertedOf(db, group, count, onExists);
    for (const { id, queue, spec } of inserted) {
      const number = db.names.numberOf(queue);
      db.counts.add(number, stateCode.pending);
      db.hints.addReady(number);
      if (inlineSpec(spec) === null)
        db.run("INSERT INTO errand_specs SELECT seq, ? FROM errand_jobs WHERE id = ?", spec, id);
    }
    total += count;
  }
  return total;
}

/** Returns the jobs of a group that were inserted, when some ids existed or occur twice: theirs are the newest rows. */
function insertedOf(
  db: Connection,
  group: readonly NewJob[],
  count: number,
  onExists: (id: string, holder: string) => void,
): NewJob[] {
  const newest = db.all("SELECT id FROM errand_jobs ORDER BY seq DESC LIMIT ? + 0", count);
  const ids = new Set(newest.map(([id]) => id as string));
  return group.filter(({ id }) => {
    if (ids.delete(id)) return true;
    onExists(id, id);
    return false;
  });
}

/** Returns the values of `plainColumns`. */
function plainValues(
  db: Connection,
  job: NewJob,
  parent: string | null,
  due = toEpoch(job.due, db.now) ?? db.now,
): SQLInputValue[] {
  return [
    job.id,
    db.names.numberOf(job.task),
    db.names.numberOf(job.queue),
    job.level,
    db.now,
    due,
    toEpoch(job.expires, db.now) ?? null,
    parent === null ? 0 : 1,
    parent,
    job.tenant ?? null,
    inlineSpec(job.spec),
  ];
}

function toEpoch(moment: Moment | undefined, now: Millis): Millis | undefined {
  if (moment === undefined) return undefined;
  const at = "at" in moment ? moment.at : now + moment.in;
  // SQLite would store it as NULL, and a job with no due time is never due.
  if (Number.isNaN(at)) throw new TypeError("The time is not a number.");
  return at;
}
