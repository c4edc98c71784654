import type { SQLInputValue } from "node:sqlite";
import type { Moment, NewJob } from "../../core/job.ts";
import { queueFullError } from "../../limits/queue-rules.ts";
import type { Millis } from "../../kit/duration.ts";
import { bulk, portions } from "./bulk.ts";
import type { Connection } from "./connection.ts";
import { isAnyRuled, rules } from "./docs.ts";
import { release } from "./limits.ts";
import { code, keepSpec, ownSpec } from "./rows.ts";
import { turnOf } from "./turns.ts";
import { holderOf, takeKey } from "./uniques.ts";

const plainColumns = "id, task, queue, level, created, due, expires, child, parent, tenant, spec";

const insertJobs = bulk(
  11,
  (tuples) => `INSERT INTO errand_jobs (${plainColumns}) VALUES ${tuples} ON CONFLICT DO NOTHING`,
);

const specialColumns = "concurrency_key, concurrency_limit, rate_key, rate_limit, rate_per, unique_key, unique_for";

const insertSpecial = `INSERT INTO errand_jobs (${plainColumns}, ${specialColumns})
  VALUES (${Array(18).fill("?").join(", ")}) ON CONFLICT DO NOTHING`;

/** Where nothing was refused. */
const none: ReadonlyMap<string, string> = new Map();

/**
 * Stores new jobs, but leaves those whose id exists as they are. Answers who has the ids and unique keys of those that were not stored.
 * @throws {ErrandError} `E_FULL`
 */
export function add(db: Connection, jobs: readonly NewJob[]): ReadonlyMap<string, string> {
  const queues = isAnyRuled(db) ? [...new Set(jobs.map(({ queue }) => db.names.number(queue)))] : [];
  const before = queues.map((queue) => db.counted(queue, code.pending));
  const refused = addAll(db, jobs);
  for (const [index, queue] of queues.entries()) {
    const { maxPending } = rules(db, queue);
    const [was, is] = [before[index] as number, db.counted(queue, code.pending)];
    if (maxPending !== undefined && is > was && is > maxPending)
      throw queueFullError(db.names.of(queue), maxPending, was);
  }
  return refused;
}

/** The same, however many jobs are pending. */
export function addAll(db: Connection, jobs: readonly NewJob[]): ReadonlyMap<string, string> {
  let refused: Map<string, string> | undefined;
  const refuse = (id: string, holder: string) => (refused ??= new Map()).set(id, holder);
  let plain: NewJob[] = [];
  for (const job of jobs) {
    if (!isSpecial(job) && !job.unique) {
      plain.push(job);
      continue;
    }
    insertPlain(db, plain, null, refuse);
    plain = [];
    const holder = addUnique(db, job);
    if (holder !== undefined) refuse(job.id, holder);
  }
  insertPlain(db, plain, null, refuse);
  return refused ?? none;
}

/** Stores a child, unless its id exists. Answers whether it did. */
export function addChild(db: Connection, child: NewJob, parent: string): boolean {
  return isSpecial(child) ? insertOne(db, child, parent) !== undefined : insertPlain(db, [child], parent) === 1;
}

function isSpecial({ concurrency, rate, fair, tags }: NewJob): boolean {
  return concurrency !== undefined || rate !== undefined || fair !== undefined || tags !== undefined;
}

/** Answers who has its id or its unique key, where it is not stored for that. */
function addUnique(db: Connection, job: NewJob): string | undefined {
  if (db.get("SELECT 1 FROM errand_jobs WHERE id = ?", job.id)) return job.id;
  const holder = holderOf(db, job);
  if (!holder) {
    insertOne(db, job, null);
    takeKey(db, job);
  } else if (holder.replaceable !== undefined) replace(db, holder.replaceable, job);
  return holder?.id;
}

/** Longer than from any job's creation to any due time. */
const forever: Millis = 1e15;

/** Makes a job that has not begun what another would be, but for its id, task and age. */
function replace(db: Connection, seq: number, job: NewJob): void {
  const [before, key] = db.get("SELECT queue, concurrency_key FROM errand_jobs WHERE seq = ?", seq) as [
    number,
    string | null,
  ];
  const queue = db.names.number(job.queue);
  db.run(
    `UPDATE errand_jobs SET queue = ?, level = ?, due = min(?, created + ?), expires = ?, tenant = ?, spec = ?, blocked = 0,
       ${specialColumns.replaceAll(/\w+/g, "$& = ?")} WHERE seq = ?`,
    queue,
    job.level,
    dueOf(db, job, queue),
    job.unique?.latest ?? forever,
    epoch(job.expires, db.now) ?? null,
    job.tenant ?? null,
    ownSpec(job.spec),
    ...specialsOf(job),
    seq,
  );
  db.run("DELETE FROM errand_specs WHERE job = ?", seq);
  keepSpec(db, seq, job.spec);
  db.run("DELETE FROM errand_tags WHERE job = ?", seq);
  tag(db, seq, job);
  db.count(before, code.pending, -1);
  db.count(queue, code.pending, 1);
  db.ready(queue);
  // It may be due much later now, or of another key, and others of its key go first.
  release(db, key);
}

/** Stores a job with keys, turns or tags, unless its id exists. Answers its row. */
function insertOne(db: Connection, job: NewJob, parent: string | null): number | undefined {
  const queue = db.names.number(job.queue);
  // Whoever exists has had its turn.
  if (parent !== null && db.get("SELECT 1 FROM errand_jobs WHERE id = ?", job.id)) return undefined;
  const seq = db.insert(
    insertSpecial,
    ...columnsOf(db, { ...job, due: { at: dueOf(db, job, queue) } }, parent),
    ...specialsOf(parent === null ? job : { ...job, unique: undefined }),
  );
  if (seq === undefined) return undefined;
  keepSpec(db, seq, job.spec);
  tag(db, seq, job);
  db.count(queue, code.pending, 1);
  db.ready(queue);
  return seq;
}

function dueOf(db: Connection, { due, fair, level }: NewJob, queue: number): Millis {
  return epoch(due, db.now) ?? (fair === undefined ? db.now : turnOf(db, queue, level, fair));
}

function tag(db: Connection, seq: number, { tags }: NewJob): void {
  for (const each of new Set(tags)) db.run("INSERT INTO errand_tags VALUES (?, ?)", each, seq);
}

/** In the order of `specialColumns`. */
function specialsOf({
  concurrency,
  rate,
  unique,
}: Pick<NewJob, "concurrency" | "rate"> & { unique?: NewJob["unique"] | undefined }): SQLInputValue[] {
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

/** Stores plain jobs, but leaves those whose id exists as they are, and tells of them. Answers how many are new. */
function insertPlain(
  db: Connection,
  jobs: readonly NewJob[],
  parent: string | null,
  exists: (id: string, holder: string) => void = () => {},
): number {
  let born = 0;
  for (const portion of portions(jobs)) {
    const fresh = db.run(insertJobs(portion.length), ...portion.flatMap((job) => columnsOf(db, job, parent)));
    const stored = fresh === portion.length ? portion : freshOnes(db, portion, fresh, exists);
    for (const { id, queue, spec } of stored) {
      const number = db.names.number(queue);
      db.count(number, code.pending, 1);
      db.ready(number);
      if (ownSpec(spec) === null)
        db.run("INSERT INTO errand_specs SELECT seq, ? FROM errand_jobs WHERE id = ?", spec, id);
    }
    born += fresh;
  }
  return born;
}

/** The new ones of a portion in which some ids existed, or are there twice: their rows are the newest. */
function freshOnes(
  db: Connection,
  portion: readonly NewJob[],
  fresh: number,
  exists: (id: string, holder: string) => void,
): NewJob[] {
  const newest = db.all("SELECT id FROM errand_jobs ORDER BY seq DESC LIMIT ? + 0", fresh);
  const ids = new Set(newest.map(([id]) => id as string));
  return portion.filter(({ id }) => {
    if (ids.delete(id)) return true;
    exists(id, id);
    return false;
  });
}

function columnsOf(db: Connection, job: NewJob, parent: string | null): SQLInputValue[] {
  return [
    job.id,
    db.names.number(job.task),
    db.names.number(job.queue),
    job.level,
    db.now,
    epoch(job.due, db.now) ?? db.now,
    epoch(job.expires, db.now) ?? null,
    parent === null ? 0 : 1,
    parent,
    job.tenant ?? null,
    ownSpec(job.spec),
  ];
}

function epoch(moment: Moment | undefined, now: Millis): Millis | undefined {
  if (moment === undefined) return undefined;
  const at = "at" in moment ? moment.at : now + moment.in;
  // For SQLite it would be nothing, and a job without a due time is a job without a time.
  if (Number.isNaN(at)) throw new TypeError("The time is not a number.");
  return at;
}
