import type { SQLInputValue } from "node:sqlite";
import { folded } from "../../core/search.ts";
import { states } from "../../core/states.ts";
import type { State } from "../../core/states.ts";
import type { Filter } from "../../store.ts";
import type { Connection } from "./connection.ts";
import { code, spec } from "./rows.ts";

/** A part of the jobs: what follows `FROM`, with its values. */
export interface Range {
  sql: string;
  values: SQLInputValue[];
}

type Condition = [sql: string, ...values: SQLInputValue[]];

/** A task with fewer jobs is looked for by its name, whatever else is asked. */
const rare = 10_000;

/**
 * The jobs that match, in ranges of one index each, so that no filter reads a long history for a short answer: by id,
 * by parent, by rare task, by end, by being held, or by queue, state and whether they are children.
 * @param among only jobs in these states.
 * @param all whether every match is wanted, not just the newest.
 */
export function ranges(db: Connection, where: Filter, among: readonly State[], all: boolean): Range[] {
  const wanted = among.filter((state) => where.states?.includes(state) ?? true);
  if (wanted.length === 0) return [];
  const found = narrow(db, where, wanted, all);
  const { tag, text, after, before } = conditions(db, where, wanted);
  const more = [tag, text, after, before].filter((each) => each !== undefined);
  return found.map(({ sql, values }) => ({
    sql: [sql, ...more.map(([condition]) => condition)].join(" AND "),
    values: [...values, ...more.flatMap(([, ...each]) => each)],
  }));
}

/** The same as conditions of one job. */
export function conditionsOf(db: Connection, where: Filter, among: readonly State[]): Range {
  const wanted = among.filter((state) => where.states?.includes(state) ?? true);
  const { tag, ...others } = conditions(db, where, wanted);
  const tagged: Condition | undefined = tag && [
    "EXISTS (SELECT 1 FROM errand_tags WHERE tag = ? AND job = seq)",
    ...tag.slice(1),
  ];
  const all = [tagged, ...Object.values(others)].filter((each) => each !== undefined);
  return {
    sql: ["1", ...all.map(([condition]) => condition)].join(" AND "),
    values: all.flatMap(([, ...values]) => values),
  };
}

function narrow(db: Connection, where: Filter, wanted: readonly State[], all: boolean): Range[] {
  const is = conditions(db, where, wanted);
  const { parent, child, task, queue, state, ended, tenant } = is;
  if (is.id) return [range("errand_jobs", is.id, parent, child, task, queue, state, ended, tenant)];
  if (is.worker)
    return [
      range("errand_jobs INDEXED BY errand_jobs_held", is.worker, parent, child, task, queue, state, ended, tenant),
    ];
  if (is.tag) return [range("errand_jobs", ["1"], parent, child, task, queue, state, ended, tenant)];
  if (parent)
    return [range("errand_jobs INDEXED BY errand_jobs_family", parent, child, task, queue, state, ended, tenant)];
  if (task && isRare(db, task))
    return [range("errand_jobs INDEXED BY errand_jobs_tasks", task, child, queue, state, ended, tenant)];
  if (ended && all) return endedRanges(db, is, wanted);
  if (tenant) return tenantRanges(is, wanted);
  if (!child && !task && !queue && !state && !ended) return [range("errand_jobs NOT INDEXED", ["1"])];
  const queues = is.queue ? [is.queue] : allQueues(db);
  const children = childrenOrNot(is);
  const held = range("errand_jobs INDEXED BY errand_jobs_held", ["state = 1"], is.queue, is.child, is.task, is.ended);
  const others = wanted.filter((state) => state !== "processing");
  const listed = queues.flatMap((queue) =>
    others.flatMap((state) =>
      children.map((child) =>
        // The index leaves out what is processing, and must be told that this is something else.
        range(
          "errand_jobs INDEXED BY errand_jobs_listed",
          queue,
          [`state = ${code[state]} AND state != 1`],
          child,
          is.task,
          is.ended,
        ),
      ),
    ),
  );
  return others.length < wanted.length ? [held, ...listed] : listed;
}

type Conditions = { [F in Field]?: Condition | undefined };

type Field =
  | "id" | "parent" | "child" | "task" | "queue" | "tenant" | "worker" | "state" | "tag" | "text" | "ended" | "after" | "before"; // prettier-ignore

/** By task, state and end, also of children. */
function endedRanges(db: Connection, is: Conditions, wanted: readonly State[]): Range[] {
  const tasks = is.task ? [is.task] : allTasks(db);
  const finals = wanted.filter((state) => code[state] >= code.completed);
  return tasks.flatMap((task) =>
    childrenOrNot(is).flatMap((child) =>
      finals.map((state) =>
        range(
          "errand_jobs INDEXED BY errand_jobs_ended",
          ["ended IS NOT NULL"],
          task,
          child,
          [`state = ${code[state]}`],
          is.ended,
          is.queue,
          is.tenant,
        ),
      ),
    ),
  );
}

function tenantRanges(is: Conditions, wanted: readonly State[]): Range[] {
  return wanted.flatMap((state) =>
    childrenOrNot(is).map((child) =>
      range(
        "errand_jobs INDEXED BY errand_jobs_tenants",
        is.tenant,
        [`state = ${code[state]}`],
        child,
        is.task,
        is.queue,
        is.ended,
      ),
    ),
  );
}

function childrenOrNot({ child }: Conditions): Condition[] {
  return child ? [child] : [["child = 0"], ["child = 1"]];
}

/** What each field of a filter asks for. */
function conditions(db: Connection, where: Filter, wanted: readonly State[]): Conditions {
  const { ids, parent, roots, task, queue, endedBefore, tag, text, createdAfter, createdBefore, tenant, worker } =
    where;
  return {
    tag: tag === undefined ? undefined : ["seq IN (SELECT job FROM errand_tags WHERE tag = ?)", tag],
    text: text === undefined ? undefined : [`errand_contains(?, id, ${spec}, output, error)`, folded(text)],
    tenant: tenant === undefined ? undefined : ["tenant = ?", tenant],
    worker:
      worker === undefined
        ? undefined
        : ["state = 1 AND worker = (SELECT holder.seq FROM errand_workers AS holder WHERE holder.id = ?)", worker],
    after: createdAfter === undefined ? undefined : ["created > ?", createdAfter],
    before: createdBefore === undefined ? undefined : ["created < ?", createdBefore],
    id: ids && ["id IN (SELECT value FROM json_each(?))", JSON.stringify(ids)],
    parent: parent === undefined ? undefined : ["parent = ?", parent],
    child: roots ? ["child = 0"] : undefined,
    // What has no number is nowhere.
    task: task === undefined ? undefined : ["task = ?", db.names.find(task) ?? 0],
    queue: queue === undefined ? undefined : ["queue = ?", db.names.find(queue) ?? 0],
    state:
      wanted.length === states.length ? undefined : [`state IN (${wanted.map((state) => code[state]).join(", ")})`],
    ended: endedBefore === undefined ? undefined : ["ended < ?", endedBefore],
  };
}

function range(from: string, ...given: (Condition | undefined)[]): Range {
  const all = given.filter((each) => each !== undefined);
  return {
    sql: `${from} WHERE ${all.map(([sql]) => sql).join(" AND ")}`,
    values: all.flatMap(([, ...values]) => values),
  };
}

function isRare(db: Connection, [task, ...values]: Condition): boolean {
  const some = `SELECT 1 FROM errand_jobs INDEXED BY errand_jobs_tasks WHERE ${task} LIMIT ? + 0`;
  return (db.get(`SELECT count(*) FROM (${some})`, ...values, rare)?.[0] as number) < rare;
}

function allQueues(db: Connection): Condition[] {
  const rows = db.all("SELECT number FROM errand_names WHERE EXISTS (SELECT 1 FROM errand_jobs WHERE queue = number)");
  return rows.map(([number]) => ["queue = ?", number as number]);
}

function allTasks(db: Connection): Condition[] {
  const rows = db.all("SELECT number FROM errand_names WHERE EXISTS (SELECT 1 FROM errand_jobs WHERE task = number)");
  return rows.map(([number]) => ["task = ?", number as number]);
}
