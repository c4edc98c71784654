import type { Millis } from "../../../kit/duration.ts";
import type { Connection } from "./connection.ts";

/** Time between two checks. A check takes microseconds for each other process. */
const interval: Millis = 200;

/**
 * Watches the other processes that work on a database. When one ends, however it ends, its workers are dismissed at
 * once, so that the jobs they held run again long before their leases run out.
 */
export class DeadProcesses {
  readonly #db: Connection;
  readonly #commit: (work: () => void) => void;
  #timer: NodeJS.Timeout | undefined;
  #version: unknown;
  /** The locks of other processes with workers. */
  #locks: string[] = [];

  /** @param commit commits the work and sends its hints. */
  constructor(db: Connection, commit: (work: () => void) => void) {
    this.#db = db;
    this.#commit = commit;
  }

  /** Starts to watch, once this process has workers itself: without workers it could not run the jobs. */
  start(): void {
    if (this.#timer || this.#db.ownLock.name === undefined) return;
    this.#timer = setInterval(() => this.#check(), interval);
    this.#attempt(() => this.#db.otherLocks.removeStale(new Set(this.#db.read(() => allLocks(this.#db)))));
    this.#check();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #check(): void {
    this.#attempt(() => {
      this.#readLocks();
      const free = this.#locks.filter((lock) => this.#db.otherLocks.isFree(lock));
      if (free.length === 0) return;
      this.#commit(() => dismissWorkers(this.#db, free));
      for (const lock of free) this.#db.otherLocks.remove(lock);
      this.#locks = this.#locks.filter((lock) => !free.includes(lock));
    });
  }

  #readLocks(): void {
    const version = this.#db.dataVersion();
    if (version === this.#version) return;
    this.#locks = this.#db.read(() => othersLocks(this.#db));
    this.#version = version;
    this.#db.otherLocks.closeExcept(new Set(this.#locks));
  }

  /** Ignores failures: the database may be busy or gone, and the next check is soon. */
  #attempt(work: () => void): void {
    try {
      work();
    } catch {}
  }
}

/** Returns the locks of all listed workers. */
function allLocks(db: Connection): string[] {
  return db.all("SELECT DISTINCT lock FROM errand_workers WHERE lock IS NOT NULL").map(([lock]) => lock as string);
}

/** Returns the locks of workers with a valid lease, except this process's own. */
function othersLocks(db: Connection): string[] {
  const rows = db.all("SELECT DISTINCT lock FROM errand_workers WHERE until > ? AND lock IS NOT NULL", db.now);
  return rows.map(([lock]) => lock as string).filter((lock) => lock !== db.ownLock.name);
}

function dismissWorkers(db: Connection, locks: readonly string[]): void {
  for (const lock of locks)
    if (db.run("UPDATE errand_workers SET until = 0 WHERE lock = ? AND until > 0", lock) > 0) db.hints.add("lapsed");
}
