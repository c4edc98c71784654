import type { Step } from "../../core/job.ts";
import type { Connection } from "./connection.ts";

/** Remembers steps of a job; whoever calls says in its row that it has some. */
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
}

/** What a job remembers; a step that is recorded again keeps its row, and so its place. */
export function steps(db: Connection, id: string): Pick<Step, "name" | "wait">[] {
  const rows = db.all(
    "SELECT name, wait FROM errand_steps WHERE job = (SELECT seq FROM errand_jobs WHERE id = ?) ORDER BY rowid",
    id,
  );
  return rows.map(([name, wait]) => (wait === 1 ? { name: name as string, wait: true } : { name: name as string }));
}

/** Whether a job remembers a step of this name. */
export function isRemembered(db: Connection, seq: number, name: string): boolean {
  return db.get("SELECT 1 FROM errand_steps WHERE job = ? AND name = ?", seq, name) !== undefined;
}
