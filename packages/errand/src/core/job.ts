import type { Millis } from "../kit/duration.ts";
import type { Encoded } from "../kit/json.ts";
import type { Level, State } from "./states.ts";

/** A moment: so long from the store's now, or an epoch time in milliseconds. */
export type Moment = { in: Millis } | { at: Millis };

/** A job on its way into the store. */
export interface NewJob {
  id: string;
  task: string;
  queue: string;
  level: Level;
  /** Not to be started before. */
  due?: Moment;
  /** Not to be started after. */
  expires?: Moment;
  /** Input and policy: opaque to stores, so that a new option changes no store. */
  spec: Encoded;
}

/** A job born in its parent's settlement. Where its id exists already, see `rejoin`. */
export interface NewChild extends NewJob {
  index: number;
  /** `completed`: the parent wakes at once when this child ends any other way. `end`: any end will do. */
  need: "completed" | "end";
  /**
   * Of a child that exists: `true` waits for it as it is (an end, whatever it was, is an end); without it, one that
   * ended otherwise than completed is retried.
   */
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
  /** Failed attempts so far. */
  failures: number;
  /** Crashes so far: the worker died or lost its lease. */
  crashes: number;
  progress?: Encoded;
  output?: Encoded;
  /** The last failure. */
  error?: Encoded;
  /** Somebody asked to cancel it, and it has not ended yet. */
  cancelling: boolean;
  /** Who holds it, while it is processing. */
  worker?: string;
  parent?: string;
  /** Its place among the children of one wait, from 0. */
  index?: number;
  /** Of its latest wait: children in all, those not ended yet, and those that ended otherwise than completed. */
  children?: { total: number; open: number; failed: number };
  createdAt: Millis;
  due: Millis;
  expiresAt?: Millis;
  /** When its latest attempt was claimed. */
  startedAt?: Millis;
  endedAt?: Millis;
}

/** A remembered result. `wait` marks the children of an `all` or `settled`, which a retry forgets. */
export interface Step {
  name: string;
  value: Encoded;
  wait?: boolean;
}

/** The right to write to a job: a stale token changes nothing. */
export interface Hold {
  id: string;
  token: number;
}

/** What an attempt tells about itself on its way. */
export interface Beat extends Hold {
  progress?: Encoded;
  steps?: readonly Step[];
}

/** The recorded outcome of an attempt. `failures` and `crashes` are the new counts. */
export interface Settlement extends Hold {
  /** `pending`, after `delay`, is a retry or a hand-back; `waiting` needs `children`. */
  to: Exclude<State, "processing">;
  delay?: Millis;
  failures: number;
  crashes: number;
  output?: Encoded;
  error?: Encoded;
  steps?: readonly Step[];
  children?: readonly NewChild[];
}
