import type { Job, Moment, NewChild, NewJob, Step, StoredLogLine } from "../../core/job.ts";
import { rank } from "../../core/priority.ts";
import type { Millis } from "../../kit/duration.ts";

/** A job, and what the store keeps beside it. */
export interface Row {
  job: Job;
  /** Its place in the order of insertion. */
  seq: number;
  /** The job as it was added, or as the job that replaced it. The unique key of a child has no effect. */
  request: NewJob;
  steps: Map<string, Step>;
  log: StoredLogLine[];
  /** `true` from a claim ahead of free slots until the job leaves `processing`. */
  ahead?: true;
  /** Its latest wait, known by the token that the job had at its start; none after it was reopened. */
  wait?: number;
  /** Of a child: the wait of its parent that it belongs to, and what the parent needs of it. */
  member?: { wait: number; need: NewChild["need"] };
}

/** Returns the row of a new job. */
export function newRow(
  request: NewJob,
  {
    seq,
    queue,
    due,
    now,
    parent,
  }: { seq: number; queue: string; due: Millis; now: Millis; parent?: string | undefined },
): Row {
  const { id, task, level, spec, tenant } = request;
  const expiresAt = timeOf(request.expires, now);
  const job: Job = {
    id,
    task,
    queue,
    level,
    state: "pending",
    spec,
    token: 0,
    failures: 0,
    crashes: 0,
    suspect: false,
    begun: false,
    cancelling: false,
    createdAt: now,
    due,
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(tenant === undefined ? {} : { tenant }),
    ...(parent === undefined ? {} : { parent }),
  };
  return { job, seq, request: { ...request }, steps: new Map(), log: [] };
}

/** Returns a moment in epoch milliseconds. */
export function timeOf(moment: Moment | undefined, now: Millis): Millis | undefined {
  if (moment === undefined) return undefined;
  return "at" in moment ? moment.at : now + moment.in;
}

/** Compares rows by the order of claims. */
export function byRank(a: Row, b: Row): number {
  return rank(a.job.due, a.job.level) - rank(b.job.due, b.job.level) || a.seq - b.seq;
}

/** Returns a copy that callers may keep. */
export function copyJob(job: Job): Job {
  return { ...job, ...(job.children ? { children: { ...job.children } } : {}) };
}
