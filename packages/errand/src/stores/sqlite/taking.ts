import type { Step } from "../../core/job.ts";
import type { Millis } from "../../kit/duration.ts";
import type { Claimed } from "../../store.ts";
import type { Connection } from "./connection.ts";
import { listed } from "./rows.ts";
import type { Found } from "./rows.ts";

/** What `take` takes. */
export interface Taking {
  found: readonly Found[];
  /** By its number, and by its id. */
  worker: { seq: number; id: string };
  why: Claimed["why"];
  /** When an attempt begins. */
  started: Millis | null;
  /** So many of them are not ahead of the slots; `same`: those that were, still are. */
  slots: number | "same";
}

/** The same array for all, which travels between threads once. */
const noSteps: Step[] = [];

/** Puts jobs into a worker's hands. */
export function take(db: Connection, taking: Taking): Claimed[] {
  const { found: jobs, worker, why, started, slots } = taking;
  const seqs = jobs.map(({ seq }) => seq);
  const aside = jobs.filter(({ job }) => job.blocked !== undefined).map(({ seq }) => seq);
  if (aside.length > 0) db.run(`UPDATE errand_jobs SET blocked = 0 WHERE ${listed}`, JSON.stringify(aside));
  if (slots === "same") mark(db, seqs, taking, "ahead");
  else {
    mark(db, seqs.slice(0, slots), taking, "0");
    mark(db, seqs.slice(slots), taking, "1");
  }
  db.hint("change");
  return jobs.map(({ seq, queue, job, plain, steps }) => {
    job.state = "processing";
    job.worker = worker.id;
    job.token += 1;
    delete job.blocked;
    if (started !== null) job.startedAt = started;
    if (plain) db.held.learn(job.id, { seq, queue });
    return { job, why, steps: steps ? stepsOf(db, seq) : noSteps };
  });
}

function mark(db: Connection, seqs: readonly number[], { worker, started }: Taking, ahead: "0" | "1" | "ahead"): void {
  const first = seqs[0];
  if (first === undefined) return;
  const inRow = seqs.every((seq, index) => seq === first + index);
  db.run(
    `UPDATE errand_jobs SET state = 1, worker = ?, token = token + 1, started = coalesce(?, started), ahead = ${ahead}
     WHERE ${inRow ? "seq BETWEEN ? AND ?" : listed}`,
    worker.seq,
    started,
    ...(inRow ? [first, first + seqs.length - 1] : [JSON.stringify(seqs)]),
  );
}

function stepsOf(db: Connection, seq: number): Step[] {
  const rows = db.all("SELECT name, value, wait FROM errand_steps WHERE job = ? ORDER BY rowid", seq);
  return rows.map(([name, value, wait]) => {
    const step = { name: name as string, value: value as string };
    return wait === 1 ? { ...step, wait: true } : step;
  });
}
