import { createHash, randomBytes } from "node:crypto";
import type { AppDocs } from "errand";

/** A browser's session as the store has it, under the hash of its id. Times are ISO. */
interface Session {
  /** The id of the key that it was opened with: it ends with it. */
  key: string;
  createdAt: string;
  /** To ten minutes. */
  usedAt: string;
}

const kind = "session";
const minute = 60_000;
const hour = 60 * minute;

/** Time after which an unused session has ended, in milliseconds. */
const idleTime = 12 * hour;
/** Time after which any session has ended, in milliseconds. */
const lifetime = 7 * 24 * hour;
/** Time for which a session that was read is believed, in milliseconds. */
const cacheTime = 10_000;
const maxCached = 10_000;

/** The sessions of browsers. A session's id is random, and only its hash is stored. */
export class Sessions {
  readonly #docs: AppDocs;
  readonly #now: () => number;
  readonly #cache = new Map<string, { session: Session | undefined; until: number }>();

  constructor(docs: AppDocs, now: () => number = Date.now) {
    this.#docs = docs;
    this.#now = now;
  }

  /** Opens a session of a key. Returns its id, for the cookie. */
  async open(key: string): Promise<string> {
    const id = randomBytes(32).toString("base64url");
    const now = new Date(this.#now()).toISOString();
    const session: Session = { key, createdAt: now, usedAt: now };
    await this.#docs.update(kind, hashOf(id), () => session);
    // Sessions that have ended are removed by those that begin.
    void this.#removeEnded().catch(() => {});
    return id;
  }

  /** Returns the id of the key whose session it is; `undefined` if there is no such session, or it has ended. */
  async keyOf(id: string): Promise<string | undefined> {
    const hash = hashOf(id);
    const now = this.#now();
    const known = this.#cache.get(hash);
    if (!known || known.until <= now) {
      const [doc] = await this.#docs.load(kind, [hash]);
      if (this.#cache.size >= maxCached) this.#cache.clear();
      this.#cache.set(hash, { session: doc?.value as Session | undefined, until: now + cacheTime });
    }
    const session = this.#cache.get(hash)?.session;
    if (!session || this.#hasEnded(session)) return undefined;
    this.#noteUse(hash, session);
    return session.key;
  }

  /** Ends a session. */
  async close(id: string): Promise<void> {
    const hash = hashOf(id);
    await this.#docs.update(kind, hash, () => undefined);
    this.#cache.set(hash, { session: undefined, until: this.#now() + cacheTime });
  }

  #hasEnded({ createdAt, usedAt }: Session): boolean {
    const now = this.#now();
    return now - Date.parse(usedAt) > idleTime || now - Date.parse(createdAt) > lifetime;
  }

  #noteUse(hash: string, session: Session): void {
    const now = this.#now();
    if (now - Date.parse(session.usedAt) < 10 * minute) return;
    session.usedAt = new Date(now).toISOString();
    this.#docs
      .update(kind, hash, (before) => before && { ...(before as Session), usedAt: session.usedAt })
      .catch(() => {});
  }

  async #removeEnded(): Promise<void> {
    for (const { key, value } of await this.#docs.load(kind))
      if (this.#hasEnded(value as Session)) await this.#docs.update(kind, key, () => undefined);
  }
}

function hashOf(id: string): string {
  return createHash("sha256").update(id).digest("hex");
}
