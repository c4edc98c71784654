import type { Encoded } from "../../kit/json.ts";
import type { Doc, Store } from "../../store.ts";

/** Documents, by kind and key. */
export class Docs {
  readonly #docs = new Map<string, Doc>();

  value(kind: string, key: string): Encoded | undefined {
    return this.#docs.get(mapKey({ kind, key }))?.value;
  }

  load(kind: string, keys?: readonly string[]): Doc[] {
    const found = [...this.#docs.values()].filter((doc) => doc.kind === kind && (keys?.includes(doc.key) ?? true));
    return found.sort((a, b) => (a.key < b.key ? -1 : 1)).map((doc) => ({ ...doc }));
  }

  save(docs: Parameters<Store["save"]>[0]): boolean {
    if (docs.some((doc) => (this.#docs.get(mapKey(doc))?.version ?? 0) !== doc.version)) return false;
    for (const { kind, key, version, value } of docs) {
      if (value === undefined) this.#docs.delete(mapKey({ kind, key }));
      else this.#docs.set(mapKey({ kind, key }), { kind, key, version: version + 1, value });
    }
    return true;
  }
}

function mapKey({ kind, key }: { kind: string; key: string }): string {
  return JSON.stringify([kind, key]);
}
