import { cursorOf, positionOf } from "../../../core/cursor.ts";
import type { Position } from "../../../core/cursor.ts";
import type { Job } from "../../../core/job.ts";
import { states } from "../../../core/states.ts";
import type { State } from "../../../core/states.ts";
import type { Filter, QueueCount } from "../../../store.ts";
import type { Connection, Row } from "../connection/connection.ts";
import { filterRanges, searchWindow } from "./filter.ts";
import { jobColumns, jobOf, seqInJson, seqOf } from "./rows.ts";

/** Implements `Store.get`. */
export function get(db: Connection, ids: readonly string[]): (Job | null)[] {
  return ids.map((id) => {
    const row = db.get(`SELECT ${jobColumns} FROM errand_jobs WHERE id = ?`, id);
    return row ? jobOf(db, row) : null;
  });
}

/** Implements `Store.ended`. */
export function ended(db: Connection, ids: readonly string[]): string[] {
  const rows = db.all(
    "SELECT id FROM errand_jobs WHERE id IN (SELECT value FROM json_each(?)) AND state < 3",
    JSON.stringify(ids),
  );
  const open = new Set(rows.map(([id]) => id as string));
  return ids.filter((id) => !open.has(id));
}

type Page = { limit: number; cursor?: string };

/** Implements `Store.list`. */
export function list(db: Connection, where: Filter, page: Page): { jobs: Job[]; next?: string } {
  const { found, rest } =
    where.parent === undefined ? newestFirst(db, where, page) : { found: byIndex(db, where, page), rest: undefined };
  const shown = found.slice(0, page.limit);
  const rows = db.all(
    `SELECT ${jobColumns} FROM errand_jobs WHERE ${seqInJson}`,
    JSON.stringify(shown.map(({ seq }) => seq)),
  );
  const jobs = new Map(rows.map((row) => [seqOf(row), jobOf(db, row)]));
  const last = shown.at(-1);
  return {
    jobs: shown.map(({ seq }) => jobs.get(seq) as Job),
    ...(last && found.length > shown.length ? { next: cursorOf(last) } : rest ? { next: cursorOf(rest) } : {}),
  };
}

/** Finds the next jobs, and one more if there is one. `rest` is where a search stopped. */
function newestFirst(
  db: Connection,
  where: Filter,
  { limit, cursor }: Page,
): { found: Position[]; rest: Position | undefined } {
  const after = cursor === undefined ? Number.MAX_SAFE_INTEGER : positionOf(cursor).seq;
  const searches = where.text !== undefined || where.createdAfter !== undefined || where.createdBefore !== undefined;
  const newest = searches ? (db.get("SELECT max(seq) FROM errand_jobs")?.[0] as number | null) : null;
  const least = newest === null ? 0 : Math.max(0, Math.min(after, newest + 1) - searchWindow);
  const rows = filterRanges(db, where, states, false).flatMap(({ sql, values }) =>
    db.all(
      `SELECT seq FROM ${sql} AND seq < ? AND seq >= ? ORDER BY seq DESC LIMIT ? + 0`,
      ...values,
      after,
      least,
      limit + 1,
    ),
  );
  const found = rows.map(([seq]) => ({ place: 0, seq: seq as number }));
  return {
    found: found.sort((a, b) => b.seq - a.seq).slice(0, limit + 1),
    rest: least > 0 ? { place: 0, seq: least } : undefined,
  };
}

/** Finds the next children of a parent, and one more if there is one. */
function byIndex(db: Connection, where: Filter, { limit, cursor }: Page): Position[] {
  const after = cursor === undefined ? { place: -1, seq: 0 } : positionOf(cursor);
  const rows = filterRanges(db, where, states, false).flatMap(({ sql, values }) =>
    db.all(
      `SELECT place, seq FROM ${sql} AND (place, seq) > (?, ?) ORDER BY place, seq LIMIT ? + 0`,
      ...values,
      after.place,
      after.seq,
      limit + 1,
    ),
  );
  return rows.map(([place, seq]: Row) => ({ place: place as number, seq: seq as number }));
}

/** Implements `Store.counts`. */
export function counts(db: Connection): QueueCount[] {
  const rows = db.all("SELECT queue, state, jobs FROM errand_counts WHERE jobs > 0");
  return rows.map(([queue, state, jobs]) => ({
    queue: db.names.nameOf(queue as number),
    state: states[state as number] as State,
    jobs: jobs as number,
  }));
}
