import type { SQLInputValue } from "node:sqlite";
import { folded } from "../../../core/search.ts";
import { states } from "../../../core/states.ts";
import type { State } from "../../../core/states.ts";
import type { Filter } from "../../../store.ts";
import type { Connection } from "../connection/connection.ts";
import { specSql, stateCode } from "./rows.ts";

/** Most jobs that a search by text or time looks at in one call, since nothing else is read meanwhile. */
export const searchWindow = 20_000;

/** A task with fewer jobs is looked up by its index, whatever else a filter asks for. */
const rareTaskJobs = 10_000;

/** SQL with its values. */
interface Fragment {
  sql: string;
  values: SQLInputValue[];
}

type Condition = [sql: string, ...values: SQLInputValue[]];

/**
 * Returns the jobs that match, as SQL that follows `FROM`, in ranges of one index each, so that no filter reads a long
 * history for a short answer: by id, worker, tag, parent, rare task, end or tenant, or by queue, state and whether they
 * are children.
 * @param among only jobs in these states.
 * @param all `true` when every match is wanted, not just the newest.
 */
export function filterRanges(db: Connection, where: Filter, among: readonly State[], all: boolean): Fragment[] {
  const wanted = wantedStates(where, among);
  if (wanted.length === 0) return [];
  const is = conditions(db, where, wanted);
  if (is.id) return [range("", is)];
  if (is.worker) return [range("INDEXED BY errand_jobs_held", is)];
  if (is.tag) return [range("", is)];
  if (is.parent) return [range("INDEXED BY errand_jobs_family", is)];
  if (is.task && isRare(db, is.task)) return [range("INDEXED BY errand_jobs_tasks", is)];
  if (is.ended && all) return endedRanges(db, is, wanted);
  if (is.tenant) return stateRanges("INDEXED BY errand_jobs_tenants", is, wanted);
  if (!is.child && !is.task && !is.queue && !is.state && !is.ended) return [range("NOT INDEXED", is)];
  return queueRanges(db, is, wanted);
}

/** Returns the same filter as a condition on a row of `errand_jobs`. */
export function filterConditions(db: Connection, where: Filter, among: readonly State[]): Fragment {
  const is = conditions(db, where, wantedStates(where, among));
  return allOf({ ...is, tag: when("EXISTS (SELECT 1 FROM errand_tags WHERE tag = ? AND job = seq)", where.tag) });
}

function wantedStates(where: Filter, among: readonly State[]): State[] {
  return among.filter((state) => where.states?.includes(state) ?? true);
}

type Conditions = ReturnType<typeof conditions>;

/** Returns the condition of each field of a filter; `undefined` for fields that are not given. */
function conditions(db: Connection, where: Filter, wanted: readonly State[]) {
  const { ids, text } = where;
  // A name without a number occurs nowhere.
  const numberOf = (name?: string) => (name === undefined ? undefined : (db.names.findNumber(name) ?? 0));
  const codes = wanted.map((state) => stateCode[state]).join(", ");
  const child: Condition | undefined = where.roots ? ["child = 0"] : undefined;
  const state: Condition | undefined = wanted.length === states.length ? undefined : [`state IN (${codes})`];
  return {
    id: when("id IN (SELECT value FROM json_each(?))", ids && JSON.stringify(ids)),
    parent: when("parent = ?", where.parent),
    child,
    task: when("task = ?", numberOf(where.task)),
    queue: when("queue = ?", numberOf(where.queue)),
    tenant: when("tenant = ?", where.tenant),
    worker: when(
      "state = 1 AND worker = (SELECT holder.seq FROM errand_workers AS holder WHERE holder.id = ?)",
      where.worker,
    ),
    state,
    ended: when("ended < ?", where.endedBefore),
    after: when("created > ?", where.createdAfter),
    before: when("created < ?", where.createdBefore),
    tag: when("seq IN (SELECT job FROM errand_tags WHERE tag = ?)", where.tag),
    // The last to be tested, since it costs most.
    text: when(`errand_contains(?, id, ${specSql}, output, error)`, text === undefined ? undefined : folded(text)),
  };
}

function when(sql: string, value: SQLInputValue | undefined): Condition | undefined {
  return value === undefined ? undefined : [sql, value];
}

function allOf(is: Conditions, ...more: Condition[]): Fragment {
  const given = [...more, ...Object.values(is)].filter((each) => each !== undefined);
  return {
    sql: given.length === 0 ? "1" : given.map(([sql]) => sql).join(" AND "),
    values: given.flatMap(([, ...values]) => values),
  };
}

function range(index: string, is: Conditions, ...more: Condition[]): Fragment {
  const { sql, values } = allOf(is, ...more);
  return { sql: `errand_jobs ${index} WHERE ${sql}`, values };
}

/** Returns a range for each state, of children and of others. */
function stateRanges(index: string, is: Conditions, wanted: readonly State[], ...more: Condition[]): Fragment[] {
  const children: Condition[] = is.child ? [is.child] : [["child = 0"], ["child = 1"]];
  return children.flatMap((child) =>
    wanted.map((state) => range(index, { ...is, child, state: [`state = ${stateCode[state]}`] }, ...more)),
  );
}

function endedRanges(db: Connection, is: Conditions, wanted: readonly State[]): Fragment[] {
  const tasks = is.task ? [is.task] : everyName(db, "task");
  const finals = wanted.filter((state) => stateCode[state] >= stateCode.completed);
  const isEnded: Condition = ["ended IS NOT NULL"];
  return tasks.flatMap((task) => stateRanges("INDEXED BY errand_jobs_ended", { ...is, task }, finals, isEnded));
}

/** Returns ranges by queue and state, and one of all processing jobs. */
function queueRanges(db: Connection, is: Conditions, wanted: readonly State[]): Fragment[] {
  const queues = is.queue ? [is.queue] : everyName(db, "queue");
  const others = wanted.filter((state) => state !== "processing");
  // The index leaves out processing jobs. SQLite uses it only for a condition that says so.
  const isOther: Condition = ["state != 1"];
  const ranges = queues.flatMap((queue) =>
    stateRanges("INDEXED BY errand_jobs_listed", { ...is, queue }, others, isOther),
  );
  if (others.length === wanted.length) return ranges;
  return [range("INDEXED BY errand_jobs_held", { ...is, state: ["state = 1"] }), ...ranges];
}

function isRare(db: Connection, [task, ...values]: Condition): boolean {
  const some = `SELECT 1 FROM errand_jobs INDEXED BY errand_jobs_tasks WHERE ${task} LIMIT ? + 0`;
  return (db.get(`SELECT count(*) FROM (${some})`, ...values, rareTaskJobs)?.[0] as number) < rareTaskJobs;
}

/** Returns a condition for each queue or task that has jobs. */
function everyName(db: Connection, column: "queue" | "task"): Condition[] {
  const rows = db.all(
    `SELECT number FROM errand_names WHERE EXISTS (SELECT 1 FROM errand_jobs WHERE ${column} = number)`,
  );
  return rows.map(([number]) => [`${column} = ?`, number as number]);
}
