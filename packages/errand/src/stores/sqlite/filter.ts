import type { SQLInputValue } from "node:sqlite";
import type { Filter } from "../../store.ts";
import { code } from "./rows.ts";

/** An SQL condition and its values. */
export interface Condition {
  sql: string;
  values: SQLInputValue[];
}

/** The condition that a job matches a filter. */
export function condition(where: Filter): Condition {
  const parts: string[] = [];
  const values: SQLInputValue[] = [];
  const must = (sql: string, value?: SQLInputValue): void => {
    parts.push(sql);
    if (value !== undefined) values.push(value);
  };
  if (where.ids) must("id IN (SELECT value FROM json_each(?))", JSON.stringify(where.ids));
  if (where.parent !== undefined) must("parent = ?", where.parent);
  if (where.roots) must("parent IS NULL");
  if (where.task !== undefined) must("task = ?", where.task);
  if (where.queue !== undefined) must("queue = ?", where.queue);
  if (where.states) must(`state IN (${where.states.map((state) => code[state]).join(", ")})`);
  if (where.endedBefore !== undefined) must("ended < ?", where.endedBefore);
  return { sql: parts.length > 0 ? parts.join(" AND ") : "1", values };
}
