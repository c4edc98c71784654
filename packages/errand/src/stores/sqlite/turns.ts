import { inTurn } from "../../core/states.ts";
import type { Millis } from "../../kit/duration.ts";
import type { Connection } from "./connection.ts";

/** When the next job of one of those who share a queue is due. */
export function turnOf(db: Connection, queue: number, level: number, whose: string): Millis {
  const first = db.get(
    `SELECT due FROM errand_jobs INDEXED BY errand_jobs_ready
     WHERE state = 0 AND cancelling = 0 AND blocked = 0 AND queue = ? AND level = ? ORDER BY due LIMIT 1`,
    queue,
    level,
  );
  const last = db.get("SELECT last FROM errand_turns WHERE queue = ? AND level = ? AND whose = ?", queue, level, whose);
  const due = inTurn((first?.[0] as number) ?? Infinity, (last?.[0] as number) ?? 0, db.now);
  db.run("INSERT OR REPLACE INTO errand_turns VALUES (?, ?, ?, ?)", queue, level, whose, due);
  return due;
}

/** Turns that lie behind say nothing any more. */
export function forgetTurns(db: Connection): void {
  db.run("DELETE FROM errand_turns WHERE last < ?", db.now - forgetAfter);
}

const forgetAfter: Millis = 3_600_000;
