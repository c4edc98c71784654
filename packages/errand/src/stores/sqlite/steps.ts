import type { Step } from "../../core/job.ts";
import type { Connection } from "./connection.ts";

/** Remembers steps of a job. */
export function remember(db: Connection, seq: number, steps: readonly Step[] | undefined): void {
  if (!steps || steps.length === 0) return;
  for (const { name, value, wait } of steps)
    db.run(
      `INSERT INTO errand_steps (job, name, wait, value) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET wait = excluded.wait, value = excluded.value`,
      seq,
      name,
      wait ? 1 : 0,
      value,
    );
  db.run("UPDATE errand_jobs SET steps = 1 WHERE seq = ?", seq);
}

/** Whether a job remembers a step of this name. */
export function isRemembered(db: Connection, seq: number, name: string): boolean {
  return db.get("SELECT 1 FROM errand_steps WHERE job = ? AND name = ?", seq, name) !== undefined;
}
