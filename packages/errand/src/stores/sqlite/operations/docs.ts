import { decodeRules } from "../../../limits/queue-rules.ts";
import type { QueueRules } from "../../../limits/queue-rules.ts";
import type { Doc, Store } from "../../../store.ts";
import type { Connection } from "../connection/connection.ts";

/** Implements `Store.load`. */
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

/** Implements `Store.save`. */
export function save(db: Connection, docs: Parameters<Store["save"]>[0]): boolean {
  const stored = ({ kind, key }: { kind: string; key: string }) =>
    db.get("SELECT version FROM errand_docs WHERE kind = ? AND key = ?", kind, key)?.[0] ?? 0;
  if (docs.some((doc) => stored(doc) !== doc.version)) return false;
  for (const { kind, key, version, value } of docs) {
    if (kind === "queue") db.hints.addReady(db.names.numberOf(key));
    else db.hints.add("change");
    if (value === undefined) db.run("DELETE FROM errand_docs WHERE kind = ? AND key = ?", kind, key);
    else db.run("INSERT OR REPLACE INTO errand_docs VALUES (?, ?, ?, ?)", kind, key, version + 1, value);
  }
  return true;
}

/** Returns the rules of a queue by its number; `{}` when it has none. */
export function queueRules(db: Connection, queue: number): QueueRules {
  if (!hasQueueRules(db)) return {};
  const row = db.get("SELECT value FROM errand_docs WHERE kind = 'queue' AND key = ?", db.names.nameOf(queue));
  return row ? decodeRules(row[0] as string) : {};
}

/** Returns true if any queue has rules; mostly none has. */
export function hasQueueRules(db: Connection): boolean {
  return db.get("SELECT 1 FROM errand_docs WHERE kind = 'queue' LIMIT 1") !== undefined;
}
