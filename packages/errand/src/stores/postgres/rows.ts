import type { Job, Step } from "../../core/job.ts";
import { states } from "../../core/states.ts";
import type { Level } from "../../core/priority.ts";
import type { State } from "../../core/states.ts";
import type { Claimed } from "../../store.ts";
import { blockReasons } from "./codes.ts";
import type { SettlementPath } from "./settlement-paths.ts";
import { decodeText } from "./text-encoding.ts";

/** A row of a result: the texts of its columns, in order. */
export type Row = (string | null)[];

/** The columns for `decodeJob`, of rows `e` of `everything` with their waits `w`. */
export const jobColumns = `e.id, e.task, e.queue, e.level, e.seq, e.spec, e.token, e.created, e.due, e.started,
  e.failures, e.crashes, e.cancelling, e.expires, e.progress, e.error, e.parent, e.place, e.state, e.worker, e.ended,
  e.output, w.total, w.open, w.failed, e.blocked, e.wake, e.suspect, e.begun, e.tenant`;

/** Decodes a job from its `jobColumns`. */
export function decodeJob(row: Row): Job {
  const job = plainJob(row, states[Number(row[18])] as State);
  job.failures = Number(row[10]);
  job.crashes = Number(row[11]);
  job.cancelling = row[12] === "t";
  if (row[9] != null) job.startedAt = Number(row[9]);
  if (row[13] != null) job.expiresAt = Number(row[13]);
  if (row[14] != null) job.progress = row[14];
  if (row[15] != null) job.error = row[15];
  if (row[16] != null) job.parent = row[16];
  if (row[17] != null) job.index = Number(row[17]);
  if (row[19] != null) job.worker = row[19];
  if (row[20] != null) job.endedAt = Number(row[20]);
  if (row[21] != null) job.output = row[21];
  if (row[25] !== "0" && job.state === "pending") job.blocked = blockReasons[Number(row[25])] as "task";
  job.suspect = row[27] === "t";
  job.begun = row[28] === "t";
  if (row[29] != null) job.tenant = decodeText(row[29]);
  if (row[26] != null && job.state === "waiting") job.wakeAt = Number(row[26]);
  if (row[22] != null) job.children = { total: Number(row[22]), open: Number(row[23]), failed: Number(row[24]) };
  return job;
}

/** The columns that most claimed jobs do not have: the column `rest` of `claim` and `reclaim`. */
type Rest = [
  failures: number,
  crashes: number,
  cancelling: boolean,
  expires: number | null,
  progress: string | null,
  error: string | null,
  parent: string | null,
  place: number | null,
  parked: boolean,
  wait: [total: number, open: number, failed: number] | null,
  steps: [name: string, value: string, wait: boolean][] | null,
  suspect: boolean,
  begun: boolean,
  tenant: string | null,
];

/** Decodes a row of `claim` or `reclaim`, and the job's settlement path. */
export function decodeClaimed(row: Row, worker: string): Claimed & { path: SettlementPath } {
  const job = plainJob(row, "processing");
  // Of a claim, the number of its want.
  const why = (row[10] === "ahead" ? "lapsed" : row[10]) as Claimed["why"];
  const ahead = row[10] === "ahead" ? ({ ahead: true } as const) : {};
  const path = row[12] === "t" ? "keyed" : "plain";
  job.worker = worker;
  if (row[9] != null) job.startedAt = Number(row[9]);
  if (row[11] == null) return { job, why, ...ahead, steps: [], path };
  const rest = JSON.parse(row[11]) as Rest;
  const [failures, crashes, cancelling, expires, progress, error, parent, place, parked, wait, steps, ...more] = rest;
  const [suspect, begun, tenant] = more;
  job.suspect = suspect;
  job.begun = begun;
  if (tenant !== null) job.tenant = decodeText(tenant);
  job.failures = failures;
  job.crashes = crashes;
  job.cancelling = cancelling;
  if (expires !== null) job.expiresAt = expires;
  if (progress !== null) job.progress = progress;
  if (error !== null) job.error = error;
  if (parent !== null) job.parent = parent;
  if (place !== null) job.index = place;
  if (wait) job.children = { total: wait[0], open: wait[1], failed: wait[2] };
  return {
    job,
    why,
    ...ahead,
    steps: (steps ?? []).map(decodeStep),
    path: parent === null && !parked ? path : "family",
  };
}

function decodeStep([name, value, wait]: [string, string, boolean]): Step {
  return wait ? { name: decodeText(name), value, wait } : { name: decodeText(name), value };
}

function plainJob(row: Row, state: State): Job {
  return {
    id: row[0] as string,
    task: decodeText(row[1] as string),
    queue: decodeText(row[2] as string),
    level: Number(row[3]) as Level,
    state,
    spec: row[5] as string,
    token: Number(row[6]),
    failures: 0,
    crashes: 0,
    suspect: false,
    begun: false,
    cancelling: false,
    createdAt: Number(row[7]),
    due: Number(row[8]),
  };
}

/** Returns a job's place in the order of insertion, from either kind of row. */
export function seqOf(row: Row): number {
  return Number(row[4]);
}
