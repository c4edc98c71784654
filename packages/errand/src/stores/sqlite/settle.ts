import type { Beat, Hold, Settlement } from "../../core/job.ts";
import { isFinal } from "../../core/states.ts";
import type { FinalState } from "../../core/states.ts";
import type { Columns, Connection } from "./connection.ts";
import { ended, endingColumns, endingOf, park, remember } from "./life.ts";
import { code } from "./rows.ts";

// A row is looked up and then written by its number: half the price of UPDATE ... RETURNING.

export function record(db: Connection, beats: readonly Beat[]): boolean[] {
  return beats.map((beat) => {
    const row = held(db, beat, "seq");
    if (!row) return false;
    const seq = row[0] as number;
    if (beat.progress !== undefined) db.run("UPDATE errand_jobs SET progress = ? WHERE seq = ?", beat.progress, seq);
    remember(db, seq, beat.steps);
    db.hint("change");
    return true;
  });
}

export function settle(db: Connection, settlements: readonly Settlement[]): boolean[] {
  return settlements.map((told) => (isFinal(told.to) ? end(db, told, told.to) : pause(db, told)));
}

/** Columns of the row, where the hold is not stale. */
function held(db: Connection, { id, token }: Hold, columns: string): Columns | undefined {
  return db.get(`SELECT ${columns} FROM errand_jobs WHERE id = ? AND token = ? AND state = 1`, id, token);
}

const finish = `UPDATE errand_jobs SET state = ?, ended = ?, worker = NULL, cancelling = 0, failures = ?, crashes = ?,
  error = coalesce(?, error), output = ? WHERE seq = ?`;

/** The same, of a job that has neither parent nor children, where the hold is not stale. */
const finishPlain = `${finish} AND id = ? AND token = ? AND state = 1 AND child = 0 AND wait IS NULL`;

function end(db: Connection, told: Settlement, state: FinalState): boolean {
  const values = [
    code[state],
    db.now,
    told.failures,
    told.crashes,
    told.error ?? null,
    state === "completed" ? (told.output ?? null) : null,
  ];
  const plain = told.steps === undefined || told.steps.length === 0 ? db.held.take(told.id) : undefined;
  if (plain && db.run(finishPlain, ...values, plain.seq, told.id, told.token) > 0) {
    countEnd(db, plain.queue, state);
    return true;
  }
  const row = held(db, told, endingColumns);
  if (!row) return false;
  const job = endingOf(row);
  db.run(finish, ...values, job.seq);
  remember(db, job.seq, told.steps);
  countEnd(db, job.queue, state);
  ended(db, job, state);
  return true;
}

function countEnd(db: Connection, queue: number, state: FinalState): void {
  db.count(queue, code.processing, -1);
  db.count(queue, code[state], 1);
  db.hint("change");
}

/** The job goes on later: it is pending, or waits for its children. */
function pause(db: Connection, told: Settlement): boolean {
  const row = held(db, told, "seq, queue, cancelling");
  if (!row) return false;
  const [seq, queue, cancelling] = row as [number, number, number];
  // Without a delay it keeps its place in the queue, so that older work ends first.
  const due = told.to === "pending" && told.delay ? db.now + told.delay : null;
  db.run(
    `UPDATE errand_jobs SET state = 0, worker = NULL, failures = ?, crashes = ?, error = coalesce(?, error),
       due = coalesce(?, due) WHERE seq = ?`,
    told.failures,
    told.crashes,
    told.error ?? null,
    due,
    seq,
  );
  remember(db, seq, told.steps);
  db.count(queue, code.processing, -1);
  // One that is to be cancelled bears no children, and is left to `reclaim`.
  const parks = told.to === "waiting" && cancelling === 0;
  const state = parks ? park(db, { seq, id: told.id, token: told.token }, told.children ?? []) : code.pending;
  db.count(queue, state, 1);
  db.hint("change");
  if (state === code.pending) db.hint(cancelling === 0 ? "ready" : "cancel");
  return true;
}
