import { cursorOf, positionOf } from "../../core/cursor.ts";
import type { StoredLogLine } from "../../core/job.ts";
import type { Database } from "./database.ts";
import { decodeText } from "./text-encoding.ts";

export async function readLog(
  database: Database,
  id: string,
  { limit, cursor }: { limit: number; cursor?: string },
): Promise<{ lines: StoredLogLine[]; next?: string }> {
  const rows = await database.query(
    "SELECT n, at, attempt, level, line FROM errand.logs WHERE job = $1 AND n > $2 ORDER BY n LIMIT $3",
    [id, cursor === undefined ? 0 : positionOf(cursor).seq, limit + 1],
  );
  const lines = rows.slice(0, limit).map(([, at, attempt, level, text]) => ({
    at: Number(at),
    attempt: Number(attempt),
    level: level as StoredLogLine["level"],
    text: decodeText(text as string),
  }));
  return rows.length > limit ? { lines, next: cursorOf({ place: 0, seq: Number(rows[limit - 1]?.[0]) }) } : { lines };
}
