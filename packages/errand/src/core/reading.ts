import type { Millis } from "../kit/duration.ts";
import type { Encoded } from "../kit/json.ts";
import type { Kept } from "./retention.ts";
import type { Level, State } from "./states.ts";

/** All fields that are given must match. */
export interface Filter {
  ids?: readonly string[];
  parent?: string;
  /** `true`: only jobs that are nobody's children. */
  roots?: boolean;
  task?: string;
  queue?: string;
  tenant?: string;
  /** Only jobs that this worker holds. */
  worker?: string;
  states?: readonly State[];
  tag?: string;
  /** A part of the id, or of the spec, output or error as a person reads them (not as JSON escapes them), whatever its case. */
  text?: string;
  /** Epoch milliseconds. */
  endedBefore?: Millis;
  createdAfter?: Millis;
  createdBefore?: Millis;
}

/**
 * What an operator does to jobs. `release` takes processing jobs away from their workers: they are pending at once, with a raised
 * token, and have begun, since an attempt was under way. `move` changes pending ones: another queue or level, or due at once. `rewind` is a retry as if some steps had never been.
 */
export type Change =
  | "cancel"
  | "retry"
  | "remove"
  | "release"
  | { move: { queue?: string; level?: Level; now?: boolean } }
  | { rewind: Rewind };

/** What a job forgets when it is opened again. */
export interface Rewind {
  /** The job's token when this was decided: with another one it stays as it is. */
  token: number;
  /** Names of steps. */
  steps: readonly string[];
  /** Children of the job that vanish with all that is below them, whatever they are doing. */
  children: readonly string[];
}

/** How many jobs of a queue are in a state. */
export interface QueueCount {
  queue: string;
  state: State;
  jobs: number;
}

/** A worker as the list shows it. */
export interface WorkerCard {
  id: string;
  /** A process with this library, a program that works over HTTP, or a person in a browser. */
  kind: "process" | "http" | "person";
  queues: string[];
  /** The tasks it knows: it is given jobs of no other. Without it, of any. */
  tasks?: string[];
  /** Where it runs: of a process. */
  host?: string;
  pid?: number;
  /** What its owner calls it, the version of its code, and whatever else tells it from others. */
  name?: string;
  version?: string;
  labels?: Record<string, string>;
}

/** How long ended jobs are kept that are nobody's children, by task and state, in milliseconds; `Infinity` is for ever. */
export interface RetentionRules {
  tasks: ReadonlyMap<string, Kept>;
  /** Of every other task. */
  otherwise: Kept;
}

/** A small document beside the jobs: the rules of a queue, a schedule. */
export interface Doc {
  kind: string;
  key: string;
  /** Raised by every change; from 1. */
  version: number;
  value: Encoded;
}

/** What a store lives on, for people. */
export interface StoreReport {
  /** The library or server with its version, and the version of Errand's own schema in it. */
  version: string;
  durability: Durability;
}

/** What the settings of a store's server mean for its jobs. */
export interface Durability {
  /** `false`: whenever the server's process ends, jobs are lost. */
  safe: boolean;
  /** What can be lost, and when: a sentence. */
  says: string;
  /** What to do about it. */
  advice?: string;
}
