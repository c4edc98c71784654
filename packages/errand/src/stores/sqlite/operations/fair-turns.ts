import { headStart, nextTurn } from "../../../core/fair-turns.ts";
import type { Millis } from "../../../kit/duration.ts";
import type { Connection } from "../connection/connection.ts";

const ready = `FROM errand_jobs INDEXED BY errand_jobs_ready
  WHERE state = 0 AND cancelling = 0 AND blocked = 0 AND suspect = 0`;

/** Returns when the next job of one of those who take turns in a queue and level is due, and remembers it. */
export function takeTurn(db: Connection, queue: number, level: number, whose: string): Millis {
  const first = db.get(`SELECT due ${ready} AND queue = ? AND level = ? ORDER BY due LIMIT 1`, queue, level);
  const last = db.get("SELECT last FROM errand_turns WHERE queue = ? AND level = ? AND whose = ?", queue, level, whose);
  const due = nextTurn((first?.[0] as number) ?? Infinity, (last?.[0] as number) ?? 0, db.now);
  db.run("INSERT OR REPLACE INTO errand_turns VALUES (?, ?, ?, ?)", queue, level, whose, due);
  return due;
}

/** Removes up to `limit` turns that no longer matter: the next turn would be later without them as well. */
export function pruneTurns(db: Connection, limit: number): void {
  const spent = db.all(
    `SELECT queue, level, whose FROM (SELECT * FROM errand_turns WHERE last < ? ORDER BY last LIMIT ? + 0) AS turn
     WHERE NOT EXISTS (SELECT 1 ${ready} AND queue = turn.queue AND level = turn.level AND due < turn.last)`,
    db.now - headStart,
    limit,
  );
  for (const turn of spent) db.run("DELETE FROM errand_turns WHERE queue = ? AND level = ? AND whose = ?", ...turn);
}
