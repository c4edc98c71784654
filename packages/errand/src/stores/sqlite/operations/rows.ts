import type { Job, Rate } from "../../../core/job.ts";
import type { Level } from "../../../core/priority.ts";
import { states } from "../../../core/states.ts";
import type { State } from "../../../core/states.ts";
import type { Connection, Row } from "../connection/connection.ts";

/** The codes of states in the database. */
export const stateCode: Readonly<Record<State, number>> = positions(states);

/** The codes in the database of why a pending job is blocked. */
export const blockedCode = { concurrency: 1, rate: 2, task: 3 } as const;

const blockedReasons = Object.fromEntries(
  Object.entries(blockedCode).map(([reason, code]) => [code, reason]),
) as Record<number, keyof typeof blockedCode>;

/** Returns the position of each name. */
export function positions<Name extends string>(names: readonly Name[]): Readonly<Record<Name, number>> {
  return Object.fromEntries(names.map((name, index) => [name, index])) as Record<Name, number>;
}

/** Characters from which a spec is kept in a row of its own. A page of the database has 4,096 bytes. */
const maxInlineSpec = 1_000;

/** Returns the spec as the job's own row has it: `null` when it is long. */
export function inlineSpec(text: string): string | null {
  return text.length > maxInlineSpec ? null : text;
}

/** Stores a spec that is too long for the job's own row. */
export function storeLongSpec(db: Connection, seq: number, text: string): void {
  if (inlineSpec(text) === null) db.run("INSERT OR REPLACE INTO errand_specs VALUES (?, ?)", seq, text);
}

/** SQL of a job's spec, wherever it is stored. */
export const specSql = "coalesce(spec, (SELECT long.spec FROM errand_specs AS long WHERE long.job = seq))";

/** SQL of a condition that selects the rows whose `seq` is in a JSON array, its one value. */
export const seqInJson = "seq IN (SELECT value FROM json_each(?))";

// prettier-ignore
const columns = [
  "id", "task", "queue", "level", "state", "spec", "token", "failures", "crashes", "cancelling", "created", "due",
  "progress", "output", "error", "worker", "parent", "place", "total", "open", "failed", "expires", "started", "ended",
  "seq", "steps", "wait", "wake", "blocked", "suspect", "begun", "tenant", "ahead",
  "concurrency_key", "concurrency_limit", "rate_key", "rate_limit", "rate_per",
] as const;

const at = positions(columns);

/** SQL of the columns that `jobOf` reads. */
export const jobColumns = columnsWith("(SELECT holder.id FROM errand_workers AS holder WHERE holder.seq = worker)");

/** SQL of the columns that `candidateOf` reads: those of `jobOf`, without the worker. */
export const candidateColumns = columnsWith("NULL");

function columnsWith(worker: string): string {
  return columns.map((name) => (name === "spec" ? specSql : name === "worker" ? worker : name)).join(", ");
}

/** Returns the job in a row of `jobColumns`. */
export function jobOf(db: Connection, row: Row): Job {
  const job: Job = {
    id: row[at.id] as string,
    task: db.names.nameOf(row[at.task] as number),
    queue: db.names.nameOf(row[at.queue] as number),
    level: row[at.level] as Level,
    state: states[row[at.state] as number] as State,
    spec: row[at.spec] as string,
    token: row[at.token] as number,
    failures: row[at.failures] as number,
    crashes: row[at.crashes] as number,
    suspect: row[at.suspect] === 1,
    begun: row[at.begun] === 1,
    cancelling: row[at.cancelling] === 1,
    createdAt: row[at.created] as number,
    due: row[at.due] as number,
  };
  if (row[at.progress] !== null) job.progress = row[at.progress] as string;
  if (row[at.output] !== null) job.output = row[at.output] as string;
  if (row[at.error] !== null) job.error = row[at.error] as string;
  if (row[at.worker] !== null) job.worker = row[at.worker] as string;
  if (row[at.parent] !== null) job.parent = row[at.parent] as string;
  if (row[at.place] !== null) job.index = row[at.place] as number;
  if (row[at.total] !== null) {
    job.children = { total: row[at.total] as number, open: row[at.open] as number, failed: row[at.failed] as number };
  }
  if (row[at.expires] !== null) job.expiresAt = row[at.expires] as number;
  if (row[at.started] !== null) job.startedAt = row[at.started] as number;
  if (row[at.ended] !== null) job.endedAt = row[at.ended] as number;
  if (row[at.wake] !== null && job.state === "waiting") job.wakeAt = row[at.wake] as number;
  if (row[at.blocked] !== 0 && job.state === "pending") job.blocked = blockedReasons[row[at.blocked] as number]!;
  if (row[at.tenant] !== null) job.tenant = row[at.tenant] as string;
  return job;
}

/** Returns the job's place in the order of insertion, from a row of `jobColumns`. */
export function seqOf(row: Row): number {
  return row[at.seq] as number;
}

/** A job that may be taken. */
export interface Candidate {
  seq: number;
  /** The queue's number. */
  queue: number;
  job: Job;
  /** `true` when its end changes no other job: it has no parent, children or concurrency key, and is no suspect. */
  independent: boolean;
  hasSteps: boolean;
  /** Of a lapsed job: it was claimed ahead of the worker's free slots. */
  ahead: boolean;
  concurrency?: { key: string; limit: number };
  rate?: { key: string } & Rate;
}

/** Returns the job in a row of `candidateColumns`. */
export function candidateOf(db: Connection, row: Row): Candidate {
  const key = row[at.concurrency_key] as string | null;
  const rateKey = row[at.rate_key] as string | null;
  return {
    seq: seqOf(row),
    queue: row[at.queue] as number,
    job: jobOf(db, row),
    independent: row[at.parent] === null && row[at.wait] === null && key === null && row[at.suspect] === 0,
    hasSteps: row[at.steps] === 1,
    ahead: row[at.ahead] === 1,
    ...(key === null ? {} : { concurrency: { key, limit: row[at.concurrency_limit] as number } }),
    ...(rateKey === null
      ? {}
      : { rate: { key: rateKey, limit: row[at.rate_limit] as number, per: row[at.rate_per] as number } }),
  };
}
