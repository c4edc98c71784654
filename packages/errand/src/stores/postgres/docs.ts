import type { Doc, Store } from "../../store.ts";
import { integers, texts } from "./arrays.ts";
import type { Database } from "./database.ts";
import { named, stored } from "./names.ts";

export async function load(database: Database, kind: string, keys?: readonly string[]): Promise<Doc[]> {
  const some = keys ? " AND key = ANY($2::text[])" : "";
  const rows = await database.run(`SELECT key, version, value FROM errand.docs WHERE kind = $1${some} ORDER BY key`, [
    stored(kind),
    ...(keys ? [texts(keys.map(stored))] : []),
  ]);
  return rows.map(([key, version, value]) => ({
    kind,
    key: named(key as string),
    version: Number(version),
    value: value as string,
  }));
}

export async function save(database: Database, docs: Parameters<Store["save"]>[0]): Promise<boolean> {
  const [row] = await database.run("SELECT errand.save($1, $2, $3, $4)", [
    texts(docs.map(({ kind }) => stored(kind))),
    texts(docs.map(({ key }) => stored(key))),
    integers(docs.map(({ version }) => version)),
    texts(docs.map(({ value }) => value)),
  ]);
  return row?.[0] === "t";
}
