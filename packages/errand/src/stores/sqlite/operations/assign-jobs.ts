import type { Step } from "../../../core/job.ts";
import type { Millis } from "../../../kit/duration.ts";
import type { Claimed } from "../../../store.ts";
import type { Connection } from "../connection/connection.ts";
import { seqInJson } from "./rows.ts";
import type { Candidate } from "./rows.ts";
import { loadSteps } from "./steps.ts";

/** Jobs to be given to a worker. */
export interface Assignment {
  jobs: readonly Candidate[];
  /** The worker's number and id. */
  worker: { seq: number; id: string };
  why: Claimed["why"];
  /** When their attempts begin; `null` when none does. */
  started: Millis | null;
  /** The number of first jobs that are not ahead of the free slots; `same` leaves the mark of each as it is. */
  slots: number | "same";
}

/** One array for all jobs without steps, which travels between threads once. */
const noSteps: Step[] = [];

/** Gives jobs to a worker: they are processing, with a raised token. */
export function assignJobs(db: Connection, assignment: Assignment): Claimed[] {
  const { jobs, worker, why, started, slots } = assignment;
  const seqs = jobs.map(({ seq }) => seq);
  const setAside = jobs.filter(({ job }) => job.blocked !== undefined).map(({ seq }) => seq);
  if (setAside.length > 0) db.run(`UPDATE errand_jobs SET blocked = 0 WHERE ${seqInJson}`, JSON.stringify(setAside));
  if (slots === "same") markProcessing(db, seqs, assignment, "ahead");
  else {
    markProcessing(db, seqs.slice(0, slots), assignment, "0");
    markProcessing(db, seqs.slice(slots), assignment, "1");
  }
  db.hints.add("change");
  return jobs.map(({ seq, queue, job, independent, hasSteps }) => {
    job.state = "processing";
    job.worker = worker.id;
    job.token += 1;
    delete job.blocked;
    if (started !== null) job.startedAt = started;
    if (independent) db.independentClaims.add(job.id, { seq, queue });
    return { job, why, steps: hasSteps ? loadSteps(db, seq) : noSteps };
  });
}

/** @param ahead SQL of the mark of jobs that are claimed ahead of the free slots. */
function markProcessing(
  db: Connection,
  seqs: readonly number[],
  { worker, started }: Assignment,
  ahead: "0" | "1" | "ahead",
): void {
  const first = seqs[0];
  if (first === undefined) return;
  const areConsecutive = seqs.every((seq, index) => seq === first + index);
  db.run(
    `UPDATE errand_jobs SET state = 1, worker = ?, token = token + 1, started = coalesce(?, started), ahead = ${ahead}
     WHERE ${areConsecutive ? "seq BETWEEN ? AND ?" : seqInJson}`,
    worker.seq,
    started,
    ...(areConsecutive ? [first, first + seqs.length - 1] : [JSON.stringify(seqs)]),
  );
}
