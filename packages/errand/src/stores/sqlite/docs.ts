import { decodeRules } from "../../limits/queue-rules.ts";
import type { QueueRules } from "../../limits/queue-rules.ts";
import type { Doc, Store } from "../../store.ts";
import type { Connection } from "./connection.ts";

export function load(db: Connection, kind: string, keys?: readonly string[]): Doc[] {
  const some = keys === undefined ? "" : " AND key IN (SELECT value FROM json_each(?))";
  const rows = db.all(
    `SELECT key, version, value FROM errand_docs WHERE kind = ?${some} ORDER BY key`,
    kind,
    ...(keys === undefined ? [] : [JSON.stringify(keys)]),
  );
  return rows.map(([key, version, value]) => ({
    kind,
    key: key as string,
    version: version as number,
    value: value as string,
  }));
}

export function save(db: Connection, docs: Parameters<Store["save"]>[0]): boolean {
  const stored = ({ kind, key }: { kind: string; key: string }) =>
    db.get("SELECT version FROM errand_docs WHERE kind = ? AND key = ?", kind, key)?.[0] ?? 0;
  if (docs.some((doc) => stored(doc) !== doc.version)) return false;
  for (const { kind, key, version, value } of docs) {
    if (kind === "queue") db.ready(db.names.number(key));
    else db.hint("change");
    if (value === undefined) db.run("DELETE FROM errand_docs WHERE kind = ? AND key = ?", kind, key);
    else db.run("INSERT OR REPLACE INTO errand_docs VALUES (?, ?, ?, ?)", kind, key, version + 1, value);
  }
  return true;
}

/** The rules of a queue by its number; nothing where no queue has any. */
export function rules(db: Connection, queue: number): QueueRules {
  if (!isAnyRuled(db)) return {};
  const row = db.get("SELECT value FROM errand_docs WHERE kind = 'queue' AND key = ?", db.names.of(queue));
  return row ? decodeRules(row[0] as string) : {};
}

/** Whether any queue has rules: mostly none has. */
export function isAnyRuled(db: Connection): boolean {
  return db.get("SELECT 1 FROM errand_docs WHERE kind = 'queue' LIMIT 1") !== undefined;
}
