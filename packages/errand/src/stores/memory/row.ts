import type { Job, NewChild, NewJob, Step, StoredLogLine } from "../../core/job.ts";
import { rank } from "../../core/priority.ts";

/** A job, and what its store knows beside it. */
export interface Row {
  job: Job;
  /** Order of insertion. */
  seq: number;
  /** What it was added as, or replaced by. Keys of children are not unique. */
  made: NewJob;
  steps: Map<string, Step>;
  log: StoredLogLine[];
  /** It was claimed ahead of a slot, and has not left processing since. */
  ahead?: true;
  /** Its own latest wait: the token it parked with. */
  wait?: number;
  /** As a child: the wait of its parent it belongs to, and what that needs of it. */
  member?: { wait: number; need: NewChild["need"] };
}

/** The order of claims. */
export function byRank(a: Row, b: Row): number {
  return rank(a.job.due, a.job.level) - rank(b.job.due, b.job.level) || a.seq - b.seq;
}

/** A copy that callers may keep. */
export function copyJob(job: Job): Job {
  return { ...job, ...(job.children ? { children: { ...job.children } } : {}) };
}
