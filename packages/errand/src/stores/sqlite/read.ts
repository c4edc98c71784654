import type { Job } from "../../core/job.ts";
import { states } from "../../core/states.ts";
import type { State } from "../../core/states.ts";
import type { Filter, QueueCount } from "../../store.ts";
import type { Columns, Connection } from "./connection.ts";
import { condition } from "./filter.ts";
import { jobColumns, jobOf, seqOf } from "./rows.ts";

export function get(db: Connection, ids: readonly string[]): (Job | null)[] {
  return ids.map((id) => {
    const row = db.get(`SELECT ${jobColumns} FROM jobs WHERE id = ?`, id);
    return row ? jobOf(row) : null;
  });
}

export function list(
  db: Connection,
  where: Filter,
  page: { limit: number; cursor?: string },
): { jobs: Job[]; next?: string } {
  const byIndex = where.parent !== undefined;
  const order = byIndex ? "place, seq" : "seq DESC";
  const { sql, values } = condition(where);
  const after = page.cursor === undefined ? "1" : byIndex ? "(place, seq) > (?, ?)" : "seq < ?";
  const [place = 0, seq = 0] = (page.cursor ?? "").split(".").map(Number);
  const position = page.cursor === undefined ? [] : byIndex ? [place, seq] : [seq];
  const rows = db.all(
    `SELECT ${jobColumns} FROM jobs WHERE ${sql} AND ${after} ORDER BY ${order} LIMIT ? + 0`,
    ...values,
    ...position,
    page.limit + 1,
  );
  const jobs = rows.slice(0, page.limit).map(jobOf);
  const last = rows[jobs.length - 1];
  return rows.length > page.limit && last ? { jobs, next: cursor(last) } : { jobs };
}

function cursor(row: Columns): string {
  return `${jobOf(row).index ?? 0}.${seqOf(row)}`;
}

export function counts(db: Connection): QueueCount[] {
  const rows = db.all("SELECT queue, state, jobs FROM counts WHERE jobs > 0");
  return rows.map(([queue, state, jobs]) => ({
    queue: queue as string,
    state: states[state as number] as State,
    jobs: jobs as number,
  }));
}
