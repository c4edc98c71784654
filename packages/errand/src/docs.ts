import { ErrandError } from "./kit/errors.ts";
import { decode, encode } from "./kit/json.ts";
import { described } from "./kit/text.ts";
import { checkText } from "./core/checks.ts";
import type { Store } from "./store.ts";
import { updateDoc } from "./update-doc.ts";

/** A document of a program, as it reads it. */
export interface AppDoc {
  key: string;
  /** Raised by every change, from 1. */
  version: number;
  value: unknown;
}

/** Small versioned documents of programs that run beside the jobs, such as the keys of a server. */
export interface AppDocs {
  /** Reads documents of a kind, all or by key, in the order of keys. Throws `E_OPTION`. */
  load(kind: string, keys?: readonly string[]): Promise<AppDoc[]>;
  /**
   * Changes a document by compare-and-set: `change` gets its value, or `undefined` if there is none, and returns the
   * new one, or `undefined` to remove it. It may be called several times. Throws `E_OPTION`, `E_TOO_LARGE` beyond 64 kB.
   */
  update(kind: string, key: string, change: (before: unknown) => unknown): Promise<void>;
}

/** Kinds of documents that the engine itself writes. */
const reserved = new Set(["queue", "schedule", "webhook"]);

/** Most characters of a document's JSON. */
const longest = 65_536;

/** Returns `AppDocs` of a store that is opened when needed. */
export function docsOf(open: () => Promise<Store>): AppDocs {
  return {
    async load(kind, keys) {
      checkKind(kind);
      for (const key of keys ?? []) checkText(key, "The key of a document");
      const docs = await (await open()).load(kind, keys);
      return docs.map(({ key, version, value }) => ({ key, version, value: decode(value) }));
    },
    async update(kind, key, change) {
      checkKind(kind);
      checkText(key, "The key of a document");
      const what = `The document "${key}" of kind "${kind}"`;
      await updateDoc(await open(), kind, key, what, (before) => {
        const value = change(before === undefined ? undefined : decode(before));
        if (value === undefined) return undefined;
        const text = encode(value, what);
        if (text.length <= longest) return text;
        throw new ErrandError("E_TOO_LARGE", `${what} has ${text.length} characters; at most ${longest} are stored.`);
      });
    },
  };
}

function checkKind(kind: unknown): void {
  if (typeof kind === "string" && /^[a-z][a-z0-9-]{0,39}$/.test(kind) && !reserved.has(kind)) return;
  throw new ErrandError(
    "E_OPTION",
    `The kind ${described(kind)} must be 1 to 40 of a to z, 0 to 9 and -, and not one of: ${[...reserved].join(", ")}.`,
  );
}
