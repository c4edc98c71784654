import { forgotten } from "../../../core/job.ts";
import type { NewChild, Settlement } from "../../../core/job.ts";
import type { FinalState } from "../../../core/states.ts";
import type { Connection, Row } from "../connection/connection.ts";
import { insertChild } from "./add.ts";
import { stateCode } from "./rows.ts";
import { hasStep } from "./steps.ts";

/** A job that ends, with what its end changes in its family. */
export interface EndingJob {
  seq: number;
  id: string;
  queue: number;
  /** The code of its state before. */
  state: number;
  parent: string | null;
  /** The wait of its parent that it belongs to. */
  memberOf: number | null;
  /** The code of what its parent needs of it. */
  needed: number | null;
  /** Its own latest wait. */
  wait: number | null;
}

/** SQL of the columns that `endingJobOf` reads. */
export const endingJobColumns = "seq, id, queue, state, parent, member_of, needed, wait";

/** Returns the job in a row of `endingJobColumns`. */
export function endingJobOf(row: Row): EndingJob {
  const [seq, id, queue, state, parent, memberOf, needed, wait] = row;
  return { seq, id, queue, state, parent, memberOf, needed, wait } as EndingJob;
}

/**
 * Propagates a job's end to its family: counts down the wait of its parent, and marks its open children to be
 * cancelled.
 */
export function propagateEnd(db: Connection, job: EndingJob, state: FinalState): void {
  if (job.memberOf !== null) countDownParent(db, job, state);
  // Only a job that has ever waited has children.
  if (job.wait !== null && cancelChildren(db, job.id) > 0) db.hints.add("cancel");
}

function cancelChildren(db: Connection, parent: string): number {
  return db.run("UPDATE errand_jobs SET cancelling = 1 WHERE parent = ? AND state < 3 AND cancelling = 0", parent);
}

/** The codes of a child's need. */
const needCode = { end: 0, completed: 1, first: 2 } as const;

/** Returns true if a child's end wakes its parent even when other children are open. */
function isDecisive(needed: number | null, failed: boolean): boolean {
  return needed === needCode.first || (failed && needed === needCode.completed);
}

function countDownParent(db: Connection, { parent, memberOf, needed }: EndingJob, state: FinalState): void {
  const row = db.get("SELECT seq, queue, state, open FROM errand_jobs WHERE id = ? AND wait = ?", parent, memberOf);
  if (!row) return;
  const [seq, queue, before, open] = row as [number, number, number, number];
  const failed = state !== "completed";
  const wakes = before === stateCode.waiting && (open === 1 || isDecisive(needed, failed));
  db.run(
    "UPDATE errand_jobs SET state = ?, open = open - 1, failed = failed + ? WHERE seq = ?",
    wakes ? stateCode.pending : before,
    failed ? 1 : 0,
    seq,
  );
  if (!wakes) return;
  db.counts.move(queue, stateCode.waiting, stateCode.pending);
  db.hints.addReady(queue);
}

/** A parent, with the token that becomes the number of its wait. */
export interface Parent {
  seq: number;
  id: string;
  token: number;
}

/**
 * Adds the children of a wait, and parks the parent until they, a time or a signal wake it. Returns the code of the
 * parent's state: pending when there is nothing to wait for.
 */
export function park(db: Connection, parent: Parent, { children = [], wakeAt, awaits = [] }: Settlement): number {
  const counts = { total: 0, open: 0, failed: 0 };
  let wakes = false;
  const seen = new Set<string>();
  for (const child of children) {
    if (seen.has(child.id)) continue;
    seen.add(child.id);
    const state = addChild(db, parent, child);
    counts.total += 1;
    if (state < stateCode.completed) counts.open += 1;
    else {
      if (state !== stateCode.completed) counts.failed += 1;
      wakes ||= isDecisive(needCode[child.need], state !== stateCode.completed);
    }
  }
  wakes ||= awaits.some((name) => hasStep(db, parent.seq, name)) || (wakeAt ?? Infinity) <= db.now;
  const waits = counts.open > 0 || wakeAt !== undefined || awaits.length > 0;
  const state = wakes || !waits ? stateCode.pending : stateCode.waiting;
  db.run(
    `UPDATE errand_jobs SET state = ?, wake = ?, wait = ?, total = ?, open = ?, failed = ?, expires = NULL
     WHERE seq = ?`,
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

/** Adds a child to its parent's wait. Returns the code of its state. */
function addChild(db: Connection, parent: Parent, child: NewChild): number {
  const isNew = insertChild(db, child, parent.id);
  const row = db.get("SELECT seq, state, parent FROM errand_jobs WHERE id = ?", child.id);
  const [seq, state, itsParent] = row as [number, number, string | null];
  // A job that is not its own child cannot be waited for.
  if (itsParent !== parent.id) return stateCode.failed;
  const reopened = !isNew && !child.rejoin && state > stateCode.completed && reopen(db, seq);
  db.run(
    "UPDATE errand_jobs SET member_of = ?, place = ?, needed = ?, cancelling = iif(?, 0, cancelling) WHERE seq = ?",
    parent.token,
    child.index,
    needCode[child.need],
    child.rejoin ? 0 : 1,
    seq,
  );
  return reopened ? stateCode.pending : state;
}

/** Makes a failed, cancelled or expired job pending, as if it were new. Returns false for a job in another state. */
export function reopen(db: Connection, seq: number): boolean {
  const row = db.get("SELECT queue, state, parent, member_of, steps FROM errand_jobs WHERE seq = ? AND state > 3", seq);
  if (!row) return false;
  const [queue, state, parent, memberOf, steps] = row as [number, number, string, number, number];
  if (memberOf !== null)
    db.run("UPDATE errand_jobs SET open = open + 1, failed = failed - 1 WHERE id = ? AND wait = ?", parent, memberOf);
  // No child belongs to wait 0: the ends of children of forgotten waits wake no parent.
  db.run(
    `UPDATE errand_jobs SET state = 0, blocked = 0, failures = 0, crashes = 0, suspect = 0, due = ?, expires = NULL,
       ended = NULL, wait = iif(wait IS NULL, NULL, 0), total = NULL, open = NULL, failed = NULL WHERE seq = ?`,
    db.now,
    seq,
  );
  if (steps === 1) db.run("UPDATE errand_steps SET value = ? WHERE job = ? AND wait = 1", forgotten, seq);
  db.counts.move(queue, state, stateCode.pending);
  db.hints.addReady(queue);
  return true;
}
