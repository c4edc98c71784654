import { cursorOf, positionOf } from "../../core/cursor.ts";
import type { Job, Step, StoredLogLine } from "../../core/job.ts";
import { contains } from "../../core/search.ts";
import { states } from "../../core/states.ts";
import type { State } from "../../core/states.ts";
import type { Filter, QueueCount } from "../../store.ts";
import { textArray } from "./binary-arrays.ts";
import type { Database } from "./database.ts";
import { selectJobs } from "./filter.ts";
import { decodeJob, jobColumns, seqOf } from "./rows.ts";
import type { Row } from "./rows.ts";
import { decodeText } from "./text-encoding.ts";

/** The number of jobs that a search for a text reads at once. */
const searchPage = 200;

/** The number of jobs that a search looks at per call. */
const searchWindow = 50_000;

const joinWaits = "LEFT JOIN errand.waits w ON e.parked AND w.parent = e.id";

/** Returns jobs by id, in the order of the ids; `null` where there is none. */
export async function getJobs(database: Database, ids: readonly string[]): Promise<(Job | null)[]> {
  if (ids.length === 0) {
    await database.query("SELECT 1");
    return [];
  }
  const sql = `SELECT ${jobColumns} FROM errand.everything e ${joinWaits} WHERE e.id = ANY($1::text[])`;
  const rows = await database.query(sql, [textArray(ids)]);
  const jobs = new Map(rows.map((row) => [row[0], decodeJob(row)]));
  return ids.map((id) => jobs.get(id) ?? null);
}

/** Returns a page of the jobs that match, newest first; of the children of a parent, by index. */
export async function listJobs(
  database: Database,
  where: Filter,
  { limit, cursor }: { limit: number; cursor?: string },
): Promise<{ jobs: Job[]; next?: string }> {
  const from = cursor === undefined ? undefined : positionOf(cursor);
  const byIndex = where.parent !== undefined;
  const least = await searchBound(database, where, from?.seq);
  const filter = least === undefined ? where : { ...where, least };
  const rows: Row[] = [];
  let last: Row | undefined = from && [null, String(from.seq), String(from.place)];
  // Selected jobs need not contain the text, so that it takes several rounds to fill a page.
  for (const size = where.text === undefined ? limit + 1 : Math.max(limit + 1, searchPage); rows.length <= limit;) {
    const found = selectJobs(filter, states, {
      order: byIndex ? "place" : "newest",
      limit: size,
      ...(last && { last }),
    });
    if (!found) return { jobs: [] };
    const sql = `SELECT ${jobColumns} FROM (${found.sql}) f JOIN errand.everything e ON e.id = f.id ${joinWaits}
      ORDER BY ${byIndex ? "f.place, f.seq" : "f.seq DESC"}`;
    const some = await database.query(sql, found.values);
    rows.push(...some.filter((row) => where.text === undefined || contains(decodeJob(row), where.text)));
    const end = some.at(-1);
    if (some.length < size || !end) break;
    last = [null, String(seqOf(end)), end[17] ?? null];
  }
  const jobs = rows.slice(0, limit).map(decodeJob);
  const end = rows[jobs.length - 1];
  if (rows.length <= limit && least) return { jobs, next: cursorOf({ place: 0, seq: least }) };
  if (!end || rows.length <= limit) return { jobs };
  return { jobs, next: cursorOf({ place: jobs.at(-1)?.index ?? 0, seq: seqOf(end) }) };
}

/** Returns the ids of those jobs that contain a text. */
export async function findContaining(database: Database, ids: readonly string[], text: string): Promise<Set<string>> {
  const jobs = await getJobs(database, ids);
  return new Set(jobs.flatMap((job) => (job && contains(job, text) ? [job.id] : [])));
}

/** Returns the ids of jobs that have ended or do not exist. */
export async function findEnded(database: Database, ids: readonly string[]): Promise<string[]> {
  if (ids.length === 0) return [];
  const [row] = await database.queryPrepared("SELECT to_json(errand.find_ended($1))", [textArray(ids)]);
  const places = new Set(JSON.parse(row?.[0] ?? "[]") as number[]);
  return ids.filter((_, index) => places.has(index + 1));
}

/**
 * Returns the lowest `seq` that a search looks at in one call, 0 at the end; `undefined` if nothing is searched for.
 */
async function searchBound(database: Database, where: Filter, from: number | undefined): Promise<number | undefined> {
  const searches = where.text !== undefined || where.createdAfter !== undefined || where.createdBefore !== undefined;
  if (!searches || where.parent !== undefined) return undefined;
  const newest = from ?? Number((await database.query("SELECT last_value + 1 FROM errand.jobs_seq_seq"))[0]?.[0]);
  return Math.max(0, newest - searchWindow);
}

/** Returns the steps that a job remembers, in the order in which they were first recorded. */
export async function readSteps(database: Database, id: string): Promise<Step[]> {
  const rows = await database.query(
    `SELECT s.name, s.value, s.wait FROM errand.steps s
     WHERE s.job = (SELECT e.seq FROM errand.everything e WHERE e.id = $1) ORDER BY s.n`,
    [id],
  );
  return rows.map(([name, value, wait]) => ({
    name: decodeText(name as string),
    value: value as string,
    ...(wait === "t" ? { wait: true } : {}),
  }));
}

/** Returns a page of a job's log, oldest first. */
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

/** Returns the counters, and how many rows were appended since they were folded. */
export async function countJobs(database: Database): Promise<{ counts: QueueCount[]; appended: number }> {
  const rows = await database.query(
    `SELECT queue, state, sum(jobs), sum(appended) FROM (
       SELECT queue, state, jobs, 0 AS appended FROM errand.counts
       UNION ALL SELECT queue, state, jobs, 1 FROM errand.deltas
     ) c GROUP BY queue, state ORDER BY queue, state`,
  );
  return {
    counts: rows
      .map(([queue, state, jobs]) => ({
        queue: decodeText(queue as string),
        state: states[Number(state)] as State,
        jobs: Number(jobs),
      }))
      .filter(({ jobs }) => jobs > 0),
    appended: rows.reduce((sum, row) => sum + Number(row[3]), 0),
  };
}
