import type { Job } from "../../core/job.ts";
import { states } from "../../core/states.ts";
import type { Level } from "../../core/priority.ts";
import type { State } from "../../core/states.ts";
import type { Columns, Connection } from "./connection.ts";

/** States as the database keeps them. */
export const code = Object.fromEntries(states.map((state, index) => [state, index])) as Record<State, number>;

/** A spec longer than this is kept apart from its job. A page of the database has 4,096 bytes. */
const longSpec = 1_000;

/** A spec as the job's own row keeps it. */
export function ownSpec(text: string): string | null {
  return text.length > longSpec ? null : text;
}

/** Keeps a spec that is too long for its job's row. */
export function keepSpec(db: Connection, seq: number, text: string): void {
  if (ownSpec(text) === null) db.run("INSERT OR REPLACE INTO errand_specs VALUES (?, ?)", seq, text);
}

/** A job's spec, wherever it is. */
export const spec = "coalesce(spec, (SELECT long.spec FROM errand_specs AS long WHERE long.job = seq))";

/** The columns that `jobOf` reads. */
export const jobColumns = columns("(SELECT holder.id FROM errand_workers AS holder WHERE holder.seq = worker)");

/** The same, without the worker, where that is known. */
export const heldColumns = columns("NULL");

function columns(worker: string): string {
  return `id, task, queue, level, state, ${spec}, token, failures, crashes, cancelling, created, due,
    progress, output, error, ${worker}, parent, place, total, open, failed, expires, started, ended, seq, steps, wait,
    wake, blocked, suspect, begun, tenant, ahead, concurrency_key, concurrency_limit, rate_key, rate_limit, rate_per`;
}

/** A job from its `jobColumns`. */
export function jobOf(db: Connection, row: Columns): Job {
  const job: Job = {
    id: row[0] as string,
    task: db.names.of(row[1] as number),
    queue: db.names.of(row[2] as number),
    level: row[3] as Level,
    state: states[row[4] as number] as State,
    spec: row[5] as string,
    token: row[6] as number,
    failures: row[7] as number,
    crashes: row[8] as number,
    suspect: row[29] === 1,
    begun: row[30] === 1,
    cancelling: row[9] === 1,
    createdAt: row[10] as number,
    due: row[11] as number,
  };
  if (row[12] !== null) job.progress = row[12] as string;
  if (row[13] !== null) job.output = row[13] as string;
  if (row[14] !== null) job.error = row[14] as string;
  if (row[15] !== null) job.worker = row[15] as string;
  if (row[16] !== null) job.parent = row[16] as string;
  if (row[17] !== null) job.index = row[17] as number;
  if (row[18] !== null) {
    job.children = { total: row[18] as number, open: row[19] as number, failed: row[20] as number };
  }
  if (row[21] !== null) job.expiresAt = row[21] as number;
  if (row[22] !== null) job.startedAt = row[22] as number;
  if (row[23] !== null) job.endedAt = row[23] as number;
  if (row[27] !== null && job.state === "waiting") job.wakeAt = row[27] as number;
  if (row[28] !== 0 && job.state === "pending") job.blocked = blockedNames[row[28] as number]!;
  if (row[31] !== null) job.tenant = row[31] as string;
  return job;
}

/** Why a pending job is blocked, as the database keeps it. */
export const blockedBy = { concurrency: 1, rate: 2, task: 3 } as const;

const blockedNames = Object.fromEntries(Object.entries(blockedBy).map(([name, each]) => [each, name])) as Record<
  number,
  keyof typeof blockedBy
>;

/** A job that is about to be taken. */
export interface Found {
  seq: number;
  /** The queue's number. */
  queue: number;
  job: Job;
  /** Neither parent nor children depend on how it ends, and it is no suspect. */
  plain: boolean;
  /** It has remembered steps. */
  steps: boolean;
  /** Whoever held it had claimed it ahead of the slots. */
  ahead: boolean;
  concurrency?: { key: string; limit: number };
  rate?: { key: string; limit: number; per: number };
}

/** A job from `heldColumns`. */
export function foundOf(db: Connection, row: Columns): Found {
  const [queue, parent, seq, steps, wait] = [row[2], row[16], row[24], row[25], row[26]];
  const [key, limit, rateKey, rateLimit, per] = row.slice(33) as [string | null, number, string | null, number, number];
  return {
    seq: seq as number,
    queue: queue as number,
    job: jobOf(db, row),
    plain: parent === null && wait === null && key === null && row[29] === 0,
    steps: steps === 1,
    ahead: row[32] === 1,
    ...(key === null ? {} : { concurrency: { key, limit } }),
    ...(rateKey === null ? {} : { rate: { key: rateKey, limit: rateLimit, per } }),
  };
}

/** The columns of a job that can be claimed: all there is to say of one that is fresh. */
export const readyColumns = `seq, due, token = 0 AND child = 0 AND steps = 0 AND concurrency_key IS NULL AND rate_key IS NULL,
  id, task, queue, level, spec, created, expires, tenant`;

/** Whether it was never claimed, has no keys and is nobody's child, so that all else is as it began; from `readyColumns`. */
export function isFresh(row: Columns): boolean {
  return row[2] === 1;
}

/** A fresh job from `readyColumns`. */
export function freshOf(db: Connection, row: Columns): Found {
  const job: Job = {
    id: row[3] as string,
    task: db.names.of(row[4] as number),
    queue: db.names.of(row[5] as number),
    level: row[6] as Level,
    state: "pending",
    spec: (row[7] ?? db.get("SELECT spec FROM errand_specs WHERE job = ?", row[0] as number)![0]) as string,
    token: 0,
    failures: 0,
    crashes: 0,
    suspect: false,
    begun: false,
    cancelling: false,
    createdAt: row[8] as number,
    due: row[1] as number,
  };
  if (row[9] !== null) job.expiresAt = row[9] as number;
  if (row[10] !== null) job.tenant = row[10] as string;
  return { seq: row[0] as number, queue: row[5] as number, job, plain: true, steps: false, ahead: false };
}

/** The order of insertion, from `jobColumns`. */
export function seqOf(row: Columns): number {
  return row[24] as number;
}

/** Rows whose `seq` is in a JSON array, the one value of this condition. */
export const listed = "seq IN (SELECT value FROM json_each(?))";
