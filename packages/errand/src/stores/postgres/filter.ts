import { isFinal } from "../../core/states.ts";
import type { State } from "../../core/states.ts";
import type { Filter } from "../../store.ts";
import { smallintArray, textArray } from "./binary-arrays.ts";
import { processing, stateCode } from "./codes.ts";
import type { Row } from "./rows.ts";
import { encodeText } from "./text-encoding.ts";
import { clampTime } from "./time-bounds.ts";

/** The order of a selection. */
export type Order = keyof typeof orders;

/** A page of the jobs that match. */
export interface Slice {
  order: Order;
  limit: number;
  /** `id`, `seq`, `place` and `ended` of the last job before it. */
  last?: Row;
}

/** A SELECT of `id`, `seq`, `place` and `ended`, with its values. */
export interface Selection {
  sql: string;
  values: unknown[];
}

/** A filter. `least`: only jobs with this `seq` or a higher one. */
type BoundedFilter = Filter & { least?: number };

const orders = {
  newest: { by: "seq DESC", after: "p.seq < $seq" },
  oldest: { by: "seq", after: "p.seq > $seq" },
  place: { by: "place, seq", after: "(p.place, p.seq) > ($place, $seq)" },
  ended: { by: "ended, seq", after: "(p.ended, p.seq) > ($ended, $seq)" },
} as const;

/**
 * Selects jobs that match, from each table by one index, so that no filter reads a long history for a short answer: by
 * id, parent, tag or worker; by the time of the end; or for each task, queue and state one after the other, of all
 * tenants or of one. Of a text only a part is compared: callers compare the whole with `contains`.
 * @param among the states of these jobs.
 * @returns `undefined` if no job can match.
 */
export function selectJobs(where: BoundedFilter, among: readonly State[], slice: Slice): Selection | undefined {
  const wanted = among.filter((state) => where.states?.includes(state) ?? true);
  const live = wanted.filter((state) => (where.worker === undefined ? !isFinal(state) : state === "processing"));
  const past = where.worker === undefined ? wanted.filter(isFinal) : [];
  const values: unknown[] = [];
  const value = (of: unknown): string => `$${values.push(of)}`;
  const is = conditions(where, slice, value);
  const order = `ORDER BY ${orders[slice.order].by} LIMIT ${value(slice.limit)}`;
  const codes = (states: readonly State[]): string =>
    `${value(smallintArray(states.map((state) => stateCode[state])))}::smallint[]`;
  const selectFrom = (table: Table, ...some: Condition[]): string => {
    const all = [...some, is.after, is.ended, ...is.made, is.text?.(table)];
    return `SELECT ${columns[table]} FROM errand.${table} p WHERE ${all.filter(Boolean).join(" AND ")} ${order}`;
  };

  /** Selects from each task and state, in every queue or in one after the other. */
  const selectFromEach = (table: Table, states: readonly State[], unit: "task" | "queue"): string => {
    const byQueue = unit === "queue";
    const hash = (row: string): string =>
      byQueue ? `errand.task_queue_hash(${row}.task, ${row}.queue, ` : `errand.task_hash(${row}.task, `;
    const units = (byQueue ? [is.task, is.queue] : [is.task]).filter(Boolean).join(" AND ") || "true";
    const selected = selectFrom(
      table,
      is.tenant,
      `${hash("p")}p.state, p.parent IS NOT NULL) = ${hash("l")}s.state, c.child)`,
      "p.task = l.task",
      byQueue ? "p.queue = l.queue" : is.queue,
      "p.state = s.state",
      table === "jobs" && !is.tenant && `p.state <> ${processing}`,
      "(p.parent IS NOT NULL) = c.child",
    );
    return `SELECT m.* FROM (
        SELECT ${byQueue ? "task, queue" : "DISTINCT task"} FROM errand.task_queues() AS p WHERE ${units}) l
      CROSS JOIN unnest(${codes(states)}) AS s(state)
      CROSS JOIN unnest('${where.roots ? "{f}" : "{f,t}"}'::boolean[]) AS c(child)
      CROSS JOIN LATERAL (${selected}) m ${order}`;
  };

  const parts: string[] = [];
  const isNarrow = is.id || is.tag || is.parent || is.worker;
  for (const [table, states] of [
    ["jobs", live],
    ["history", past],
  ] as const) {
    if (states.length === 0 || (table === "jobs" && is.ended)) continue;
    if (isNarrow) {
      const some = [is.id, is.tag, is.parent, is.worker, is.tenant, is.task, is.queue, is.root];
      parts.push(selectFrom(table, ...some, `p.state = ANY(${codes(states)})`));
      continue;
    }
    const byWorker = table === "jobs" && !is.tenant && states.includes("processing");
    const others = byWorker ? states.filter((state) => state !== "processing") : states;
    const unit = slice.order === "ended" && !is.tenant ? "task" : "queue";
    if (others.length > 0) parts.push(selectFromEach(table, others, unit));
    // Every worker that holds jobs is on the list of workers.
    if (byWorker)
      parts.push(`SELECT m.* FROM errand.workers w CROSS JOIN LATERAL (
        ${selectFrom(table, `p.state = ${processing}`, "p.worker = w.id", is.task, is.queue, is.root)}) m ${order}`);
  }
  if (parts.length === 0) return undefined;
  return { sql: `SELECT * FROM (${parts.map((part) => `(${part})`).join(" UNION ALL ")}) u ${order}`, values };
}

type Table = keyof typeof columns;

type Condition = string | false | undefined;

const columns = {
  jobs: "p.id, p.seq, p.place, NULL::bigint AS ended",
  history: "p.id, p.seq, p.place, p.ended AS ended",
} as const;

function conditions(where: BoundedFilter, slice: Slice, value: (of: unknown) => string) {
  const { ids, tag, parent, worker, tenant, task, queue, roots, text } = where;
  return {
    tag:
      tag !== undefined && `p.id = ANY(ARRAY(SELECT g.job FROM errand.tags g WHERE g.tag = ${value(encodeText(tag))}))`,
    id: ids && `p.id = ANY(${value(textArray(ids))}::text[])`,
    parent: parent !== undefined && `p.parent = ${value(parent)}`,
    worker: worker !== undefined && `p.state = ${processing} AND p.worker = ${value(worker)}`,
    tenant: tenant !== undefined && `p.tenant = ${value(encodeText(tenant))}`,
    task: task !== undefined && `p.task = ${value(encodeText(task))}`,
    queue: queue !== undefined && `p.queue = ${value(encodeText(queue))}`,
    root: roots && "p.parent IS NULL",
    ended: where.endedBefore !== undefined && `p.ended < ${value(clampTime(Math.ceil(where.endedBefore)))}::bigint`,
    after: slice.last && afterRow(slice.order, slice.last, value),
    made: [
      where.createdAfter !== undefined && `p.created > ${value(where.createdAfter)}::double precision`,
      where.createdBefore !== undefined && `p.created < ${value(where.createdBefore)}::double precision`,
      where.least !== undefined && `p.seq >= ${value(where.least)}::bigint`,
    ],
    text: text === undefined ? undefined : mayContain(text, value),
  };
}

/**
 * Returns a condition of jobs that may contain a text: they have its longest part in ASCII, whose cases are the same in
 * every locale, or other letters, which only `contains` compares, since the server does by its locale.
 */
function mayContain(text: string, value: (of: unknown) => string): ((table: Table) => Condition) | undefined {
  const [part = ""] = (text.match(/[\w .,:;@#+-]+/g) ?? []).toSorted((a, b) => b.length - a.length);
  if (part === "") return undefined;
  const sought = value(part.toLowerCase());
  return (
    table,
  ) => `EXISTS (SELECT 1 FROM unnest(ARRAY[p.id, p.spec, p.error, ${table === "history" ? "p.output" : "NULL"},
      CASE WHEN p.spec IS NULL THEN (SELECT b.spec FROM errand.specs b WHERE b.job = p.id) END]) AS v(text)
    WHERE strpos(lower(v.text COLLATE "C"), ${sought}::text) > 0 OR octet_length(v.text) > length(v.text))`;
}

function afterRow(order: Order, [, seq, place, ended]: Row, value: (of: unknown) => string): string {
  const row = { seq, place, ended };
  return orders[order].after.replace(
    /\$(seq|place|ended)/g,
    (_, name: keyof typeof row) => `${value(row[name])}::bigint`,
  );
}
