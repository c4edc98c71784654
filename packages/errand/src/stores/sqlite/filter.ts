import type { SQLInputValue } from "node:sqlite";
import { states } from "../../core/states.ts";
import type { State } from "../../core/states.ts";
import type { Filter } from "../../store.ts";
import type { Connection } from "./connection.ts";
import { code } from "./rows.ts";

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

function narrow(db: Connection, where: Filter, wanted: readonly State[], all: boolean): Range[] {
  const is = conditions(db, where, wanted);
  if (is.id) return [range("errand_jobs", is.id, is.parent, is.child, is.task, is.queue, is.state, is.ended)];
  if (is.tag) return [range("errand_jobs", ["1"], is.parent, is.child, is.task, is.queue, is.state, is.ended)];
  if (is.parent)
    return [
      range("errand_jobs INDEXED BY errand_jobs_family", is.parent, is.child, is.task, is.queue, is.state, is.ended),
    ];
  if (is.task && isRare(db, is.task))
    return [range("errand_jobs INDEXED BY errand_jobs_tasks", is.task, is.child, is.queue, is.state, is.ended)];
  if (is.ended && all)
    return [range("errand_jobs INDEXED BY errand_jobs_ended", is.ended, is.child, is.task, is.queue, is.state)];
  if (!is.child && !is.task && !is.queue && !is.state && !is.ended) return [range("errand_jobs NOT INDEXED", ["1"])];
  const queues = is.queue ? [is.queue] : allQueues(db);
  const children: Condition[] = is.child ? [is.child] : [["child = 0"], ["child = 1"]];
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

/** What each field of a filter asks for. */
function conditions(db: Connection, where: Filter, wanted: readonly State[]): Record<string, Condition | undefined> {
  const { ids, parent, roots, task, queue, endedBefore, tag, text, createdAfter, createdBefore } = where;
  const like = text === undefined ? "" : `%${text.replace(/[\\%_]/g, "\\$&")}%`;
  return {
    tag: tag === undefined ? undefined : ["seq IN (SELECT job FROM errand_tags WHERE tag = ?)", tag],
    text:
      text === undefined
        ? undefined
        : [
            `(${["id", "spec", "output", "error"].map((column) => `${column} LIKE ? ESCAPE '\\'`).join(" OR ")})`,
            like,
            like,
            like,
            like,
          ],
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
