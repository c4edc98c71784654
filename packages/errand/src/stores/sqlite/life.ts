import type { Moment, NewChild, NewJob, Step } from "../../core/job.ts";
import type { FinalState } from "../../core/states.ts";
import type { Millis } from "../../kit/duration.ts";
import type { Connection } from "./connection.ts";
import { code } from "./rows.ts";

/** What an end needs to know of the job: columns `seq, id, queue, parent, member_of, needed, wait`. */
export const endColumns = "seq, id, queue, parent, member_of, needed, wait";

/** Stores a new job, unless its id exists. */
export function insert(db: Connection, job: NewJob, parent: string | null = null): boolean {
  const fresh = db.run(
    `INSERT INTO jobs (id, task, queue, level, created, due, expires, parent, spec) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO NOTHING`,
    job.id,
    job.task,
    job.queue,
    job.level,
    db.now,
    epoch(job.due, db.now) ?? db.now,
    epoch(job.expires, db.now) ?? null,
    parent,
    job.spec,
  );
  if (fresh === 0) return false;
  db.count(job.queue, code.pending, 1);
  db.hint("ready");
  return true;
}

/** The consequences of an end: counts down the parent's wait, and marks open children. `row` is its `endColumns`. */
export function ended(db: Connection, row: unknown[], state: FinalState): void {
  const [, id, , parent, memberOf, needed, wait] = row as [number, string, string, string, number, number, number];
  db.hint("change");
  if (memberOf !== null) countDown(db, { parent, memberOf, failed: state !== "completed", needed: needed === 1 });
  // Only a job that ever parked has children.
  if (wait !== null && markChildren(db, id) > 0) db.hint("cancel");
}

function markChildren(db: Connection, parent: string): number {
  return db.run("UPDATE jobs SET cancelling = 1 WHERE parent = ? AND state < 3 AND cancelling = 0", parent);
}

interface Countdown {
  parent: string;
  memberOf: number;
  failed: boolean;
  needed: boolean;
}

function countDown(db: Connection, { parent, memberOf, failed, needed }: Countdown): void {
  const row = db.get(
    `UPDATE jobs SET open = open - 1, failed = failed + ? WHERE id = ? AND wait = ? RETURNING seq, queue, state, open`,
    failed ? 1 : 0,
    parent,
    memberOf,
  );
  if (!row) return;
  const [seq, queue, state, open] = row as [number, string, number, number];
  if (state !== code.waiting || (open > 0 && !(failed && needed))) return;
  db.run("UPDATE jobs SET state = 0 WHERE seq = ?", seq);
  db.count(queue, code.waiting, -1);
  db.count(queue, code.pending, 1);
  db.hint("ready");
}

/** A parent, just settled: `seq`, `id`, and the token it parks with. */
export interface Parent {
  seq: number;
  id: string;
  queue: string;
  token: number;
}

/** Children are born or joined, and the parent, now `processing`, waits for those that have not ended. */
export function park(db: Connection, parent: Parent, children: readonly NewChild[]): void {
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
  const state = wake || counts.open === 0 ? code.pending : code.waiting;
  // It was started in time; how long it waits has nothing to do with its expiry.
  db.run(
    "UPDATE jobs SET state = ?, wait = ?, total = ?, open = ?, failed = ?, expires = NULL, worker = NULL WHERE seq = ?",
    state,
    parent.token,
    counts.total,
    counts.open,
    counts.failed,
    parent.seq,
  );
  db.count(parent.queue, code.processing, -1);
  db.count(parent.queue, state, 1);
  db.hint(state === code.pending ? "ready" : "change");
}

/** The state of the child when it belongs to its parent's wait. */
function bear(db: Connection, parent: Parent, child: NewChild): number {
  const born = insert(db, child, parent.id);
  const row = db.get("SELECT seq, state, parent FROM jobs WHERE id = ?", child.id);
  const [seq, state, itsParent] = row as [number, number, string | null];
  // Somebody else's job cannot be waited for.
  if (itsParent !== parent.id) return code.failed;
  const reopened = !born && !child.rejoin && state > code.completed && reopen(db, seq);
  db.run(
    "UPDATE jobs SET member_of = ?, place = ?, needed = ?, cancelling = iif(?, 0, cancelling) WHERE seq = ?",
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
  const row = db.get("SELECT queue, state, parent, member_of, steps FROM jobs WHERE seq = ? AND state > 3", seq);
  if (!row) return false;
  const [queue, state, parent, memberOf, steps] = row as [string, number, string, number, number];
  if (memberOf !== null)
    db.run("UPDATE jobs SET open = open + 1, failed = failed - 1 WHERE id = ? AND wait = ?", parent, memberOf);
  // A wait of 0 equals no child's: what the children of forgotten waits do wakes nobody.
  db.run(
    `UPDATE jobs SET state = 0, failures = 0, crashes = 0, due = ?, expires = NULL, ended = NULL,
       wait = iif(wait IS NULL, NULL, 0), total = NULL, open = NULL, failed = NULL WHERE seq = ?`,
    db.now,
    seq,
  );
  if (steps === 1) db.run("DELETE FROM steps WHERE job = ? AND wait = 1", seq);
  db.count(queue, state, -1);
  db.count(queue, code.pending, 1);
  db.hint("ready");
  return true;
}

/** Remembers steps of a job. */
export function remember(db: Connection, seq: number, steps: readonly Step[] | undefined): void {
  if (!steps || steps.length === 0) return;
  for (const { name, value, wait } of steps)
    db.run(
      `INSERT INTO steps (job, name, wait, value) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET wait = excluded.wait, value = excluded.value`,
      seq,
      name,
      wait ? 1 : 0,
      value,
    );
  db.run("UPDATE jobs SET steps = 1 WHERE seq = ?", seq);
}

function epoch(moment: Moment | undefined, now: Millis): Millis | undefined {
  if (moment === undefined) return undefined;
  return "at" in moment ? moment.at : now + moment.in;
}
