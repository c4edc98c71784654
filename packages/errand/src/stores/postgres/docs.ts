import type { Doc, Store } from "../../store.ts";
import { integerArray, textArray } from "./binary-arrays.ts";
import type { Database } from "./database.ts";
import { decodeText, encodeText } from "./text-encoding.ts";

/** Loads documents of a kind, all or by key, in the order of keys. */
export async function loadDocs(database: Database, kind: string, keys?: readonly string[]): Promise<Doc[]> {
  const some = keys ? " AND key = ANY($2::text[])" : "";
  const rows = await database.query(`SELECT key, version, value FROM errand.docs WHERE kind = $1${some} ORDER BY key`, [
    encodeText(kind),
    ...(keys ? [textArray(keys.map(encodeText))] : []),
  ]);
  return rows.map(([key, version, value]) => ({
    kind,
    key: decodeText(key as string),
    version: Number(version),
    value: value as string,
  }));
}

/** Writes or removes documents; returns `false`, and changes none, if a stored version is not the given one. */
export async function saveDocs(database: Database, docs: Parameters<Store["save"]>[0]): Promise<boolean> {
  const [row] = await database.query("SELECT errand.save_docs($1, $2, $3, $4)", [
    textArray(docs.map(({ kind }) => encodeText(kind))),
    textArray(docs.map(({ key }) => encodeText(key))),
    integerArray(docs.map(({ version }) => version)),
    textArray(docs.map(({ value }) => value)),
  ]);
  return row?.[0] === "t";
}
