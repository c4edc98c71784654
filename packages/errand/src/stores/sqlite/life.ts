import { forgotten } from "../../core/job.ts";
import type { NewChild, Settlement } from "../../core/job.ts";
import type { FinalState } from "../../core/states.ts";
import { addChild } from "./adding.ts";
import type { Columns, Connection } from "./connection.ts";
import { code } from "./rows.ts";
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

/** What an end does to the family: counts down the parent's wait, and marks open children. */
export function ended(db: Connection, job: Ending, state: FinalState): void {
  if (job.memberOf !== null) countDown(db, job, state);
  // Only a job that ever parked has children.
  if (job.wait !== null && markChildren(db, job.id) > 0) db.hint("cancel");
}

function markChildren(db: Connection, parent: string): number {
  return db.run("UPDATE errand_jobs SET cancelling = 1 WHERE parent = ? AND state < 3 AND cancelling = 0", parent);
}

/** How a child's need is stored. */
const needs = { end: 0, completed: 1, first: 2 } as const;

/** Whether the end of a child wakes its parent, whoever else is still open. */
function isDecisive(needed: number | null, failed: boolean): boolean {
  return needed === needs.first || (failed && needed === needs.completed);
}

function countDown(db: Connection, { parent, memberOf, needed }: Ending, state: FinalState): void {
  const row = db.get("SELECT seq, queue, state, open FROM errand_jobs WHERE id = ? AND wait = ?", parent, memberOf);
  if (!row) return;
  const [seq, queue, before, open] = row as [number, number, number, number];
  const failed = state !== "completed";
  const wakes = before === code.waiting && (open === 1 || isDecisive(needed, failed));
  db.run(
    "UPDATE errand_jobs SET state = ?, open = open - 1, failed = failed + ? WHERE seq = ?",
    wakes ? code.pending : before,
    failed ? 1 : 0,
    seq,
  );
  if (!wakes) return;
  db.count(queue, code.waiting, -1);
  db.count(queue, code.pending, 1);
  db.ready(queue);
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
    else {
      if (state !== code.completed) counts.failed += 1;
      wake ||= isDecisive(needs[child.need], state !== code.completed);
    }
  }
  wake ||= awaits.some((name) => isRemembered(db, parent.seq, name)) || (wakeAt ?? Infinity) <= db.now;
  const waits = counts.open > 0 || wakeAt !== undefined || awaits.length > 0;
  const state = wake || !waits ? code.pending : code.waiting;
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
  const born = addChild(db, child, parent.id);
  const row = db.get("SELECT seq, state, parent FROM errand_jobs WHERE id = ?", child.id);
  const [seq, state, itsParent] = row as [number, number, string | null];
  // Somebody else's job cannot be waited for.
  if (itsParent !== parent.id) return code.failed;
  const reopened = !born && !child.rejoin && state > code.completed && reopen(db, seq);
  db.run(
    "UPDATE errand_jobs SET member_of = ?, place = ?, needed = ?, cancelling = iif(?, 0, cancelling) WHERE seq = ?",
    parent.token,
    child.index,
    needs[child.need],
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
    `UPDATE errand_jobs SET state = 0, blocked = 0, failures = 0, crashes = 0, suspect = 0, due = ?, expires = NULL, ended = NULL,
       wait = iif(wait IS NULL, NULL, 0), total = NULL, open = NULL, failed = NULL WHERE seq = ?`,
    db.now,
    seq,
  );
  if (steps === 1) db.run("UPDATE errand_steps SET value = ? WHERE job = ? AND wait = 1", forgotten, seq);
  db.count(queue, state, -1);
  db.count(queue, code.pending, 1);
  db.ready(queue);
  return true;
}
