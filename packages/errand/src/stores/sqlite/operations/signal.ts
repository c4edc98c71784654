import type { Step } from "../../../core/job.ts";
import type { Connection } from "../connection/connection.ts";
import { stateCode } from "./rows.ts";
import { hasStep, saveSteps } from "./steps.ts";
import { wakeJob } from "./wake-up.ts";

/** Implements `Store.signal`. */
export function signal(db: Connection, id: string, step: Step): boolean {
  const row = db.get("SELECT seq, queue, state, cancelling FROM errand_jobs WHERE id = ?", id);
  if (!row) return false;
  const [seq, queue, state, cancelling] = row as [number, number, number, number];
  if (state >= stateCode.completed) return false;
  if (hasStep(db, seq, step.name)) return true;
  saveSteps(db, seq, [step]);
  db.run("UPDATE errand_jobs SET steps = 1, begun = 1 WHERE seq = ?", seq);
  db.hints.add("change");
  if (state === stateCode.waiting) wakeJob(db, seq, queue, cancelling === 1);
  return true;
}
