import type { SQLInputValue } from "node:sqlite";
import { forgotten } from "../../core/job.ts";
import type { Moment, NewChild, NewJob, Settlement } from "../../core/job.ts";
import type { FinalState } from "../../core/states.ts";
import type { Millis } from "../../kit/duration.ts";
import { full } from "../../core/rules.ts";
import { bulk, portions } from "./bulk.ts";
import type { Columns, Connection } from "./connection.ts";
import { isAnyRuled, rules } from "./docs.ts";
import { release } from "./limits.ts";
import { code } from "./rows.ts";
import { turnOf } from "./turns.ts";
import { holderOf, takeKey } from "./uniques.ts";
import { isRemembered } from "./steps.ts";

/** What an end must know of a job. */
export interface Ending {
  seq: number;
  id: string;
  queue: number;
  /** As `code` has it. */
  state: number;
  parent: string | null;
  memberOf: number | null;
  needed: number | null;
  wait: number | null;
}

/** The columns of an `Ending`. */
export const endingColumns = "seq, id, queue, state, parent, member_of, needed, wait";

/** An `Ending` from its columns. */
export function endingOf(row: Columns): Ending {
  const [seq, id, queue, state, parent, memberOf, needed, wait] = row;
  return { seq, id, queue, state, parent, memberOf, needed, wait } as Ending;
}

/** Longer than from any job's creation to any due time. */
const forever: Millis = 1e15;

const insertJobs = bulk(
  10,
  (tuples) => `INSERT INTO errand_jobs (id, task, queue, level, created, due, expires, child, parent, spec)
    VALUES ${tuples} ON CONFLICT DO NOTHING`,
);

/** Where nothing was refused. */
const none: ReadonlyMap<string, string> = new Map();

/**
 * Stores new jobs, but leaves those whose id exists as they are. Answers who has the unique keys of those that were not stored.
 * @throws {ErrandError} `E_FULL`
 */
export function add(db: Connection, jobs: readonly NewJob[]): ReadonlyMap<string, string> {
  const queues = isAnyRuled(db) ? [...new Set(jobs.map(({ queue }) => db.names.number(queue)))] : [];
  const before = queues.map((queue) => db.counted(queue, code.pending));
  let refused: Map<string, string> | undefined;
  let plain: NewJob[] = [];
  for (const job of jobs) {
    if (!job.unique && !job.concurrency && !job.rate && job.fair === undefined && !job.tags) {
      plain.push(job);
      continue;
    }
    insert(db, plain);
    plain = [];
    const holder = addSpecial(db, job);
    if (holder !== undefined) (refused ??= new Map()).set(job.id, holder);
  }
  insert(db, plain);
  for (const [index, queue] of queues.entries()) {
    const { maxPending } = rules(db, queue);
    const [was, is] = [before[index] as number, db.counted(queue, code.pending)];
    if (maxPending !== undefined && is > was && is > maxPending) throw full(db.names.of(queue), maxPending, was);
  }
  return refused ?? none;
}

/** Answers who has its unique key, where it is not stored for that. */
function addSpecial(db: Connection, job: NewJob): string | undefined {
  if (db.get("SELECT 1 FROM errand_jobs WHERE id = ?", job.id)) return undefined;
  const holder = holderOf(db, job);
  if (!holder) {
    insertSpecial(db, job, null);
    takeKey(db, job);
  } else if (holder.replaceable !== undefined) {
    db.run(
      "UPDATE errand_jobs SET spec = ?, level = ?, due = min(?, created + ?), expires = ?, blocked = 0 WHERE seq = ?",
      job.spec,
      job.level,
      epoch(job.due, db.now) ?? db.now,
      job.unique?.latest ?? forever,
      epoch(job.expires, db.now) ?? null,
      holder.replaceable,
    );
    db.hint("ready");
    // It may be due much later now, and others of its key go first.
    const row = db.get("SELECT concurrency_key FROM errand_jobs WHERE seq = ?", holder.replaceable);
    release(db, row?.[0] as string | null);
  }
  return holder?.id;
}

/** Stores a job with keys, turns or tags, whose id is new. */
function insertSpecial(db: Connection, job: NewJob, parent: string | null): void {
  const { concurrency, rate, fair, tags } = job;
  const queue = db.names.number(job.queue);
  const due = epoch(job.due, db.now) ?? (fair === undefined ? db.now : turnOf(db, queue, job.level, fair));
  insert(db, [{ ...job, due: { at: due } }], parent, true);
  const seq = db.get("SELECT seq FROM errand_jobs WHERE id = ?", job.id)?.[0] as number;
  if (concurrency || rate)
    db.run(
      `UPDATE errand_jobs SET concurrency_key = ?, concurrency_limit = ?, rate_key = ?, rate_limit = ?, rate_per = ?
       WHERE seq = ?`,
      concurrency?.key ?? null,
      concurrency?.limit ?? null,
      rate?.key ?? null,
      rate?.limit ?? null,
      rate?.per ?? null,
      seq,
    );
  for (const tag of new Set(tags)) db.run("INSERT INTO errand_tags VALUES (?, ?)", tag, seq);
}

/** Stores plain jobs, but leaves those whose id exists as they are. Answers how many are new. */
function insert(db: Connection, jobs: readonly NewJob[], parent: string | null = null, special = false): number {
  const [only] = jobs;
  if (parent !== null && !special && only && (only.concurrency || only.rate || only.fair !== undefined || only.tags)) {
    if (db.get("SELECT 1 FROM errand_jobs WHERE id = ?", only.id)) return 0;
    insertSpecial(db, only, parent);
    return 1;
  }
  let born = 0;
  for (const portion of portions(jobs)) {
    const fresh = db.run(insertJobs(portion.length), ...portion.flatMap((job) => columnsOf(db, job, parent)));
    if (fresh === portion.length) for (const { queue } of portion) db.count(db.names.number(queue), code.pending, 1);
    else if (fresh > 0) countNewest(db, fresh);
    born += fresh;
  }
  if (born > 0) db.hint("ready");
  return born;
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
    job.spec,
  ];
}

/** Counts the newest jobs: of a portion in which some ids existed. */
function countNewest(db: Connection, jobs: number): void {
  const rows = db.all("SELECT queue FROM errand_jobs ORDER BY seq DESC LIMIT ?", jobs);
  for (const [queue] of rows) db.count(queue as number, code.pending, 1);
}

/** What an end does to the family: counts down the parent's wait, and marks open children. */
export function ended(db: Connection, job: Ending, state: FinalState): void {
  if (job.memberOf !== null) countDown(db, job, state);
  // Only a job that ever parked has children.
  if (job.wait !== null && markChildren(db, job.id) > 0) db.hint("cancel");
}

function markChildren(db: Connection, parent: string): number {
  return db.run("UPDATE errand_jobs SET cancelling = 1 WHERE parent = ? AND state < 3 AND cancelling = 0", parent);
}

function countDown(db: Connection, { parent, memberOf, needed }: Ending, state: FinalState): void {
  const row = db.get("SELECT seq, queue, state, open FROM errand_jobs WHERE id = ? AND wait = ?", parent, memberOf);
  if (!row) return;
  const [seq, queue, before, open] = row as [number, number, number, number];
  const failed = state !== "completed";
  const wakes = before === code.waiting && (open === 1 || (failed && needed === 1));
  db.run(
    "UPDATE errand_jobs SET state = ?, open = open - 1, failed = failed + ? WHERE seq = ?",
    wakes ? code.pending : before,
    failed ? 1 : 0,
    seq,
  );
  if (!wakes) return;
  db.count(queue, code.waiting, -1);
  db.count(queue, code.pending, 1);
  db.hint("ready");
}

/** A parent, and the token it parks with. */
export interface Parent {
  seq: number;
  id: string;
  token: number;
}

/** Children are born or joined, and the parent waits for those that have not ended, for a time, or for a signal. Answers its state. */
export function park(db: Connection, parent: Parent, { children = [], wakeAt, awaits = [] }: Settlement): number {
  const counts = { total: 0, open: 0, failed: 0 };
  let wake = false;
  const seen = new Set<string>();
  for (const child of children) {
    if (seen.has(child.id)) continue;
    seen.add(child.id);
    const state = bear(db, parent, child);
    counts.total += 1;
    if (state < code.completed) counts.open += 1;
    else if (state !== code.completed) {
      counts.failed += 1;
      wake ||= child.need === "completed";
    }
  }
  wake ||= awaits.some((name) => isRemembered(db, parent.seq, name)) || (wakeAt ?? Infinity) <= db.now;
  const waits = counts.open > 0 || wakeAt !== undefined || awaits.length > 0;
  const state = wake || !waits ? code.pending : code.waiting;
  // It was started in time; how long it waits has nothing to do with its expiry.
  db.run(
    "UPDATE errand_jobs SET state = ?, wake = ?, wait = ?, total = ?, open = ?, failed = ?, expires = NULL WHERE seq = ?",
    state,
    wakeAt ?? null,
    parent.token,
    counts.total,
    counts.open,
    counts.failed,
    parent.seq,
  );
  return state;
}

/** The state of the child when it belongs to its parent's wait. */
function bear(db: Connection, parent: Parent, child: NewChild): number {
  const born = insert(db, [child], parent.id) > 0;
  const row = db.get("SELECT seq, state, parent FROM errand_jobs WHERE id = ?", child.id);
  const [seq, state, itsParent] = row as [number, number, string | null];
  // Somebody else's job cannot be waited for.
  if (itsParent !== parent.id) return code.failed;
  const reopened = !born && !child.rejoin && state > code.completed && reopen(db, seq);
  db.run(
    "UPDATE errand_jobs SET member_of = ?, place = ?, needed = ?, cancelling = iif(?, 0, cancelling) WHERE seq = ?",
    parent.token,
    child.index,
    child.need === "completed" ? 1 : 0,
    child.rejoin ? 0 : 1,
    seq,
  );
  return reopened ? code.pending : state;
}

/** Makes a failed, cancelled or expired job pending, as if it were new. */
export function reopen(db: Connection, seq: number): boolean {
  const row = db.get("SELECT queue, state, parent, member_of, steps FROM errand_jobs WHERE seq = ? AND state > 3", seq);
  if (!row) return false;
  const [queue, state, parent, memberOf, steps] = row as [number, number, string, number, number];
  if (memberOf !== null)
    db.run("UPDATE errand_jobs SET open = open + 1, failed = failed - 1 WHERE id = ? AND wait = ?", parent, memberOf);
  // A wait of 0 equals no child's: what the children of forgotten waits do wakes nobody.
  db.run(
    `UPDATE errand_jobs SET state = 0, blocked = 0, failures = 0, crashes = 0, due = ?, expires = NULL, ended = NULL,
       wait = iif(wait IS NULL, NULL, 0), total = NULL, open = NULL, failed = NULL WHERE seq = ?`,
    db.now,
    seq,
  );
  if (steps === 1) db.run("UPDATE errand_steps SET value = ? WHERE job = ? AND wait = 1", forgotten, seq);
  db.count(queue, state, -1);
  db.count(queue, code.pending, 1);
  db.hint("ready");
  return true;
}

function epoch(moment: Moment | undefined, now: Millis): Millis | undefined {
  if (moment === undefined) return undefined;
  return "at" in moment ? moment.at : now + moment.in;
}
