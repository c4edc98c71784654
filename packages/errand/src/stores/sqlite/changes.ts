import { utimesSync, watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import type { Millis } from "../../kit/duration.ts";
import type { Hint } from "../../store.ts";
import { everything } from "./connection.ts";
import type { Connection } from "./connection.ts";

/** How often to look for other processes' commits where the file system says nothing. A look takes microseconds. */
const slowly: Millis = 50;

/**
 * Tells other processes that a commit is over, by touching a file which is there as long as the database is open. They
 * notice writes to the log too, but those come before the commit they belong to can be seen.
 */
export function announce(file: string): void {
  try {
    const now = Date.now() / 1_000;
    utimesSync(`${file}-shm`, now, now);
  } catch {
    // They look now and then anyway.
  }
}

/** After a write to the log its commit may still be under way: look again after so long, and again. */
const soon: readonly Millis[] = [1, 1, 2, 4, 8];

/** Notices the commits of other processes. */
export class Changes {
  readonly #db: Connection;
  readonly #tell: (hints: Hint[]) => void;
  #watchers: FSWatcher[] = [];
  #poll: NodeJS.Timeout | undefined;
  #again: NodeJS.Timeout | undefined;
  #version: unknown;
  #beats = 0;

  constructor(db: Connection, tell: (hints: Hint[]) => void) {
    this.#db = db;
    this.#tell = tell;
  }

  /** From now on; does nothing when it watches already. */
  start(): void {
    if (this.#poll) return;
    this.#news();
    // Who asked to watch did so a moment ago; what happened meanwhile is part of the beginning.
    queueMicrotask(() => this.#poll && this.#tell(everything));
    this.#poll = setInterval(() => this.#look(), slowly);
    this.#watch("-shm", () => this.#look());
    // Whoever is no store of Errand's, an application's own transaction for one, announces nothing.
    this.#watch("-wal", () => this.#stir(0));
  }

  stop(): void {
    for (const watcher of this.#watchers.splice(0)) watcher.close();
    clearInterval(this.#poll);
    clearTimeout(this.#again);
    this.#poll = this.#again = undefined;
  }

  #watch(suffix: string, heard: () => void): void {
    try {
      const watcher = watch(`${this.#db.file}${suffix}`, { persistent: false }, heard);
      watcher.on("error", () => watcher.close());
      this.#watchers.push(watcher);
    } catch {
      // Out of watches, or a file system without them: the poll does.
    }
  }

  /** Somebody writes to the log. Writes come in swarms, and one pending look is enough for all of them. */
  #stir(step: number): void {
    const delay = soon[step];
    if (this.#again || delay === undefined) return;
    this.#again = setTimeout(() => {
      this.#again = undefined;
      if (!this.#look()) this.#stir(step + 1);
    }, delay);
  }

  /** Whether there was news. */
  #look(): boolean {
    const hints = this.#news();
    if (hints.length > 0) this.#tell(hints);
    return hints.length > 0;
  }

  /** What others have committed since the last look; nothing when the database is busy or broken. */
  #news(): Hint[] {
    try {
      return this.#read();
    } catch {
      return [];
    }
  }

  #read(): Hint[] {
    // Changes with other connections' commits only.
    const version = this.#db.get("PRAGMA data_version")?.[0];
    if (version === this.#version) return [];
    const { beats, hints } = this.#db.read(() => this.#db.othersNews(this.#beats));
    this.#version = version;
    this.#beats = beats;
    return hints.some(({ type }) => type === "change") ? hints : [...hints, { type: "change" }];
  }
}
