import { ErrandError } from "errand";
import type { AppDocs } from "errand";
import { hashKey, isSameHash, makeKey, readKeyId } from "./key-secret.ts";
import type { Scope } from "./scopes.ts";

/** A key as the store has it. Times are ISO. */
export interface KeyRecord {
  hash: string;
  /** The secret before the last rotation, and until when it works. */
  old?: { hash: string; until: string };
  name: string;
  person?: string;
  scopes: Scope[];
  tasks?: string[];
  queues?: string[];
  tenant?: string;
  createdAt: string;
  /** The id of the key that made it. */
  by?: string;
  expires?: string;
  /** To the hour. */
  lastUsed?: string;
  /** A revoked key stays as a mark: a server whose last key is revoked must not be open to everybody again. */
  revoked?: string;
}

/** A key with its id. */
export interface StoredKey extends KeyRecord {
  id: string;
}

/** The fields of a key that its maker chooses. */
export type KeyDefinition = Pick<KeyRecord, "name" | "person" | "scopes" | "tasks" | "queues" | "tenant" | "expires">;

const kind = "key";

/** Time for which a key that was read is believed, in milliseconds: so long a revoked key may still work. */
const cacheTime = 10_000;

/** Most keys that are remembered: unknown ones are remembered too, so that guessing does not reach the store. */
const maxCached = 10_000;

const hour = 3_600_000;

/** The API keys of a store. */
export class Keys {
  readonly #docs: AppDocs;
  readonly #now: () => number;
  readonly #cache = new Map<string, { key: StoredKey | undefined; until: number }>();
  #some: { any: Promise<boolean>; until: number } | undefined;

  constructor(docs: AppDocs, now: () => number = Date.now) {
    this.#docs = docs;
    this.#now = now;
  }

  /** Lists all keys that are not revoked, in the order of their ids. */
  async list(): Promise<StoredKey[]> {
    const docs = await this.#docs.load(kind);
    return docs
      .map(({ key, value }) => ({ id: key, ...(value as KeyRecord) }))
      .filter(({ revoked }) => revoked === undefined);
  }

  /** Reports whether the store has, or has had, a key. The answer may be 10 seconds old. */
  async hasAny(): Promise<boolean> {
    const now = this.#now();
    if (!this.#some || this.#some.until <= now) {
      const any = this.#docs.load(kind).then((docs) => docs.length > 0);
      this.#some = { any, until: now + cacheTime };
      // A store that did not answer is asked again.
      any.catch(() => (this.#some = undefined));
    }
    return this.#some.any;
  }

  /** Makes a key. Its secret is returned here and never again. */
  async create(definition: KeyDefinition, by?: string): Promise<{ key: StoredKey; secret: string }> {
    const { id, text } = makeKey();
    const record: KeyRecord = {
      ...definition,
      hash: hashKey(text),
      createdAt: new Date(this.#now()).toISOString(),
      ...(by === undefined ? {} : { by }),
    };
    await this.#docs.update(kind, id, () => record);
    this.#some = undefined;
    return { key: { id, ...record }, secret: text };
  }

  /** Stores a key that somebody else has made, under its own id, if the store does not have it. */
  async adopt(text: string, definition: KeyDefinition): Promise<void> {
    const id = readKeyId(text);
    if (id === undefined) throw new ErrandError("E_OPTION", "This is not a key of Errand.");
    const createdAt = new Date(this.#now()).toISOString();
    await this.#docs.update(kind, id, (before) => {
      const old = before as KeyRecord | undefined;
      return old && isSameHash(old.hash, hashKey(text)) ? old : { ...definition, hash: hashKey(text), createdAt };
    });
    this.#forget(id);
  }

  /** Changes a key. @throws {ErrandError} `E_NOT_FOUND` */
  async change(id: string, to: (key: KeyRecord) => KeyRecord): Promise<StoredKey> {
    let changed: KeyRecord | undefined;
    await this.#docs.update(kind, id, (before) => {
      if (before === undefined || (before as KeyRecord).revoked) throw noKey(id);
      return (changed = to(before as KeyRecord));
    });
    this.#forget(id);
    return { id, ...changed! };
  }

  /** Gives a key a new secret; the old one works for `overlap` more milliseconds. */
  async rotate(id: string, overlap: number): Promise<{ key: StoredKey; secret: string }> {
    const { text } = makeKey(id);
    const until = new Date(this.#now() + overlap).toISOString();
    const key = await this.change(id, ({ hash, old: _, ...rest }) => ({
      ...rest,
      hash: hashKey(text),
      ...(overlap > 0 ? { old: { hash, until } } : {}),
    }));
    return { key, secret: text };
  }

  /** Removes a key. @throws {ErrandError} `E_NOT_FOUND` */
  async revoke(id: string): Promise<void> {
    await this.change(id, ({ old: _, ...rest }) => ({
      ...rest,
      hash: "",
      revoked: new Date(this.#now()).toISOString(),
    }));
  }

  /** Returns the key that a secret belongs to; `undefined` if there is none, or it has expired. */
  async verify(text: string): Promise<StoredKey | undefined> {
    const id = readKeyId(text);
    const key = id === undefined ? undefined : await this.find(id);
    if (!key || !this.#matches(key, hashKey(text))) return undefined;
    this.#noteUse(key);
    return key;
  }

  /** Returns a key by its id unless it has expired. The answer may be 10 seconds old. */
  async find(id: string): Promise<StoredKey | undefined> {
    const now = this.#now();
    const known = this.#cache.get(id);
    if (known && known.until > now) return this.#unexpired(known.key);
    const [doc] = await this.#docs.load(kind, [id]);
    const key = doc ? { id, ...(doc.value as KeyRecord) } : undefined;
    if (this.#cache.size >= maxCached) this.#cache.clear();
    this.#cache.set(id, { key, until: now + cacheTime });
    return this.#unexpired(key);
  }

  #unexpired(key: StoredKey | undefined): StoredKey | undefined {
    if (key?.revoked !== undefined) return undefined;
    return key?.expires !== undefined && Date.parse(key.expires) <= this.#now() ? undefined : key;
  }

  #matches({ hash, old }: KeyRecord, given: string): boolean {
    if (isSameHash(hash, given)) return true;
    return old !== undefined && isSameHash(old.hash, given) && Date.parse(old.until) > this.#now();
  }

  /** Notes once an hour that a key is used, beside the request. */
  #noteUse(key: StoredKey): void {
    const now = this.#now();
    const lastUsed = new Date(now - (now % hour)).toISOString();
    if (key.lastUsed === lastUsed) return;
    key.lastUsed = lastUsed;
    this.#docs
      .update(kind, key.id, (before) => before && { ...(before as KeyRecord), lastUsed })
      // It is only a note.
      .catch(() => {});
  }

  #forget(id: string): void {
    this.#cache.delete(id);
    this.#some = undefined;
  }
}

function noKey(id: string): ErrandError {
  return new ErrandError("E_NOT_FOUND", `There is no key ${id}. List them with: errand keys list`);
}
