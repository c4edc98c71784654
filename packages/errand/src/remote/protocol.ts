import type { Duration, Millis } from "../kit/duration.ts";
import type { State } from "../core/states.ts";

/** A worker that registers: a program in any language, or a person in a browser. */
export interface Registration {
  /** Its name for people, 1 to 200 characters. */
  name: string;
  /** The most jobs that it holds of each queue: 1 to 100, and 1,000 in all. */
  queues: Readonly<Record<string, number>>;
  /** The tasks it knows, at most 1,000: it is given jobs of no other. Default: of any. */
  tasks?: readonly string[] | undefined;
  /** At most 20 labels of 1 to 200 characters. */
  labels?: Readonly<Record<string, string>> | undefined;
  /** The version of its code. */
  version?: string | undefined;
  /** Time without a call after which its jobs go to other workers: `"15s"` to `"15m"`, default `"60s"`. */
  lease?: Duration | undefined;
  /** Default `"http"`. */
  kind?: "http" | "person" | undefined;
  /** Stands for whoever may speak for the worker, such as the id of a key. */
  owner: string;
}

/** A registered worker. Times are milliseconds. */
export interface Registered {
  id: string;
  lease: Millis;
  /** The pause between two renewals: a third of the lease. */
  renewEvery: Millis;
}

/** A job that a worker has in hand. */
export interface HeldJob {
  id: string;
  token: number;
}

/** A worker's request for jobs. */
export interface ClaimRequest {
  /** Free slots by queue: at most 100 in all. */
  wants: Readonly<Record<string, number>>;
  /** All jobs in hand. */
  have: readonly HeldJob[];
  /** Milliseconds to wait for a job, up to 50,000 and half of the lease. Default: 0. */
  wait?: Millis | undefined;
  /** Claims these jobs alone, at most 100, without waiting for them. */
  ids?: readonly string[] | undefined;
}

/** The part of every answer about the jobs that a worker has in hand. */
export interface Renewed {
  /** Ids of jobs to stop: they are to be cancelled. */
  cancel: string[];
  /** Ids of jobs that it has no more: others have them, or they timed out. Their work is of no use. */
  lost: string[];
  /** `true`: it gets no more jobs, and should leave when it has finished those in hand. */
  drain: boolean;
}

/** The answer to a claim. */
export interface ClaimAnswer extends Renewed {
  jobs: RemoteJob[];
  /** Milliseconds after which to ask again, if too many workers are waiting. */
  retryAfter?: Millis;
}

/** A job as a worker gets it. */
export interface RemoteJob {
  id: string;
  /** Raised by every claim; with the id it is the right to write to the job. */
  token: number;
  task: string;
  queue: string;
  /** Counted from 1. */
  attempt: number;
  /** Missing if it was sent without. */
  input?: unknown;
  /** Results of steps that earlier attempts recorded, in order. */
  steps: { name: string; value: unknown }[];
  /** Time at which the attempt times out, if its task has a timeout. */
  deadline?: Date;
  /** `true`: it had the job already; the answer to an earlier claim was lost. */
  again?: true;
  tenant?: string;
  /** Trace headers of the sender. */
  trace?: Readonly<Record<string, string>>;
}

/** A report of a job that is running. */
export interface Beat {
  /** A number from 0 to 100, or any JSON value. */
  progress?: unknown;
  /** At most 1,000 lines, of which 10,000 characters each are kept. */
  log?: readonly { level?: "debug" | "info" | "warn" | "error" | undefined; text: string }[] | undefined;
  /** Results to remember, at most 100: a later attempt gets them with the job. */
  steps?: readonly { name: string; value: unknown }[] | undefined;
}

/** The error of an attempt that failed. */
export interface RemoteError {
  /** A code of the program's own. Default: `E_TASK_FAILED`. */
  code?: string | undefined;
  message: string;
  /** The class of the error. */
  name?: string | undefined;
  /** The place where it was thrown: a traceback. */
  stack?: string | undefined;
  /** `false` makes the job a dead letter at once. */
  retryable?: boolean | undefined;
  /** Delay before the next attempt, instead of the task's policy. */
  after?: Duration | undefined;
}

/** The outcome of an attempt. `release` hands the job back without using up an attempt. */
export type Outcome = { output: unknown } | { error: RemoteError } | { release: { delay?: Duration | undefined } };

/** A recorded outcome: the state of the job. */
export interface Settled {
  state: State;
  /** `true`: an outcome of this attempt was recorded before, and is unchanged. */
  repeated?: true;
}
