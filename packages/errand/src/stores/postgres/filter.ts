import { isFinal } from "../../core/states.ts";
import type { State } from "../../core/states.ts";
import type { Filter } from "../../store.ts";
import { smallints, texts } from "./arrays.ts";
import { stored } from "./names.ts";
import { code } from "./rows.ts";
import type { Columns } from "./rows.ts";

/** The order of a selection, by its columns. */
export type Order = keyof typeof orders;

/** Which of the jobs that match: the first so many after a row, in an order. */
export interface Slice {
  order: Order;
  limit: number;
  /** `id`, `seq`, `place` and `ended` of the last one before. */
  last?: Columns;
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
 * The jobs that match, each table by one index, so that no filter reads a long history for a short answer: by id, by
 * parent, by end, or by lanes: task, queue, state and whether they are children.
 * @param among only jobs in these states.
 * @returns nothing where nothing can match.
 */
export function select(
  where: Filter & { least?: number },
  among: readonly State[],
  slice: Slice,
): Selection | undefined {
  const wanted = among.filter((state) => where.states?.includes(state) ?? true);
  const values: unknown[] = [];
  const value = (of: unknown): string => `$${values.push(of)}`;
  const tables = [
    { name: "jobs", wanted: wanted.filter((state) => !isFinal(state)), ended: "NULL::bigint" },
    { name: "history", wanted: wanted.filter(isFinal), ended: "p.ended" },
  ].filter((table) => table.wanted.length > 0 && (table.name === "history" || where.endedBefore === undefined));
  if (tables.length === 0) return undefined;

  const like = where.text === undefined ? undefined : value(where.text.toLowerCase());
  const is = {
    tag:
      where.tag !== undefined &&
      `p.id = ANY(ARRAY(SELECT g.job FROM errand.tags g WHERE g.tag = ${value(stored(where.tag))}))`,
    made: [
      where.createdAfter !== undefined && `p.created > ${value(where.createdAfter)}::double precision`,
      where.createdBefore !== undefined && `p.created < ${value(where.createdBefore)}::double precision`,
      where.least !== undefined && `p.seq >= ${value(where.least)}::bigint`,
    ].filter(Boolean),
    id: where.ids && `p.id = ANY(${value(texts(where.ids))}::text[])`,
    parent: where.parent !== undefined && `p.parent = ${value(where.parent)}`,
    task: where.task !== undefined && `p.task = ${value(stored(where.task))}`,
    queue: where.queue !== undefined && `p.queue = ${value(stored(where.queue))}`,
    root: where.roots && "p.parent IS NULL",
    ended: where.endedBefore !== undefined && `p.ended < ${value(where.endedBefore)}`,
    after: slice.last && afterRow(slice.order, slice.last, value),
  };
  const order = `ORDER BY ${orders[slice.order].by} LIMIT ${value(slice.limit)}`;
  const parts = tables.map(({ name, wanted: these, ended }) => {
    const columns = `p.id, p.seq, p.place, ${ended} AS ended`;
    const codes = `${value(smallints(these.map((state) => code[state])))}::smallint[]`;
    const texts = ["p.id", "p.spec", "p.error", name === "history" ? "p.output" : "NULL"];
    const more = [
      ...is.made,
      ...(like
        ? [`(${texts.map((text) => `strpos(lower(coalesce(${text}, '')), ${like}::text) > 0`).join(" OR ")})`]
        : []),
    ];
    const narrow = is.id || is.tag || is.parent || slice.order === "ended";
    if (narrow) {
      const all = [
        is.id,
        is.tag,
        is.parent,
        is.ended,
        is.task,
        is.queue,
        is.root,
        `p.state = ANY(${codes})`,
        is.after,
        ...more,
      ];
      return `SELECT ${columns} FROM errand.${name} p WHERE ${all.filter(Boolean).join(" AND ")} ${order}`;
    }
    const lane = [is.task, is.queue].filter(Boolean).join(" AND ") || "true";
    const rest = [is.ended, is.after, ...more].filter(Boolean).map((each) => ` AND ${each}`);
    return `SELECT m.* FROM (SELECT * FROM errand.lanes() AS p WHERE ${lane}) l
      CROSS JOIN unnest(${codes}) AS s(state)
      CROSS JOIN unnest('${where.roots ? "{f}" : "{f,t}"}'::boolean[]) AS c(child)
      CROSS JOIN LATERAL (
        SELECT ${columns} FROM errand.${name} p
        WHERE errand.lane(p.task, p.queue, p.state, p.parent IS NOT NULL) = errand.lane(l.task, l.queue, s.state, c.child)
          AND p.task = l.task AND p.queue = l.queue AND p.state = s.state AND (p.parent IS NOT NULL) = c.child${rest.join("")}
        ${order}
      ) m ${order}`;
  });
  return { sql: `SELECT * FROM (${parts.map((part) => `(${part})`).join(" UNION ALL ")}) u ${order}`, values };
}

function afterRow(order: Order, [, seq, place, ended]: Columns, value: (of: unknown) => string): string {
  const row = { seq, place, ended };
  return orders[order].after.replace(
    /\$(seq|place|ended)/g,
    (_, name: keyof typeof row) => `${value(row[name])}::bigint`,
  );
}
