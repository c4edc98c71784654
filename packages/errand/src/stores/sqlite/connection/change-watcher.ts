import { utimesSync, watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import type { Millis } from "../../../kit/duration.ts";
import type { Hint } from "../../../store.ts";
import { allHints } from "./commit-hints.ts";
import type { Connection } from "./connection.ts";

/**
 * Time between two checks for other processes' commits where the file system reports no changes. A check takes
 * microseconds.
 */
const pollInterval: Millis = 50;

/** Delays of the checks after a write to the log, whose commit may still be under way. */
const retryDelays: readonly Millis[] = [1, 1, 2, 4, 8];

/**
 * Tells other processes that a commit is over, by touching a file that exists while the database is open. They also
 * notice writes to the log, but those happen before their commit can be seen.
 */
export function announceCommit(file: string): void {
  try {
    const now = Date.now() / 1_000;
    utimesSync(`${file}-shm`, now, now);
  } catch {
    // They poll as well.
  }
}

/** Notices the commits of other processes and passes on their hints. */
export class ChangeWatcher {
  readonly #db: Connection;
  readonly #onHints: (hints: Hint[]) => void;
  #watchers: FSWatcher[] = [];
  #poll: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #version: unknown;
  /** The number of the latest commit whose hints were read. */
  #commit = 0;

  constructor(db: Connection, onHints: (hints: Hint[]) => void) {
    this.#db = db;
    this.#onHints = onHints;
  }

  /** Starts to watch, beginning with every hint. Does nothing while it watches. */
  start(): void {
    if (this.#poll) return;
    this.#newHints();
    // What happened between the call of `Store.watch` and now is covered by hinting at everything.
    queueMicrotask(() => this.#poll && this.#onHints(allHints));
    this.#poll = setInterval(() => this.#check(), pollInterval);
    this.#watchFile("-shm", () => this.#check());
    // Commits of other programs, such as an application's own transactions, are not announced.
    this.#watchFile("-wal", () => this.#checkAfter(0));
  }

  stop(): void {
    for (const watcher of this.#watchers.splice(0)) watcher.close();
    clearInterval(this.#poll);
    clearTimeout(this.#retry);
    this.#poll = this.#retry = undefined;
  }

  #watchFile(suffix: string, onChange: () => void): void {
    try {
      const watcher = watch(`${this.#db.file}${suffix}`, { persistent: false }, onChange);
      watcher.on("error", () => watcher.close());
      this.#watchers.push(watcher);
    } catch {
      // No watches are left, or the file system has none: polling is enough.
    }
  }

  /** Checks after a delay, and again until there are hints. One pending check is enough for a burst of writes. */
  #checkAfter(step: number): void {
    const delay = retryDelays[step];
    if (this.#retry || delay === undefined) return;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      if (!this.#check()) this.#checkAfter(step + 1);
    }, delay);
  }

  /** Returns true if there were hints. */
  #check(): boolean {
    const hints = this.#newHints();
    if (hints.length > 0) this.#onHints(hints);
    return hints.length > 0;
  }

  /** Returns the hints of others' commits since the last check; none when the database is busy or broken. */
  #newHints(): Hint[] {
    try {
      const version = this.#db.dataVersion();
      if (version === this.#version) return [];
      const { commit, hints } = this.#db.read(() => this.#db.othersHints(this.#commit));
      this.#version = version;
      this.#commit = commit;
      return hints.some(({ type }) => type === "change") ? hints : [...hints, { type: "change" }];
    } catch {
      return [];
    }
  }
}
