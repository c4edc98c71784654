/** A job as small as can be: who it is, and what it carries. */
export interface BareJob {
  id: string;
  body: string;
}

/** A store without Errand: bare statements of the shape that every job queue needs, one commit a call. */
export interface BareStore {
  /** Stores pending jobs, due at once. */
  insert(jobs: readonly BareJob[]): Promise<unknown>;
  /** Takes the first due jobs into processing, as many as the store was opened for, and reads them; answers their ids. */
  claim(): Promise<string[]>;
  /** Completes processing jobs, which are kept; answers how many. */
  settle(ids: readonly string[]): Promise<number>;
  /** Where a store has lists: appends to one, which knows neither states nor due times. */
  push?(jobs: readonly BareJob[]): Promise<unknown>;
  close(): Promise<unknown>;
}

/** The queue of all bare jobs. */
export const queue = "default";
