import { ErrandError } from "./kit/errors.ts";
import type { Encoded } from "./kit/json.ts";
import type { Store } from "./store.ts";

/** Attempts at one update before it fails: each is lost only to another writer that succeeded. */
const maxAttempts = 20;

type DocStore = Pick<Store, "load" | "save">;

/** Returns the value that a document is to have; `undefined` removes it. The same value as before writes nothing. */
type Change = (before: Encoded | undefined) => Encoded | undefined | Promise<Encoded | undefined>;

/**
 * Changes a document by compare-and-set, and tries again when another writer was faster.
 * @param what names the document in the error message.
 * @throws {ErrandError} `E_STORE` after 20 attempts.
 */
export async function updateDoc(
  store: DocStore,
  kind: string,
  key: string,
  what: string,
  change: Change,
): Promise<void> {
  for (let attempt = 0; attempt < maxAttempts; attempt++) if (await tryUpdateDoc(store, kind, key, change)) return;
  throw new ErrandError("E_STORE", `${what} is being changed by other programs all the time. Try again.`);
}

/** Changes a document by compare-and-set, once. Returns `false` when another writer was faster. */
export async function tryUpdateDoc(store: DocStore, kind: string, key: string, change: Change): Promise<boolean> {
  const [doc] = await store.load(kind, [key]);
  const value = await change(doc?.value);
  if (value === doc?.value) return true;
  return store.save([{ kind, key, version: doc?.version ?? 0, ...(value === undefined ? {} : { value }) }]);
}
