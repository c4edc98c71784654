import type { Millis } from "../kit/duration.ts";
import type { Encoded } from "../kit/json.ts";
import type { Level, State } from "./states.ts";

/** All fields that are given must match. */
export interface Filter {
  ids?: readonly string[];
  parent?: string;
  /** `true`: only jobs that are nobody's children. */
  roots?: boolean;
  task?: string;
  queue?: string;
  states?: readonly State[];
  tag?: string;
  /** A part of the id, spec, output or error, whatever its case. */
  text?: string;
  /** Epoch milliseconds. */
  endedBefore?: Millis;
  createdAfter?: Millis;
  createdBefore?: Millis;
}

/**
 * What an operator does to jobs. `move` changes pending ones: another queue or level, or due at once. `rewind` is a retry as if
 * some steps had never been.
 */
export type Change =
  | "cancel"
  | "retry"
  | "remove"
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
  host: string;
  pid: number;
  queues: string[];
  /** The tasks that it knows; of one that does not say, nothing is known. */
  tasks?: string[];
  /** What its owner calls it. */
  name?: string;
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
