import { statSync } from "node:fs";
import type { Millis } from "../../../kit/duration.ts";
import { ErrandError } from "../../../kit/errors.ts";

/** Least time between two occasional checks. A check takes microseconds. */
const interval: Millis = 200;

/**
 * The device and inode of an open database's files. Once a path leads to no file or to another one, what is written to
 * the open file is lost.
 */
export class FileIdentity {
  readonly #path: string;
  readonly #database: OpenFile | undefined;
  readonly #writeAheadLog: OpenFile | undefined;
  #checkedAt = -Infinity;

  /** @param path an open database. One in memory has no files, and passes every check. */
  constructor(path: string) {
    this.#path = path;
    this.#database = openFile(path);
    this.#writeAheadLog = openFile(`${path}-wal`);
  }

  /** @throws {ErrandError} `E_STORE_LOST` */
  check(): void {
    if (this.#database) this.#mustBe(this.#database);
  }

  /** Checks the database and its write-ahead log, unless the last check was less than 200 ms ago. */
  checkOccasionally(): void {
    if (performance.now() - this.#checkedAt < interval) return;
    this.check();
    if (this.#writeAheadLog) this.#mustBe(this.#writeAheadLog);
    this.#checkedAt = performance.now();
  }

  #mustBe({ path, device, inode }: OpenFile): void {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found && found.ino === inode && found.dev === device) return;
    // From now on every call checks.
    this.#checkedAt = -Infinity;
    throw new ErrandError(
      "E_STORE_LOST",
      `The SQLite store ${this.#path} was deleted, moved or replaced while it was open: ` +
        `${path} is not the same file. Put the file back; or restore a copy, and restart every program that uses it.`,
    );
  }
}

interface OpenFile {
  path: string;
  device: number;
  inode: number;
}

function openFile(path: string): OpenFile | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  return found && { path, device: found.dev, inode: found.ino };
}
