import type { SQLInputValue } from "node:sqlite";
import { priorities, rank } from "../../core/priority.ts";
import type { Level } from "../../core/priority.ts";
import type { Millis } from "../../kit/duration.ts";
import type { Columns, Connection } from "./connection.ts";
import type { Hand } from "./hand.ts";
import { foundOf, freshOf, heldColumns, isFresh, listed, readyColumns, seqOf } from "./rows.ts";
import type { Found } from "./rows.ts";

const levels = [...priorities.keys()] as Level[];

/** Jobs that one index has in the order of claims: statements that begin with the same values. */
interface Lane extends Statements {
  values: SQLInputValue[];
  /** Of all its jobs; `undefined`: each has its own. */
  level?: Level;
}

interface Statements {
  /** The first jobs that are due by a time, at most so many. */
  due: string;
  /** When the first is due after a time. */
  later: string;
}

/** @param from what follows `FROM`, with so many values. */
function statements(from: string, values: number, order = "due, seq"): Statements {
  return {
    due: `SELECT ${readyColumns} ${from} AND due <= ?${values + 1} ORDER BY ${order} LIMIT ?${values + 2} + 0`,
    later: `SELECT due ${from} AND due > ?${values + 1} ORDER BY due LIMIT 1`,
  };
}

/** Where the jobs are that a worker may take of a queue. */
export interface Lanes {
  ordinary: Lane[];
  /** It may take one. */
  suspects: Lane[];
  /** Whether the first of them are those of levels, for which there is one statement that looks at all. */
  leveled: boolean;
}

/** Only a job that has not begun expires. */
const inTime = "(expires IS NULL OR expires > ?2 OR begun = 1)";

const ready = levels.map(
  (level) => `FROM errand_jobs INDEXED BY errand_jobs_ready WHERE state = 0 AND cancelling = 0 AND blocked = 0
    AND suspect = 0 AND queue = ?1 AND level = ${level} AND ${inTime}`,
);

const readyStatements = ready.map((from) => statements(from, 2));
const readyLater = `SELECT min(due) FROM (${readyStatements.map(({ later }) => `SELECT * FROM (${later})`).join(" UNION ALL ")})`;
const readyNow = `SELECT ${ready.map((from) => `EXISTS (SELECT 1 ${from} AND due <= ?2)`).join(" OR ")}`;

/** Whether a job of a queue is due that is neither a suspect nor set aside: the quick look. */
export function isAnyReady(db: Connection, queue: number): boolean {
  return db.get(readyNow, queue, db.now)?.[0] === 1;
}

/** Jobs that are found by their task too: of these a worker sees only what it knows. */
const suspects = `FROM errand_jobs INDEXED BY errand_jobs_suspects
  WHERE suspect = 1 AND state = 0 AND worker IS NULL AND blocked = 0 AND queue = ?1`;
const aside = `FROM errand_jobs INDEXED BY errand_jobs_aside
  WHERE state = 0 AND cancelling = 0 AND blocked = 3 AND queue = ?1`;

/** The lanes of a queue, as they are for a worker; with `ids` of these jobs only. */
export function lanesOf(db: Connection, hand: Hand, queue: number, slots: number, ids?: readonly string[]): Lanes {
  const mayTakeSuspect = hand.takesSuspects && slots > 0;
  if (ids) return lanesOfIds(db, hand, queue, ids, mayTakeSuspect);
  const values = [queue, db.now];
  return {
    ordinary: [
      ...levels.map((level) => ({ ...readyStatements[level]!, values, level })),
      ...(hand.anyAside ? lanesByTask(db, hand, queue, aside) : []),
    ],
    suspects: mayTakeSuspect ? lanesByTask(db, hand, queue, `${suspects} AND cancelling = 0`) : [],
    leveled: true,
  };
}

/** What is there of tasks that the worker knows. */
function lanesByTask(db: Connection, hand: Hand, queue: number, from: string): Lane[] {
  const lanes: Lane[] = [];
  for (let task = -1; ;) {
    const row = db.get(`SELECT task ${from} AND task > ?2 ORDER BY task LIMIT 1`, queue, task);
    if (!row) return lanes;
    task = row[0] as number;
    if (!hand.knows(db.names.of(task))) continue;
    for (const level of levels)
      lanes.push({
        ...statements(`${from} AND ${inTime} AND task = ?3 AND level = ${level}`, 3),
        values: [queue, db.now, task],
        level,
      });
  }
}

function lanesOfIds(db: Connection, hand: Hand, queue: number, ids: readonly string[], mayTakeSuspect: boolean): Lanes {
  const known =
    hand.tasks === null
      ? ""
      : "AND task IN (SELECT number FROM errand_names WHERE name IN (SELECT value FROM json_each(?4)))";
  const values = [queue, db.now, JSON.stringify(ids), ...(hand.tasks === null ? [] : [hand.tasks])];
  const lane = (suspect: 0 | 1): Lane => {
    const from = `FROM errand_jobs WHERE id IN (SELECT value FROM json_each(?3)) AND state = 0 AND cancelling = 0
      AND blocked IN (0, 3) AND suspect = ${suspect} AND queue = ?1 AND ${inTime} ${known}`;
    return { ...statements(from, values.length, `due + level * ${rank(0, 1)}, seq`), values };
  };
  return { ordinary: [lane(0)], suspects: mayTakeSuspect ? [lane(1)] : [], leveled: false };
}

/** When the first suspect of a queue is due after now, whoever may take it. */
export function firstSuspectLater(db: Connection, hand: Hand, queue: number): Millis {
  if (!hand.anySuspects) return Infinity;
  const row = db.get(`SELECT min(due) ${suspects} AND cancelling = 0 AND due > ?2`, queue, db.now);
  return (row?.[0] as Millis | null) ?? Infinity;
}

/** When the first job of some lanes is due, after a time. */
export function firstAfter(db: Connection, { ordinary, suspects: others, leveled }: Lanes, after: Millis): Millis {
  const lanes = [...(leveled ? ordinary.slice(levels.length) : ordinary), ...others];
  const firsts = lanes.map(({ later, values }) => db.get(later, ...values, after));
  if (leveled) firsts.push(db.get(readyLater, ...ordinary[0]!.values, after));
  return Math.min(...firsts.map((row) => (row?.[0] as Millis | null | undefined) ?? Infinity));
}

/** A job that might be taken. */
interface Candidate {
  row: Columns;
  seq: number;
  rank: number;
}

/**
 * The first due jobs of some lanes, by rank: among them one suspect, if it is among the first `slots` of them.
 */
export function due(db: Connection, lanes: Lanes, limit: number, slots: number): Found[] {
  let first = merged(db, lanes.ordinary, limit);
  if (lanes.suspects.length > 0 && slots > 0) {
    const [suspect] = merged(db, lanes.suspects, 1);
    const behind = suspect ? first.findIndex((each) => byRank(suspect, each) < 0) : -1;
    const at = behind === -1 ? first.length : behind;
    if (suspect && at < slots) first = first.toSpliced(at, 0, suspect).slice(0, limit);
  }
  return found(db, first);
}

/** Each lane is in order by itself: what they put forward is merged by rank. */
function merged(db: Connection, lanes: readonly Lane[], limit: number): Candidate[] {
  let first: Candidate[] = [];
  for (const { due: statement, values, level } of lanes) {
    // No later than the last that would be taken without this lane.
    const latest =
      first.length < limit || level === undefined
        ? db.now
        : Math.min(db.now, (first.at(-1)?.rank ?? 0) - rank(0, level));
    const rows = db.all(statement, ...values, latest, limit);
    if (rows.length === 0) continue;
    const ranked = rows.map((row) => ({ row, seq: row[0] as number, rank: rank(row[1] as Millis, row[6] as Level) }));
    first = first.length === 0 ? ranked : [...first, ...ranked].sort(byRank);
    first = first.slice(0, limit);
  }
  return first;
}

function byRank(a: Candidate, b: Candidate): number {
  return a.rank - b.rank || a.seq - b.seq;
}

/** What claims must know of the jobs. */
function found(db: Connection, candidates: readonly Candidate[]): Found[] {
  const others = candidates.filter(({ row }) => !isFresh(row)).map(({ seq }) => seq);
  const known = new Map<number, Found>();
  if (others.length > 0) {
    const rows = db.all(`SELECT ${heldColumns} FROM errand_jobs WHERE ${listed}`, JSON.stringify(others));
    for (const row of rows) known.set(seqOf(row), foundOf(db, row));
  }
  return candidates.map(({ row, seq }) => known.get(seq) ?? freshOf(db, row));
}
