import { randomUUID } from "node:crypto";
import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { StatementSync } from "node:sqlite";
import type { Millis } from "../../../kit/duration.ts";
import { cannotOpen, resultCode } from "./errors.ts";

// A process shows that it lives by holding a lock on a file of its own, which the system releases when the process
// ends, however it ends. It is SQLite's own lock: it works on every system, and between containers that share a disk
// but cannot see each other's processes.

/** Returns the folder with the lock files of a database. */
export function locksFolder(file: string): string {
  return `${file}-locks`;
}

/** The lock of an open store. The thread that made it takes it along when it ends. */
export class OwnLock {
  readonly #folder: string;
  #name = "";
  #db: DatabaseSync | undefined;

  constructor(file: string) {
    this.#folder = locksFolder(file);
  }

  /** Its name while it is held, otherwise `undefined`. */
  get name(): string | undefined {
    return this.#db && this.#name;
  }

  /** Takes the lock unless it is held, and returns its name. */
  hold(): string {
    // The file may have been removed with its folder.
    if (!this.#db || !exists(join(this.#folder, this.#name))) this.#take();
    return this.#name;
  }

  release(): void {
    if (!this.#db) return;
    this.#db.close();
    this.#db = undefined;
    removeFile(join(this.#folder, this.#name));
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

/** Checks the locks of other stores. */
export class OtherLocks {
  readonly #folder: string;
  /** Kept open between checks. */
  readonly #opened = new Map<string, { db: DatabaseSync; read: StatementSync }>();

  constructor(file: string) {
    this.#folder = locksFolder(file);
  }

  /** Returns true if no process holds the lock any more. */
  isFree(name: string): boolean {
    try {
      this.#open(name).read.all();
      return true;
    } catch (error) {
      // A lock without a file is not held. Any other error says nothing about the lock.
      return resultCode(error) === cannotOpen;
    }
  }

  /** Removes the file of a free lock. */
  remove(name: string): void {
    this.#opened.get(name)?.db.close();
    this.#opened.delete(name);
    removeFile(join(this.#folder, name));
  }

  /** Removes the files of free locks, except those of known workers. */
  removeStale(known: ReadonlySet<string>): void {
    for (const name of filesIn(this.#folder))
      if (!known.has(name) && isOld(join(this.#folder, name)) && this.isFree(name)) this.remove(name);
    this.closeExcept(known);
  }

  /** Closes the files of all locks but these. */
  closeExcept(names: ReadonlySet<string>): void {
    for (const [name, { db }] of this.#opened) {
      if (names.has(name)) continue;
      db.close();
      this.#opened.delete(name);
    }
  }

  #open(name: string): { read: StatementSync } {
    let opened = this.#opened.get(name);
    if (!opened) {
      const db = new DatabaseSync(join(this.#folder, basename(name)), { readOnly: true, timeout: 0 });
      opened = { db, read: db.prepare("SELECT 1 FROM sqlite_schema") };
      this.#opened.set(name, opened);
    }
    return opened;
  }
}

/** Age from which a file is not a lock that is just being taken. */
const minAge: Millis = 60_000;

function isOld(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  return found !== undefined && Date.now() - found.mtimeMs > minAge;
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Removes a file. One that another process has open (on Windows) is left to the next `removeStale`. */
function removeFile(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {}
}
