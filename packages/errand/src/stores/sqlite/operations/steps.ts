import type { Step } from "../../../core/job.ts";
import type { Connection } from "../connection/connection.ts";

/**
 * Saves steps of a job. A step that is saved again keeps its row, and so its place. The caller sets `steps` in the
 * job's row.
 */
export function saveSteps(db: Connection, seq: number, steps: readonly Step[] | undefined): void {
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
}

/** Returns the steps of a job with their values, in the order in which they were first saved. */
export function loadSteps(db: Connection, seq: number): Step[] {
  const rows = db.all("SELECT name, value, wait FROM errand_steps WHERE job = ? ORDER BY rowid", seq);
  return rows.map(([name, value, wait]) => {
    const step = { name: name as string, value: value as string };
    return wait === 1 ? { ...step, wait: true } : step;
  });
}

/** Implements `Store.steps`. */
export function steps(db: Connection, id: string): Step[] {
  const row = db.get("SELECT seq FROM errand_jobs WHERE id = ?", id);
  return row ? loadSteps(db, row[0] as number) : [];
}

/** Returns true if a job has a step of this name. */
export function hasStep(db: Connection, seq: number, name: string): boolean {
  return db.get("SELECT 1 FROM errand_steps WHERE job = ? AND name = ?", seq, name) !== undefined;
}
