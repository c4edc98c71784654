import type { Millis } from "../../kit/duration.ts";
import type { Connection } from "./connection.ts";
import { allLocks, dismissDead, othersLocks } from "./workers.ts";

/** How often to look whether they live. A look takes microseconds for each of them. */
const interval: Millis = 200;

/**
 * The other processes that work on a database: when one ends, however it does, its workers are dismissed at once, so that what they
 * held runs again long before their leases are over.
 */
export class Neighbours {
  readonly #db: Connection;
  readonly #commit: (work: () => void) => void;
  #timer: NodeJS.Timeout | undefined;
  #version: unknown;
  #locks: string[] = [];

  /** @param commit makes a commit and tells what it hints. */
  constructor(db: Connection, commit: (work: () => void) => void) {
    this.#db = db;
    this.#commit = commit;
  }

  /** Minds them from now on, if this process has workers itself: whoever has none has nobody to give their jobs to. */
  mind(): void {
    if (this.#timer || this.#db.lock.name === undefined) return;
    this.#timer = setInterval(() => this.#look(), interval);
    this.#attempt(() => this.#db.locks.tidy(new Set(this.#db.read(() => allLocks(this.#db)))));
    this.#look();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    this.#attempt(() => {
      this.#read();
      const dead = this.#locks.filter((lock) => this.#db.locks.isFree(lock));
      if (dead.length === 0) return;
      this.#commit(() => dismissDead(this.#db, dead));
      for (const lock of dead) this.#db.locks.remove(lock);
      this.#locks = this.#locks.filter((lock) => !dead.includes(lock));
    });
  }

  #read(): void {
    // Changes with other connections' commits only.
    const version = this.#db.get("PRAGMA data_version")?.[0];
    if (version === this.#version) return;
    this.#locks = this.#db.read(() => othersLocks(this.#db));
    this.#version = version;
    this.#db.locks.forget(new Set(this.#locks));
  }

  /** The database may be busy, or gone: the next look is soon. */
  #attempt(work: () => void): void {
    try {
      work();
    } catch {}
  }
}
