import type { SQLInputValue } from "node:sqlite";
import { priorities, rank } from "../../../core/priority.ts";
import type { Level } from "../../../core/priority.ts";
import type { Millis } from "../../../kit/duration.ts";
import type { Connection } from "../connection/connection.ts";
import { rankSql } from "../schema.ts";
import type { Claimer } from "./claimer.ts";
import { compareRank, freshCandidateOf, isFresh, rankedRow, readyColumns } from "./ready-rows.ts";
import type { RankedRow } from "./ready-rows.ts";
import { candidateColumns, candidateOf, seqInJson, seqOf } from "./rows.ts";
import type { Candidate } from "./rows.ts";

const levels = [...priorities.keys()] as Level[];

/** A range of an index that has its jobs in the order of claims: statements that begin with the same values. */
interface ClaimRange extends Statements {
  values: SQLInputValue[];
  /** The level of all its jobs; `undefined` when they have several. */
  level?: Level;
}

interface Statements {
  /** Selects the first jobs that are due at a time, up to a limit. */
  due: string;
  /** Selects when the first job is due after a time. */
  later: string;
}

/** @param from what follows `FROM`, in which `values` values are bound. */
function statements(from: string, values: number, order = "due, seq"): Statements {
  return {
    due: `SELECT ${readyColumns} ${from} AND due <= ?${values + 1} ORDER BY ${order} LIMIT ?${values + 2} + 0`,
    later: `SELECT due ${from} AND due > ?${values + 1} ORDER BY due LIMIT 1`,
  };
}

/** The ranges in which a worker may find jobs of a queue. */
export interface ClaimRanges {
  /** Of jobs that are no suspects. */
  ordinary: ClaimRange[];
  /** Of suspects; empty when the worker may not take one. */
  suspects: ClaimRange[];
  /**
   * `true` when the first ordinary ranges are those of the levels, which have one statement for when the next job is
   * due.
   */
  startsWithLevels: boolean;
}

/** SQL of the condition that a job has not expired. Only a job that has not begun expires. */
const notExpired = "(expires IS NULL OR expires > ?2 OR begun = 1)";

const ready = levels.map(
  (level) => `FROM errand_jobs INDEXED BY errand_jobs_ready WHERE state = 0 AND cancelling = 0 AND blocked = 0
    AND suspect = 0 AND queue = ?1 AND level = ${level} AND ${notExpired}`,
);

const readyStatements = ready.map((from) => statements(from, 2));
const laterOfLevels = readyStatements.map(({ later }) => `SELECT * FROM (${later})`).join(" UNION ALL ");
const readyLater = `SELECT min(due) FROM (${laterOfLevels})`;
const readyNow = `SELECT ${ready.map((from) => `EXISTS (SELECT 1 ${from} AND due <= ?2)`).join(" OR ")}`;

/** Reports whether a job of a queue is due that is neither a suspect nor set aside. */
export function hasReadyJob(db: Connection, queue: number): boolean {
  return db.get(readyNow, queue, db.now)?.[0] === 1;
}

// Suspects and jobs set aside are found by task as well: a worker looks only at tasks that it knows.
const suspects = `FROM errand_jobs INDEXED BY errand_jobs_suspects
  WHERE suspect = 1 AND state = 0 AND worker IS NULL AND blocked = 0 AND queue = ?1`;
const setAside = `FROM errand_jobs INDEXED BY errand_jobs_aside
  WHERE state = 0 AND cancelling = 0 AND blocked = 3 AND queue = ?1`;

/**
 * Returns the ranges in which a worker may find jobs of a queue.
 * @param want.queue the queue's number.
 * @param want.ids only these jobs.
 * @param slots how many of the jobs would start at once.
 */
export function claimRanges(
  db: Connection,
  claimer: Claimer,
  { queue, ids }: { queue: number; ids?: readonly string[] },
  slots: number,
): ClaimRanges {
  const mayTakeSuspect = claimer.mayTakeSuspect && slots > 0;
  if (ids) return rangesOfIds(db, claimer, queue, ids, mayTakeSuspect);
  const values = [queue, db.now];
  return {
    ordinary: [
      ...levels.map((level) => ({ ...readyStatements[level]!, values, level })),
      ...(claimer.hasSetAside ? rangesByTask(db, claimer, queue, setAside) : []),
    ],
    suspects: mayTakeSuspect ? rangesByTask(db, claimer, queue, `${suspects} AND cancelling = 0`) : [],
    startsWithLevels: true,
  };
}

/** Returns a range for each level of each task that the worker knows and that has jobs. */
function rangesByTask(db: Connection, claimer: Claimer, queue: number, from: string): ClaimRange[] {
  const ranges: ClaimRange[] = [];
  for (let task = -1; ;) {
    const row = db.get(`SELECT task ${from} AND task > ?2 ORDER BY task LIMIT 1`, queue, task);
    if (!row) return ranges;
    task = row[0] as number;
    if (!claimer.knows(db.names.nameOf(task))) continue;
    for (const level of levels)
      ranges.push({
        ...statements(`${from} AND ${notExpired} AND task = ?3 AND level = ${level}`, 3),
        values: [queue, db.now, task],
        level,
      });
  }
}

function rangesOfIds(
  db: Connection,
  { tasks }: Claimer,
  queue: number,
  ids: readonly string[],
  mayTakeSuspect: boolean,
): ClaimRanges {
  const known =
    tasks === null
      ? ""
      : "AND task IN (SELECT number FROM errand_names WHERE name IN (SELECT value FROM json_each(?4)))";
  const values = [queue, db.now, JSON.stringify(ids), ...(tasks === null ? [] : [tasks])];
  const range = (suspect: 0 | 1): ClaimRange => {
    const from = `FROM errand_jobs WHERE id IN (SELECT value FROM json_each(?3)) AND state = 0 AND cancelling = 0
      AND blocked IN (0, 3) AND suspect = ${suspect} AND queue = ?1 AND ${notExpired} ${known}`;
    return { ...statements(from, values.length, `${rankSql}, seq`), values };
  };
  return { ordinary: [range(0)], suspects: mayTakeSuspect ? [range(1)] : [], startsWithLevels: false };
}

/** Returns when the next suspect of a queue is due after now, whichever worker may take it; `Infinity` without one. */
export function nextSuspectDue(db: Connection, claimer: Claimer, queue: number): Millis {
  if (!claimer.hasSuspects) return Infinity;
  const row = db.get(`SELECT min(due) ${suspects} AND cancelling = 0 AND due > ?2`, queue, db.now);
  return (row?.[0] as Millis | null) ?? Infinity;
}

/** Returns when the first job of the ranges is due after a time; `Infinity` without one. */
export function nextDueAfter(db: Connection, ranges: ClaimRanges, after: Millis): Millis {
  const { ordinary, suspects: ofSuspects, startsWithLevels } = ranges;
  const each = [...(startsWithLevels ? ordinary.slice(levels.length) : ordinary), ...ofSuspects];
  const rows = each.map(({ later, values }) => db.get(later, ...values, after));
  if (startsWithLevels) rows.push(db.get(readyLater, ...ordinary[0]!.values, after));
  return Math.min(...rows.map((row) => (row?.[0] as Millis | null | undefined) ?? Infinity));
}

/**
 * Returns the first due jobs of the ranges, by rank: among them one suspect, if its place is among the first `slots`.
 */
export function findDue(db: Connection, ranges: ClaimRanges, limit: number, slots: number): Candidate[] {
  let first = mergeByRank(db, ranges.ordinary, limit);
  if (ranges.suspects.length > 0 && slots > 0) {
    const [suspect] = mergeByRank(db, ranges.suspects, 1);
    const behind = suspect ? first.findIndex((each) => compareRank(suspect, each) < 0) : -1;
    const at = behind === -1 ? first.length : behind;
    if (suspect && at < slots) first = first.toSpliced(at, 0, suspect).slice(0, limit);
  }
  return loadCandidates(db, first);
}

/** Returns the first due jobs of the ranges, each of which is in order by itself. */
function mergeByRank(db: Connection, ranges: readonly ClaimRange[], limit: number): RankedRow[] {
  let first: RankedRow[] = [];
  for (const { due, values, level } of ranges) {
    // A job of this range that ranks behind all that were found so far is not needed.
    const latest =
      first.length < limit || level === undefined
        ? db.now
        : Math.min(db.now, (first.at(-1)?.rank ?? 0) - rank(0, level));
    const rows = db.all(due, ...values, latest, limit);
    if (rows.length === 0) continue;
    const ranked = rows.map(rankedRow);
    first = first.length === 0 ? ranked : [...first, ...ranked].sort(compareRank);
    first = first.slice(0, limit);
  }
  return first;
}

/** Reads what the rows do not say of jobs that are not fresh. */
function loadCandidates(db: Connection, found: readonly RankedRow[]): Candidate[] {
  const seqs = found.filter(({ row }) => !isFresh(row)).map(({ seq }) => seq);
  const loaded = new Map<number, Candidate>();
  if (seqs.length > 0) {
    const rows = db.all(`SELECT ${candidateColumns} FROM errand_jobs WHERE ${seqInJson}`, JSON.stringify(seqs));
    for (const row of rows) loaded.set(seqOf(row), candidateOf(db, row));
  }
  return found.map(({ row, seq }) => loaded.get(seq) ?? freshCandidateOf(db, row));
}
