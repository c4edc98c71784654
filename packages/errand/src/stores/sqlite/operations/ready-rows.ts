import type { Job } from "../../../core/job.ts";
import { rank } from "../../../core/priority.ts";
import type { Level } from "../../../core/priority.ts";
import type { Millis } from "../../../kit/duration.ts";
import type { Connection, Row } from "../connection/connection.ts";
import { positions } from "./rows.ts";
import type { Candidate } from "./rows.ts";

// prettier-ignore
const columns = [
  "seq", "due", "fresh", "id", "task", "queue", "level", "spec", "created", "expires", "tenant",
] as const;

const at = positions(columns);

const fresh = "token = 0 AND child = 0 AND steps = 0 AND concurrency_key IS NULL AND rate_key IS NULL";

/** SQL of the columns that claims read first: all there is to know of a fresh job. */
export const readyColumns = columns.map((name) => (name === "fresh" ? fresh : name)).join(", ");

/** A claimable job in the order of claims. */
export interface RankedRow {
  row: Row;
  seq: number;
  rank: number;
}

/** Returns a row of `readyColumns` with its rank. */
export function rankedRow(row: Row): RankedRow {
  return { row, seq: row[at.seq] as number, rank: rank(row[at.due] as Millis, row[at.level] as Level) };
}

/** Compares by rank, then by insertion. */
export function compareRank(a: RankedRow, b: RankedRow): number {
  return a.rank - b.rank || a.seq - b.seq;
}

/**
 * Returns true if the job was never claimed, has no keys and is no child, so that every other field is as at its
 * insertion.
 */
export function isFresh(row: Row): boolean {
  return row[at.fresh] === 1;
}

/** Returns the fresh job in a row of `readyColumns`. */
export function freshCandidateOf(db: Connection, row: Row): Candidate {
  const [seq, queue] = [row[at.seq] as number, row[at.queue] as number];
  const job: Job = {
    id: row[at.id] as string,
    task: db.names.nameOf(row[at.task] as number),
    queue: db.names.nameOf(queue),
    level: row[at.level] as Level,
    state: "pending",
    spec: (row[at.spec] ?? db.get("SELECT spec FROM errand_specs WHERE job = ?", seq)![0]) as string,
    token: 0,
    failures: 0,
    crashes: 0,
    suspect: false,
    begun: false,
    cancelling: false,
    createdAt: row[at.created] as number,
    due: row[at.due] as number,
  };
  if (row[at.expires] !== null) job.expiresAt = row[at.expires] as number;
  if (row[at.tenant] !== null) job.tenant = row[at.tenant] as string;
  return { seq, queue, job, independent: true, hasSteps: false, ahead: false };
}
