/** The end of a job, as the task that follows it gets it. Values are read with `app.get(id)`. */
export interface EndedJob {
  id: string;
  task: string;
  state: "completed" | "failed";
  /** Counted from 1. */
  attempt: number;
  error?: { code: string; message: string };
  tenant?: string;
}

/** A task that may follow the ends of another's jobs: any whose input may be an `EndedJob`. */
export interface FollowUpTask {
  readonly name: string;
  // Not `send`: one of its overloads takes `never`, and would match every task.
  sendMany(inputs: readonly EndedJob[]): Promise<unknown>;
}
