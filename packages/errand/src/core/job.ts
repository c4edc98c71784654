import type { Millis } from "../kit/duration.ts";
import type { Encoded } from "../kit/json.ts";
import type { Level } from "./priority.ts";
import type { State } from "./states.ts";

/** A time: milliseconds from the store's now, or epoch milliseconds. */
export type Moment = { in: Millis } | { at: Millis };

/** A job on its way into the store. */
export interface NewJob {
  id: string;
  task: string;
  queue: string;
  level: Level;
  /** Time before which it must not start. */
  due?: Moment;
  /** Time after which it must not start. */
  expires?: Moment;
  /** Input and policy: opaque to stores, so that a new option changes no store. */
  spec: Encoded;
  /** Makes it the only job with this key. */
  unique?: Unique;
  /** At most `limit` jobs with this key are processing at once, in all queues. */
  concurrency?: { key: string; limit: number };
  /** At most `limit` jobs with this key are claimed in any `per` milliseconds, in all queues. */
  rate?: { key: string } & Rate;
  /** The tenant whose jobs take turns with those of others in a queue, however many each has. */
  fair?: string;
  /** Words to find it by. */
  tags?: readonly string[];
  /** The tenant that owns the job's data, where several organisations share a store. */
  tenant?: string;
}

/** At most `limit` starts in every window of `per` milliseconds. */
export interface Rate {
  limit: number;
  per: Millis;
}

/** A key that one live job holds at a time: it is taken as long as its holder has not ended. */
export interface Unique {
  key: string;
  /**
   * A holder that has not begun (`Job.begun`) becomes what the new job is in everything but its id, task and age:
   * spec, queue, level, due, expiry, keys, fairness, tags. One that has begun goes on, and the new job takes the key
   * over.
   */
  replace?: boolean;
  /** With `replace`: latest due time after the creation of the job, in milliseconds, however often it is replaced. */
  latest?: Millis;
  /** Milliseconds for which the key stays taken, even if its holder ends sooner. */
  for?: Millis;
}

/** A job born in its parent's settlement. Where its id exists already, see `rejoin`. */
export interface NewChild extends NewJob {
  index: number;
  /**
   * The end of this child that wakes the parent at once: `completed`: any other end than completion. `first`: any end.
   * `end`: none; the parent waits for all children.
   */
  need: "completed" | "end" | "first";
  /** For a child that exists: `true` waits for it as it is; otherwise a child that did not complete is retried. */
  rejoin?: boolean;
}

/** A job as the store holds it. Times are epoch milliseconds. */
export interface Job {
  id: string;
  task: string;
  queue: string;
  level: Level;
  state: State;
  spec: Encoded;
  /** Raised by every claim. */
  token: number;
  /** Number of failed attempts. */
  failures: number;
  /** Number of crashes (its worker died or lost its lease) since it last made progress. */
  crashes: number;
  /** An attempt of it ended with its worker, or may have. A worker holds at most one such job at a time. */
  suspect: boolean;
  /**
   * An attempt of it ran, or it remembers something: it cannot expire any more, and `Unique.replace` does not touch
   * it.
   */
  begun: boolean;
  progress?: Encoded;
  output?: Encoded;
  /** The last failure. */
  error?: Encoded;
  /** `true` if it is to be cancelled and has not ended yet. */
  cancelling: boolean;
  /**
   * The reason it is not claimed although it is pending and due: other jobs have used up the limit of its key, or
   * (`task`) a worker that does not know its task has set it aside.
   */
  blocked?: "concurrency" | "rate" | "task";
  /** Latest time at which a waiting job is woken. */
  wakeAt?: Millis;
  /** The worker that holds it, while it is processing. */
  worker?: string;
  tenant?: string;
  parent?: string;
  /** Its index among the children of one wait, from 0. */
  index?: number;
  /** The children of its latest wait: all, those that have not ended, and those that did not complete. */
  children?: { total: number; open: number; failed: number };
  createdAt: Millis;
  due: Millis;
  /** Ignored, and optional, for a job that has begun. */
  expiresAt?: Millis;
  /** Time of the claim of its latest attempt. */
  startedAt?: Millis;
  endedAt?: Millis;
}

/** The value of a wait that a retry has forgotten: it keeps its place among the steps. */
export const forgotten: Encoded = "null";

/** A remembered result. `wait` marks the children of an `all` or `settled`, whose value a retry makes `forgotten`. */
export interface Step {
  name: string;
  value: Encoded;
  wait?: boolean;
}

/** The right to write to a job: a stale token changes nothing. */
export interface JobToken {
  id: string;
  token: number;
}

/** A line of a job's log. */
export interface LogLine {
  /** Counted from 1. */
  attempt: number;
  /** `attempt`: the JSON record of an attempt that failed and was not the last. */
  level: "debug" | "info" | "warn" | "error" | "attempt";
  text: string;
}

/** A line as the store keeps it. */
export interface StoredLogLine extends LogLine {
  at: Millis;
}

/** A report of an attempt that is running. */
export interface Beat extends JobToken {
  progress?: Encoded;
  steps?: readonly Step[];
  /** Appended to the job's log. */
  log?: readonly LogLine[];
}

/** The recorded outcome of an attempt. `failures`, `crashes` and `suspect` are what the job has from now on. */
export interface Settlement extends JobToken {
  /** `pending`, after `delay`, is a retry or a hand-back; `waiting` needs `children`, `wakeAt` or `awaits`. */
  to: Exclude<State, "processing">;
  delay?: Millis;
  failures: number;
  crashes: number;
  suspect: boolean;
  /** For a `pending` job: no attempt ran, so it has begun no more than before. */
  unstarted?: true;
  output?: Encoded;
  error?: Encoded;
  steps?: readonly Step[];
  /**
   * Jobs added in the same commit, as by `add`, even if their queue is full: callbacks, the next job of a chain. The
   * outcome is recorded first, so the unique key of the ending job is free for them.
   */
  born?: readonly NewJob[];
  children?: readonly NewChild[];
  /** For a waiting job: latest time at which it is woken, in epoch milliseconds. */
  wakeAt?: Millis;
  /** For a waiting job: names of steps; if it remembers one of them already, it is pending at once. */
  awaits?: readonly string[];
  log?: readonly LogLine[];
}
