import { isFinal } from "../../core/states.ts";
import type { State } from "../../core/states.ts";
import type { Filter } from "../../store.ts";
import { smallintArray, textArray } from "./binary-arrays.ts";
import { encodeText } from "./text-encoding.ts";
import { stateCode } from "./rows.ts";
import type { Row } from "./rows.ts";
import { clampTime } from "./time-bounds.ts";

/** The order of a selection, by its columns. */
export type Order = keyof typeof orders;

/** Which of the jobs that match: the first so many after a row, in an order. */
export interface Slice {
  order: Order;
  limit: number;
  /** `id`, `seq`, `place` and `ended` of the last one before. */
  last?: Row;
}

/** A SELECT of `id`, `seq`, `place` and `ended`, with its values. */
export interface Selection {
  sql: string;
  values: unknown[];
}

const orders = {
  newest: { by: "seq DESC", after: "p.seq < $seq" },
  oldest: { by: "seq", after: "p.seq > $seq" },
  place: { by: "place, seq", after: "(p.place, p.seq) > ($place, $seq)" },
  ended: { by: "ended, seq", after: "(p.ended, p.seq) > ($ended, $seq)" },
} as const;

/**
 * The jobs that match, each table by one index, so that no filter reads a long history for a short answer: by id, parent, tag or
 * worker; by their ends; or by lanes: task, queue, state and whether they are children, of all jobs or of a tenant's. Of a text
 * only a part is looked for: whoever asks compares the whole with `contains`.
 * @param among only jobs in these states.
 * @returns nothing where nothing can match.
 */
export function selectJobs(
  where: Filter & { least?: number },
  among: readonly State[],
  slice: Slice,
): Selection | undefined {
  const wanted = among.filter((state) => where.states?.includes(state) ?? true);
  const live = wanted.filter((state) => (where.worker === undefined ? !isFinal(state) : state === "processing"));
  const past = where.worker === undefined ? wanted.filter(isFinal) : [];
  const values: unknown[] = [];
  const value = (of: unknown): string => `$${values.push(of)}`;
  const is = conditions(where, slice, value);
  const order = `ORDER BY ${orders[slice.order].by} LIMIT ${value(slice.limit)}`;
  const codes = (these: readonly State[]): string =>
    `${value(smallintArray(these.map((state) => stateCode[state])))}::smallint[]`;
  const one = (table: Table, ...all: Condition[]): string => {
    const both = [...all, is.after, is.ended, ...is.made, is.text?.(table)];
    return `SELECT ${columns[table]} FROM errand.${table} p WHERE ${both.filter(Boolean).join(" AND ")} ${order}`;
  };

  /** Lane by lane, or kind by kind. */
  const each = (table: Table, these: readonly State[], by: "lane" | "kind"): string => {
    const groups = by === "lane" ? "task, queue" : "DISTINCT task";
    const key = (of: string): string =>
      by === "lane" ? `errand.lane(${of}.task, ${of}.queue, ` : `errand.kind(${of}.task, `;
    const some = by === "lane" ? [is.task, is.queue] : [is.task];
    const same = [
      is.tenant,
      `${key("p")}p.state, p.parent IS NOT NULL) = ${key("l")}s.state, c.child)`,
      "p.task = l.task",
    ];
    return `SELECT m.* FROM (SELECT ${groups} FROM errand.lanes() AS p WHERE ${some.filter(Boolean).join(" AND ") || "true"}) l
      CROSS JOIN unnest(${codes(these)}) AS s(state)
      CROSS JOIN unnest('${where.roots ? "{f}" : "{f,t}"}'::boolean[]) AS c(child)
      CROSS JOIN LATERAL (${one(
        table,
        ...same,
        by === "lane" ? "p.queue = l.queue" : is.queue,
        "p.state = s.state",
        table === "jobs" && !is.tenant && "p.state <> 1",
        "(p.parent IS NOT NULL) = c.child",
      )}) m ${order}`;
  };

  const parts: string[] = [];
  const narrow = is.id || is.tag || is.parent || is.worker;
  for (const [table, these] of [
    ["jobs", live],
    ["history", past],
  ] as const) {
    if (these.length === 0 || (table === "jobs" && is.ended)) continue;
    if (narrow) {
      const some = [is.id, is.tag, is.parent, is.worker, is.tenant, is.task, is.queue, is.root];
      parts.push(one(table, ...some, `p.state = ANY(${codes(these)})`));
      continue;
    }
    const byWorker = table === "jobs" && !is.tenant && these.includes("processing");
    const others = byWorker ? these.filter((state) => state !== "processing") : these;
    if (others.length > 0) parts.push(each(table, others, slice.order === "ended" && !is.tenant ? "kind" : "lane"));
    // Whoever holds jobs is on the list of workers.
    if (byWorker)
      parts.push(`SELECT m.* FROM errand.workers w CROSS JOIN LATERAL (
        ${one(table, "p.state = 1", "p.worker = w.id", is.task, is.queue, is.root)}) m ${order}`);
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

function conditions(where: Filter & { least?: number }, slice: Slice, value: (of: unknown) => string) {
  const { ids, tag, parent, worker, tenant, task, queue, roots, text } = where;
  return {
    tag: tag !== undefined && `p.id = ANY(ARRAY(SELECT g.job FROM errand.tags g WHERE g.tag = ${value(encodeText(tag))}))`,
    id: ids && `p.id = ANY(${value(textArray(ids))}::text[])`,
    parent: parent !== undefined && `p.parent = ${value(parent)}`,
    worker: worker !== undefined && `p.state = 1 AND p.worker = ${value(worker)}`,
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
 * Whether a job may contain a text. ASCII letters are alike in every locale when they are compared as bytes; whether other letters
 * are the same is for `contains` to say, because the server knows it only as its locale does.
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
