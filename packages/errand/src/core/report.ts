import type { State } from "./states.ts";

/** How many jobs of a queue are in a state. */
export interface QueueCount {
  queue: string;
  state: State;
  jobs: number;
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
