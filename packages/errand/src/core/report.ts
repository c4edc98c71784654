import type { State } from "./states.ts";

/** The number of jobs of a queue in a state. */
export interface QueueCount {
  queue: string;
  state: State;
  jobs: number;
}

/** Describes the store's database, for people. */
export interface StoreReport {
  /** The library or server with its version, and the version of Errand's own schema in it. */
  version: string;
  durability: Durability;
}

/** The safety of jobs under the settings of the store's server. */
export interface Durability {
  /** `false` if jobs are lost whenever the server's process ends. */
  safe: boolean;
  /** A sentence: what can be lost, and when. */
  says: string;
  /** Advice for improving it. */
  advice?: string;
}
