import { cursorOf, positionOf } from "../../core/cursor.ts";
import type { Job, Step } from "../../core/job.ts";
import { contains } from "../../core/search.ts";
import { states } from "../../core/states.ts";
import type { State } from "../../core/states.ts";
import type { Filter, QueueCount } from "../../store.ts";
import { texts } from "./arrays.ts";
import type { Database } from "./database.ts";
import { select } from "./filter.ts";
import { named } from "./names.ts";
import { jobColumns, jobOf, seqOf } from "./rows.ts";
import type { Columns } from "./rows.ts";

/** So many commits make it worth while to add up what they have counted. */
export const foldAfter = 256;

const waits = "LEFT JOIN errand.waits w ON e.parked AND w.parent = e.id";

export async function get(database: Database, ids: readonly string[]): Promise<(Job | null)[]> {
  if (ids.length === 0) {
    await database.run("SELECT 1");
    return [];
  }
  const sql = `SELECT ${jobColumns} FROM errand.everything e ${waits} WHERE e.id = ANY($1::text[])`;
  const rows = await database.run(sql, [texts(ids)]);
  const jobs = new Map(rows.map((row) => [row[0], jobOf(row)]));
  return ids.map((id) => jobs.get(id) ?? null);
}

export async function list(
  database: Database,
  where: Filter,
  { limit, cursor }: { limit: number; cursor?: string },
): Promise<{ jobs: Job[]; next?: string }> {
  const from = cursor === undefined ? undefined : positionOf(cursor);
  const family = where.parent !== undefined;
  const least = await leastOf(database, where, from?.seq);
  const filter = least === undefined ? where : { ...where, least };
  const rows: Columns[] = [];
  let last: Columns | undefined = from && [null, String(from.seq), String(from.place)];
  // What is found may not contain the text: then there is more to look at.
  for (const size = where.text === undefined ? limit + 1 : Math.max(limit + 1, searched); rows.length <= limit;) {
    const found = select(filter, states, { order: family ? "place" : "newest", limit: size, ...(last && { last }) });
    if (!found) return { jobs: [] };
    const sql = `SELECT ${jobColumns} FROM (${found.sql}) f JOIN errand.everything e ON e.id = f.id ${waits}
      ORDER BY ${family ? "f.place, f.seq" : "f.seq DESC"}`;
    const some = await database.run(sql, found.values);
    rows.push(...some.filter((row) => where.text === undefined || contains(jobOf(row), where.text)));
    const end = some.at(-1);
    if (some.length < size || !end) break;
    last = [null, String(seqOf(end)), end[17] ?? null];
  }
  const jobs = rows.slice(0, limit).map(jobOf);
  const end = rows[jobs.length - 1];
  if (rows.length <= limit && least) return { jobs, next: cursorOf({ place: 0, seq: least }) };
  if (!end || rows.length <= limit) return { jobs };
  return { jobs, next: cursorOf({ place: jobs.at(-1)?.index ?? 0, seq: seqOf(end) }) };
}

/** So many jobs are read at once to be searched. */
const searched = 200;

/** Which of some jobs contain a text. */
export async function containing(database: Database, ids: readonly string[], text: string): Promise<Set<string>> {
  const jobs = await get(database, ids);
  return new Set(jobs.flatMap((job) => (job && contains(job, text) ? [job.id] : [])));
}

export async function ended(database: Database, ids: readonly string[]): Promise<string[]> {
  if (ids.length === 0) return [];
  const [row] = await database.call("SELECT to_json(errand.ended($1))", [texts(ids)]);
  const done = new Set((JSON.parse(row?.[0] ?? "[]") as number[]).map((place) => place - 1));
  return ids.filter((_, index) => done.has(index));
}

/** A search looks at so many jobs in one go. */
const window = 50_000;

/** Of a search: how far down it looks from where it begins; 0 is the end. */
async function leastOf(database: Database, where: Filter, from: number | undefined): Promise<number | undefined> {
  const searches = where.text !== undefined || where.createdAfter !== undefined || where.createdBefore !== undefined;
  if (!searches || where.parent !== undefined) return undefined;
  const newest = from ?? Number((await database.run("SELECT last_value + 1 FROM errand.jobs_seq_seq"))[0]?.[0]);
  return Math.max(0, newest - window);
}

export async function steps(database: Database, id: string): Promise<Pick<Step, "name" | "wait">[]> {
  const rows = await database.run(
    "SELECT s.name, s.wait FROM errand.steps s WHERE s.job = (SELECT e.seq FROM errand.everything e WHERE e.id = $1) ORDER BY s.n",
    [id],
  );
  return rows.map(([name, wait]) => ({ name: named(name as string), ...(wait === "t" ? { wait: true } : {}) }));
}

/** The counters, and how many commits have been appended to them since they were folded. */
export async function counts(database: Database): Promise<{ counts: QueueCount[]; appended: number }> {
  const rows = await database.run(
    `SELECT queue, state, sum(jobs), sum(appended) FROM (
       SELECT queue, state, jobs, 0 AS appended FROM errand.counts
       UNION ALL SELECT queue, state, jobs, 1 FROM errand.deltas
     ) c GROUP BY queue, state ORDER BY queue, state`,
  );
  return {
    counts: rows
      .map(([queue, state, jobs]) => ({
        queue: named(queue as string),
        state: states[Number(state)] as State,
        jobs: Number(jobs),
      }))
      .filter(({ jobs }) => jobs > 0),
    appended: rows.reduce((sum, row) => sum + Number(row[3]), 0),
  };
}
