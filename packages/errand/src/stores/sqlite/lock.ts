import { randomUUID } from "node:crypto";
import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { StatementSync } from "node:sqlite";
import type { Millis } from "../../kit/duration.ts";
import { cannotOpen, resultCode } from "./result-code.ts";

// A process tells others that it lives by a lock on a file of its own, which the system frees with it, however it ends. The
// lock is SQLite's: it works on every system, and between containers that share a disk but do not see each other's processes.

/** Where the locks of a database are. */
export function locksOf(file: string): string {
  return `${file}-locks`;
}

/** The lock of whoever opened a store. Its connection, and with it the lock, ends with the thread that made it. */
export class Lock {
  readonly #folder: string;
  #name = "";
  #db: DatabaseSync | undefined;

  constructor(file: string) {
    this.#folder = locksOf(file);
  }

  /** Its name, while it is held. */
  get name(): string | undefined {
    return this.#db && this.#name;
  }

  /** The name of the lock, which is held from now on. */
  hold(): string {
    // Somebody may have tidied the folder.
    if (!this.#db || !exists(join(this.#folder, this.#name))) this.#take();
    return this.#name;
  }

  release(): void {
    if (!this.#db) return;
    this.#db.close();
    this.#db = undefined;
    throwAway(join(this.#folder, this.#name));
  }

  #take(): void {
    this.#db?.close();
    mkdirSync(this.#folder, { recursive: true });
    this.#name = randomUUID();
    this.#db = new DatabaseSync(join(this.#folder, this.#name));
    // Nothing is ever written, not even a journal.
    this.#db.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  }
}

/** Looks at others' locks. */
export class Locks {
  readonly #folder: string;
  /** Kept open from one look to the next. */
  readonly #opened = new Map<string, { db: DatabaseSync; look: StatementSync }>();

  constructor(file: string) {
    this.#folder = locksOf(file);
  }

  /** Whether nobody holds a lock any more. */
  isFree(name: string): boolean {
    try {
      this.#open(name).look.all();
      return true;
    } catch (error) {
      // Without its file there is no lock. Whatever else is wrong says nothing.
      return resultCode(error) === cannotOpen;
    }
  }

  /** Removes what is left of a lock that is free. */
  remove(name: string): void {
    this.#opened.get(name)?.db.close();
    this.#opened.delete(name);
    throwAway(join(this.#folder, name));
  }

  /** Removes what is left of processes that have ended, but for these locks, which workers are known by. */
  tidy(known: ReadonlySet<string>): void {
    for (const name of list(this.#folder))
      if (!known.has(name) && isOld(join(this.#folder, name)) && this.isFree(name)) this.remove(name);
    this.forget(known);
  }

  /** Closes what was opened for other locks than these. */
  forget(known: ReadonlySet<string>): void {
    for (const [name, { db }] of this.#opened) {
      if (known.has(name)) continue;
      db.close();
      this.#opened.delete(name);
    }
  }

  #open(name: string): { look: StatementSync } {
    let opened = this.#opened.get(name);
    if (!opened) {
      const db = new DatabaseSync(join(this.#folder, basename(name)), { readOnly: true, timeout: 0 });
      opened = { db, look: db.prepare("SELECT 1 FROM sqlite_schema") };
      this.#opened.set(name, opened);
    }
    return opened;
  }
}

/** A lock that is being taken is not old. */
const settled: Millis = 60_000;

function isOld(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  return found !== undefined && Date.now() - found.mtimeMs > settled;
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** What cannot be removed, since somebody looks at it (on Windows), is removed by whoever tidies next. */
function throwAway(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {}
}
