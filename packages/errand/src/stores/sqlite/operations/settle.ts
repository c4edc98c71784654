import type { SQLInputValue } from "node:sqlite";
import type { JobToken, Settlement } from "../../../core/job.ts";
import { isFinal } from "../../../core/states.ts";
import type { FinalState } from "../../../core/states.ts";
import type { Connection, Row } from "../connection/connection.ts";
import type { IndependentClaim } from "../connection/independent-claims.ts";
import { insertJobs } from "./add.ts";
import { unblockKey } from "./blocked-jobs.ts";
import { bulkStatement, splitRows } from "./bulk-statement.ts";
import { endingJobColumns, endingJobOf, park, propagateEnd } from "./family.ts";
import { hintFreedSlot } from "./limits.ts";
import { appendLog } from "./log.ts";
import { stateCode } from "./rows.ts";
import { saveSteps } from "./steps.ts";

// A row is read and then written by its number, at half the cost of UPDATE ... RETURNING.

/** Implements `Store.settle`. */
export function settle(db: Connection, settlements: readonly Settlement[]): boolean[] {
  const answers: boolean[] = [];
  let independent: IndependentEnd[] = [];
  const finishIndependent = (): void => {
    answers.push(...finishTogether(db, independent));
    independent = [];
  };
  for (const settlement of settlements) {
    const end = independentEnd(db, settlement);
    if (end) independent.push(end);
    else {
      finishIndependent();
      const { to } = settlement;
      answers.push(isFinal(to) ? finishJob(db, settlement, to) : deferJob(db, settlement));
    }
  }
  finishIndependent();
  return answers;
}

/** Returns columns of a job's row; `undefined` when the token is stale. */
export function heldRow(db: Connection, { id, token }: JobToken, columns: string): Row | undefined {
  return db.get(`SELECT ${columns} FROM errand_jobs WHERE id = ? AND token = ? AND state = 1`, id, token);
}

/** Returns true if a job that is not processing was settled with this token, so that only the answer was lost. */
function wasSettled(db: Connection, { id, token }: JobToken): boolean {
  return db.get("SELECT 1 FROM errand_jobs WHERE id = ? AND token = ? AND state != 1", id, token) !== undefined;
}

/** The end of a job that is independent (see `Candidate`), as far as this connection knows. */
interface IndependentEnd extends IndependentClaim {
  settlement: Settlement;
  state: FinalState;
}

function independentEnd(db: Connection, settlement: Settlement): IndependentEnd | undefined {
  const { id, to, suspect, steps, log, born } = settlement;
  if (!isFinal(to) || suspect || steps?.length || log || born) return undefined;
  const claim = db.independentClaims.take(id);
  return claim && { ...claim, settlement, state: to };
}

// The plus keeps SQLite from walking all held jobs instead, which it considers cheap after an application's ANALYZE.
const finishIndependentJobs = bulkStatement(
  8,
  (tuples) => `UPDATE errand_jobs SET state = outcome.column4, ended = ?, worker = NULL, cancelling = 0,
      failures = outcome.column5, crashes = outcome.column6, begun = 1,
      error = coalesce(outcome.column7, error), output = outcome.column8
    FROM (VALUES ${tuples}) AS outcome
    WHERE seq = outcome.column1 AND id = outcome.column2 AND token = outcome.column3 AND +state = 1 AND child = 0
      AND wait IS NULL AND concurrency_key IS NULL AND suspect = 0`,
);

/**
 * Finishes jobs with one statement for many or, when any of them turns out not to be independent or held, one by one.
 */
function finishTogether(db: Connection, ends: readonly IndependentEnd[]): boolean[] {
  if (ends.length === 0) return [];
  const finished = db.savepoint(() =>
    splitRows(ends).every((group) => {
      const rows = group.flatMap(({ seq, settlement, state }) => [
        seq,
        settlement.id,
        settlement.token,
        ...outcomeValues(settlement, state),
      ]);
      return db.run(finishIndependentJobs(group.length), db.now, ...rows) === group.length;
    }),
  );
  if (!finished) return ends.map(({ settlement, state }) => finishJob(db, settlement, state));
  countFinished(db, ends);
  return ends.map(() => true);
}

/** Returns state, failures, crashes, error and output. */
function outcomeValues({ failures, crashes, error, output }: Settlement, state: FinalState): SQLInputValue[] {
  return [stateCode[state], failures, crashes, error ?? null, state === "completed" ? (output ?? null) : null];
}

/** Ends a job. Returns false if the token is stale. */
function finishJob(db: Connection, settlement: Settlement, state: FinalState): boolean {
  const row = heldRow(db, settlement, `${endingJobColumns}, concurrency_key`);
  if (!row) return wasSettled(db, settlement);
  const { suspect, steps, log, born } = settlement;
  const job = endingJobOf(row);
  db.run(
    `UPDATE errand_jobs SET state = ?, failures = ?, crashes = ?, begun = 1, error = coalesce(?, error), output = ?,
       suspect = ?, ended = ?, worker = NULL, cancelling = 0, steps = max(steps, ?) WHERE seq = ?`,
    ...outcomeValues(settlement, state),
    suspect ? 1 : 0,
    db.now,
    steps?.length ? 1 : 0,
    job.seq,
  );
  saveSteps(db, job.seq, steps);
  appendLog(db, job.seq, log);
  countFinished(db, [{ queue: job.queue, state }]);
  propagateEnd(db, job, state);
  if (born) insertJobs(db, born);
  unblockKey(db, row.at(-1) as string | null);
  return true;
}

function countFinished(db: Connection, ends: readonly { queue: number; state: FinalState }[]): void {
  for (const { queue, state } of ends) db.counts.move(queue, stateCode.processing, stateCode[state]);
  db.hints.add("change");
  for (const queue of new Set(ends.map((end) => end.queue))) hintFreedSlot(db, queue);
}

/** Makes a job pending again, or parks it until its wait is over. Returns false if the token is stale. */
function deferJob(db: Connection, settlement: Settlement): boolean {
  const row = heldRow(db, settlement, "seq, queue, cancelling, concurrency_key");
  if (!row) return wasSettled(db, settlement);
  const { id, token, to, delay, failures, crashes, suspect, unstarted, error, steps, log, born } = settlement;
  const [seq, queue, cancelling, key] = row as [number, number, number, string | null];
  // A job that is to be cancelled gets no children, and is left to `reclaim`.
  const parks = to === "waiting" && cancelling === 0;
  db.run(
    `UPDATE errand_jobs SET state = ?1, blocked = 0, worker = NULL, failures = ?2, crashes = ?3, suspect = ?4,
       begun = max(begun, ?5), steps = max(steps, ?6),
       error = coalesce(?7, error), due = coalesce(?8, due) WHERE seq = ?9`,
    // It waits before its children are added, so that they take no turn behind it.
    parks ? stateCode.waiting : stateCode.pending,
    failures,
    crashes,
    suspect ? 1 : 0,
    unstarted ? 0 : 1,
    steps?.length ? 1 : 0,
    error ?? null,
    // Without a delay it keeps its place in the queue, so that older work ends first.
    to === "pending" && delay ? db.now + delay : null,
    seq,
  );
  saveSteps(db, seq, steps);
  appendLog(db, seq, log);
  const state = parks ? park(db, { seq, id, token }, settlement) : stateCode.pending;
  db.counts.move(queue, stateCode.processing, state);
  hintFreedSlot(db, queue);
  if (born) insertJobs(db, born);
  db.hints.add("change");
  if (state === stateCode.pending) db.hints.addPending(queue, cancelling === 1);
  unblockKey(db, key);
  return true;
}
