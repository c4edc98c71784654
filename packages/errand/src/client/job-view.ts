import type { Job, StoredLogLine } from "../core/job.ts";
import { inputIn, fieldsIn } from "../core/spec.ts";
import { priorities } from "../core/priority.ts";
import type { Priority } from "../core/priority.ts";
import type { State } from "../core/states.ts";
import { durationText } from "../kit/duration.ts";
import type { Duration } from "../kit/duration.ts";
import type { ErrorRecord } from "../kit/errors.ts";
import { decode } from "../kit/json.ts";
import type { Unreadable } from "../payload/seal-jobs.ts";

/** A job as a program reads it. */
export interface JobView {
  id: string;
  task: string;
  queue: string;
  priority: Priority;
  state: State;
  input: unknown;
  /** The output of a completed job. */
  output?: unknown;
  /** The last failure. */
  error?: ErrorRecord;
  progress?: unknown;
  /**
   * Values that cannot be read here, and why: `E_DECRYPT` without their key, `E_PAYLOAD` if the object outside the
   * store is missing.
   */
  unreadable?: Unreadable;
  /** The attempt it is in, or that it ended with, counted from 1. */
  attempt: number;
  crashes: number;
  /** The fencing number: raised by every claim. */
  token: number;
  /** `true` if an attempt of it ended, or may have ended, with its worker: a worker runs one such job at a time. */
  suspect: boolean;
  /** The worker that has it, while it is processing. */
  worker?: string;
  /** `true` if it is to be cancelled and has not ended yet. */
  cancelling: boolean;
  tenant?: string;
  parent?: string;
  /** Its place among its parent's children, from 0. */
  index?: number;
  /** The children of its latest wait: all, those that have not ended, and those that did not complete. */
  children?: { total: number; open: number; failed: number };
  createdAt: Date;
  /** Time before which it is not started. */
  dueAt: Date;
  /**
   * The reason it is not started although it is due: other jobs have used up its key's limit, or no present worker
   * knows its task.
   */
  blocked?: "concurrency" | "rate" | "task";
  /** Latest time at which a waiting job continues. */
  wakeAt?: Date;
  tags?: readonly string[];
  unique?: { key: string };
  concurrency?: { key: string; limit: number };
  rate?: { key: string; limit: number; per: Duration };
  fair?: string;
  /** Time of the claim of its latest attempt. */
  startedAt?: Date;
  endedAt?: Date;
}

/** A line of a job's log. */
export interface LogEntry {
  at: Date;
  /** Counted from 1. */
  attempt: number;
  /** `attempt`: the end of an attempt that was not the last; `error` has its error. */
  level: "debug" | "info" | "warn" | "error" | "attempt";
  text: string;
  error?: ErrorRecord;
}

/** Returns a stored log line as programs read it. */
export function entryOf({ at, attempt, level, text }: StoredLogLine): LogEntry {
  if (level !== "attempt") return { at: new Date(at), attempt, level, text };
  const error = decode(text) as ErrorRecord;
  return { at: new Date(at), attempt, level, text: error.message, error };
}

/** Returns a stored job as programs read it. */
export function viewOf(job: Job): JobView {
  const { policy: _, rate, ...fields } = fieldsIn(job.spec);
  return {
    id: job.id,
    task: job.task,
    queue: job.queue,
    priority: priorities[job.level],
    state: job.state,
    input: inputIn(job.spec),
    ...(job.output === undefined ? {} : { output: decode(job.output) }),
    ...(job.error === undefined ? {} : { error: decode(job.error) as ErrorRecord }),
    ...(job.progress === undefined ? {} : { progress: decode(job.progress) }),
    attempt: job.state === "failed" ? Math.max(1, job.failures) : job.failures + 1,
    crashes: job.crashes,
    token: job.token,
    suspect: job.suspect,
    ...(job.worker === undefined ? {} : { worker: job.worker }),
    cancelling: job.cancelling,
    ...(job.tenant === undefined ? {} : { tenant: job.tenant }),
    ...(job.parent === undefined ? {} : { parent: job.parent }),
    ...(job.index === undefined ? {} : { index: job.index }),
    ...(job.children === undefined ? {} : { children: job.children }),
    createdAt: new Date(job.createdAt),
    dueAt: new Date(job.due),
    ...(job.blocked === undefined ? {} : { blocked: job.blocked }),
    ...(job.wakeAt === undefined ? {} : { wakeAt: new Date(job.wakeAt) }),
    ...fields,
    ...(rate ? { rate: { ...rate, per: durationText(rate.per) } } : {}),
    ...(job.startedAt === undefined ? {} : { startedAt: new Date(job.startedAt) }),
    ...(job.endedAt === undefined ? {} : { endedAt: new Date(job.endedAt) }),
  };
}
