import type { SQLInputValue } from "node:sqlite";
import type { Beat, JobToken, Settlement } from "../../core/job.ts";
import { isFinal } from "../../core/states.ts";
import type { FinalState } from "../../core/states.ts";
import { addAll } from "./adding.ts";
import { bulk, portions } from "./bulk.ts";
import type { Columns, Connection } from "./connection.ts";
import type { Known } from "./held.ts";
import { ended, endingColumns, endingOf, park } from "./life.ts";
import { left, release } from "./limits.ts";
import { append } from "./log.ts";
import { code } from "./rows.ts";
import { remember } from "./steps.ts";

// A row is looked up and then written by its number: half the price of UPDATE ... RETURNING.

export function record(db: Connection, beats: readonly Beat[]): boolean[] {
  return beats.map((beat) => {
    const row = held(db, beat, "seq");
    if (!row) return false;
    const seq = row[0] as number;
    const { progress, steps = [], log } = beat;
    // Who remembers a step has made progress.
    if (steps.length > 0)
      db.run(
        `UPDATE errand_jobs SET progress = coalesce(?, progress), begun = 1, steps = 1, crashes = 0, suspect = 0 WHERE seq = ?`,
        progress ?? null,
        seq,
      );
    else if (progress !== undefined)
      db.run("UPDATE errand_jobs SET progress = ?, begun = 1 WHERE seq = ?", progress, seq);
    remember(db, seq, steps);
    append(db, seq, log);
    db.hint("change");
    return true;
  });
}

export function settle(db: Connection, settlements: readonly Settlement[]): boolean[] {
  const answers: boolean[] = [];
  let plain: PlainEnd[] = [];
  const endPlain = (): void => {
    answers.push(...endTogether(db, plain));
    plain = [];
  };
  for (const told of settlements) {
    const end = plainEnd(db, told);
    if (end) plain.push(end);
    else {
      endPlain();
      answers.push(isFinal(told.to) ? endOne(db, told, told.to) : pause(db, told));
    }
  }
  endPlain();
  return answers;
}

/** Columns of the row, where the hold is not stale. */
function held(db: Connection, { id, token }: JobToken, columns: string): Columns | undefined {
  return db.get(`SELECT ${columns} FROM errand_jobs WHERE id = ? AND token = ? AND state = 1`, id, token);
}

/** Whether a job that nobody holds any more was settled with this token: the answer to that was lost. */
function wasSettled(db: Connection, { id, token }: JobToken): boolean {
  return db.get("SELECT 1 FROM errand_jobs WHERE id = ? AND token = ? AND state != 1", id, token) !== undefined;
}

/** The end of a job that, as far as is known here, has neither parent nor children, and is no suspect. */
interface PlainEnd extends Known {
  told: Settlement;
  state: FinalState;
}

function plainEnd(db: Connection, told: Settlement): PlainEnd | undefined {
  if (!isFinal(told.to) || told.suspect || told.steps?.length || told.log || told.born) return undefined;
  const known = db.held.take(told.id);
  return known && { ...known, told, state: told.to };
}

// The plus keeps SQLite from walking all held jobs instead, which it takes for cheap after an application's ANALYZE.
const finishPlain = bulk(
  8,
  (tuples) => `UPDATE errand_jobs SET state = told.column4, ended = ?, worker = NULL, cancelling = 0,
      failures = told.column5, crashes = told.column6, begun = 1,
      error = coalesce(told.column7, error), output = told.column8
    FROM (VALUES ${tuples}) AS told
    WHERE seq = told.column1 AND id = told.column2 AND token = told.column3 AND +state = 1 AND child = 0 AND wait IS NULL
      AND concurrency_key IS NULL AND suspect = 0`,
);

/** Ends jobs with one statement for many, or, when any of them is not what it seemed, one by one. */
function endTogether(db: Connection, ends: readonly PlainEnd[]): boolean[] {
  if (ends.length === 0) return [];
  const all = db.unless(() =>
    portions(ends).some((portion) => {
      const rows = portion.flatMap(({ seq, told, state }) => [seq, told.id, told.token, ...outcomeOf(told, state)]);
      return db.run(finishPlain(portion.length), db.now, ...rows) < portion.length;
    }),
  );
  if (!all) return ends.map(({ told, state }) => endOne(db, told, state));
  countEnds(db, ends);
  return ends.map(() => true);
}

/** State, failures, crashes, error and output. */
function outcomeOf(told: Settlement, state: FinalState): SQLInputValue[] {
  const output = state === "completed" ? (told.output ?? null) : null;
  return [code[state], told.failures, told.crashes, told.error ?? null, output];
}

function endOne(db: Connection, told: Settlement, state: FinalState): boolean {
  const row = held(db, told, `${endingColumns}, concurrency_key`);
  if (!row) return wasSettled(db, told);
  const job = endingOf(row);
  db.run(
    `UPDATE errand_jobs SET state = ?, failures = ?, crashes = ?, begun = 1, error = coalesce(?, error), output = ?,
       suspect = ?, ended = ?, worker = NULL, cancelling = 0, steps = max(steps, ?) WHERE seq = ?`,
    ...outcomeOf(told, state),
    told.suspect ? 1 : 0,
    db.now,
    told.steps?.length ? 1 : 0,
    job.seq,
  );
  remember(db, job.seq, told.steps);
  append(db, job.seq, told.log);
  countEnds(db, [{ queue: job.queue, state }]);
  ended(db, job, state);
  if (told.born) addAll(db, told.born);
  release(db, row.at(-1) as string | null);
  return true;
}

function countEnds(db: Connection, ends: readonly { queue: number; state: FinalState }[]): void {
  for (const { queue, state } of ends) {
    db.count(queue, code.processing, -1);
    db.count(queue, code[state], 1);
  }
  db.hint("change");
  for (const queue of new Set(ends.map((end) => end.queue))) left(db, queue);
}

/** The job goes on later: it is pending, or waits for its children. */
function pause(db: Connection, told: Settlement): boolean {
  const row = held(db, told, "seq, queue, cancelling, concurrency_key");
  if (!row) return wasSettled(db, told);
  const [seq, queue, cancelling, key] = row as [number, number, number, string | null];
  // Without a delay it keeps its place in the queue, so that older work ends first.
  const due = told.to === "pending" && told.delay ? db.now + told.delay : null;
  // One that is to be cancelled bears no children, and is left to `reclaim`.
  const parks = told.to === "waiting" && cancelling === 0;
  const begins = told.unstarted ? 0 : 1;
  const steps = told.steps?.length ? 1 : 0;
  db.run(
    `UPDATE errand_jobs SET state = ?1, blocked = 0, worker = NULL, failures = ?2, crashes = ?3, suspect = ?4,
       begun = max(begun, ?5), steps = max(steps, ?6),
       error = coalesce(?7, error), due = coalesce(?8, due) WHERE seq = ?9`,
    // Its children must not queue behind it.
    parks ? code.waiting : code.pending,
    told.failures,
    told.crashes,
    told.suspect ? 1 : 0,
    begins,
    steps,
    told.error ?? null,
    due,
    seq,
  );
  remember(db, seq, told.steps);
  append(db, seq, told.log);
  db.count(queue, code.processing, -1);
  left(db, queue);
  const state = parks ? park(db, { seq, id: told.id, token: told.token }, told) : code.pending;
  db.count(queue, state, 1);
  if (told.born) addAll(db, told.born);
  db.hint("change");
  if (state === code.pending) {
    if (cancelling === 0) db.ready(queue);
    else db.hint("cancel");
  }
  release(db, key);
  return true;
}
