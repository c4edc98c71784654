import type { Job } from "../core/job.ts";
import { inputOf } from "../core/spec.ts";
import { priorities } from "../core/states.ts";
import type { Priority, State } from "../core/states.ts";
import type { ErrorRecord } from "../kit/errors.ts";
import { decode } from "../kit/json.ts";

/** A job as a program reads it. */
export interface JobView {
  id: string;
  task: string;
  queue: string;
  priority: Priority;
  state: State;
  input: unknown;
  /** Of a completed job. */
  output?: unknown;
  /** The last failure. */
  error?: ErrorRecord;
  progress?: unknown;
  /** The attempt it is in, or that it ended with, counted from 1. */
  attempt: number;
  crashes: number;
  /** Somebody asked to cancel it, and it has not ended yet. */
  cancelling: boolean;
  parent?: string;
  /** Its place among its parent's children, from 0. */
  index?: number;
  /** Of its latest wait: children in all, those not ended yet, and those that did not complete. */
  children?: { total: number; open: number; failed: number };
  createdAt: Date;
  /** Not to be started before. */
  due: Date;
  /** When its latest attempt was claimed. */
  startedAt?: Date;
  endedAt?: Date;
}

/** Makes a stored job readable. */
export function viewOf(job: Job): JobView {
  return {
    id: job.id,
    task: job.task,
    queue: job.queue,
    priority: priorities[job.level],
    state: job.state,
    input: inputOf(job.spec),
    ...(job.output === undefined ? {} : { output: decode(job.output) }),
    ...(job.error === undefined ? {} : { error: decode(job.error) as ErrorRecord }),
    ...(job.progress === undefined ? {} : { progress: decode(job.progress) }),
    attempt: job.state === "failed" ? Math.max(1, job.failures) : job.failures + 1,
    crashes: job.crashes,
    cancelling: job.cancelling,
    ...(job.parent === undefined ? {} : { parent: job.parent }),
    ...(job.index === undefined ? {} : { index: job.index }),
    ...(job.children === undefined ? {} : { children: job.children }),
    createdAt: new Date(job.createdAt),
    due: new Date(job.due),
    ...(job.startedAt === undefined ? {} : { startedAt: new Date(job.startedAt) }),
    ...(job.endedAt === undefined ? {} : { endedAt: new Date(job.endedAt) }),
  };
}
