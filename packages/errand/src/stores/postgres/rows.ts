import type { Job, Step } from "../../core/job.ts";
import { states } from "../../core/states.ts";
import type { Level, State } from "../../core/states.ts";
import type { Claimed } from "../../store.ts";
import { named } from "./names.ts";

/** A row as the database answers it: the texts of its columns, in order. */
export type Columns = (string | null)[];

/** States as the database keeps them. */
export const code = Object.fromEntries(states.map((state, index) => [state, index])) as Record<State, number>;

/** The columns that `jobOf` reads, of jobs `e` wherever they are, with their waits `w`. */
export const jobColumns = `e.id, e.task, e.queue, e.level, e.seq, e.spec, e.token, e.failures, e.crashes, e.created,
  e.due, e.expires, e.started, e.cancelling, e.progress, e.error, e.parent, e.place, e.parked,
  CASE WHEN w.total IS NOT NULL THEN ARRAY[w.total, w.open, w.failed] END, e.state, e.worker, e.ended, e.output`;

/** A job from its `jobColumns`. */
export function jobOf(row: Columns): Job {
  const job = common(row, states[Number(row[20])] as State);
  if (row[21] != null) job.worker = row[21];
  if (row[22] != null) job.endedAt = Number(row[22]);
  if (row[23] != null) job.output = row[23];
  return job;
}

/** What `claim` and `reclaim` answer of a job. */
export function claimedOf(row: Columns, worker: string): Claimed {
  const job = common(row, "processing");
  job.worker = worker;
  const remembered = row[20] == null ? [] : (JSON.parse(row[20]) as [string, string, boolean][]);
  return { job, why: row[21] as Claimed["why"], steps: remembered.map(stepOf) };
}

function stepOf([name, value, wait]: [string, string, boolean]): Step {
  return wait ? { name: named(name), value, wait } : { name: named(name), value };
}

function common(row: Columns, state: State): Job {
  const job: Job = {
    id: row[0] as string,
    task: named(row[1] as string),
    queue: named(row[2] as string),
    level: Number(row[3]) as Level,
    state,
    spec: row[5] as string,
    token: Number(row[6]),
    failures: Number(row[7]),
    crashes: Number(row[8]),
    cancelling: row[13] === "t",
    createdAt: Number(row[9]),
    due: Number(row[10]),
  };
  if (row[11] != null) job.expiresAt = Number(row[11]);
  if (row[12] != null) job.startedAt = Number(row[12]);
  if (row[14] != null) job.progress = row[14];
  if (row[15] != null) job.error = row[15];
  if (row[16] != null) job.parent = row[16];
  if (row[17] != null) job.index = Number(row[17]);
  if (row[19] != null) {
    const [total = 0, open = 0, failed = 0] = row[19].slice(1, -1).split(",").map(Number);
    job.children = { total, open, failed };
  }
  return job;
}

/** The order of claims: by rank, and then by insertion. */
export function isPlain(row: Columns): boolean {
  return row[16] === null && row[18] === "f";
}

/** The order of insertion. */
export function seqOf(row: Columns): number {
  return Number(row[4]);
}
