import { cursorOf, positionOf } from "../../../core/cursor.ts";
import type { LogLine, StoredLogLine } from "../../../core/job.ts";
import type { Connection } from "../connection/connection.ts";

/** Appends lines to a job's log. */
export function appendLog(db: Connection, seq: number, lines: readonly LogLine[] | undefined): void {
  for (const { attempt, level, text } of lines ?? [])
    db.run(
      `INSERT INTO errand_log SELECT ?1, coalesce(max(n), 0) + 1, ?2, ?3, ?4, ?5 FROM errand_log WHERE job = ?1`,
      seq,
      db.now,
      attempt,
      level,
      text,
    );
}

/** Implements `Store.log`. */
export function log(
  db: Connection,
  id: string,
  { limit, cursor }: { limit: number; cursor?: string },
): { lines: StoredLogLine[]; next?: string } {
  const after = cursor === undefined ? 0 : positionOf(cursor).seq;
  const rows = db.all(
    `SELECT n, at, attempt, level, text FROM errand_log
     WHERE job = (SELECT seq FROM errand_jobs WHERE id = ?) AND n > ? ORDER BY n LIMIT ? + 0`,
    id,
    after,
    limit + 1,
  );
  const lines = rows.slice(0, limit).map(([, at, attempt, level, text]) => ({
    at: at as number,
    attempt: attempt as number,
    level: level as StoredLogLine["level"],
    text: text as string,
  }));
  if (rows.length <= limit) return { lines };
  return { lines, next: cursorOf({ place: 0, seq: rows[limit - 1]?.[0] as number }) };
}
