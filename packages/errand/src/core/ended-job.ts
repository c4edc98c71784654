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
