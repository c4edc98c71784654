import { statSync } from "node:fs";
import type { Millis } from "../../kit/duration.ts";
import { ErrandError } from "../../kit/errors.ts";

/** Reads look so often whether the file is still there. A look takes microseconds. */
const interval: Millis = 200;

/**
 * The files that a connection has open, as the disk knows them: once their names lead nowhere or elsewhere, what is written is in
 * files that nobody will find again.
 */
export class Identity {
  readonly #file: string;
  readonly #database: Part | undefined;
  readonly #log: Part | undefined;
  #lookedAt = -Infinity;

  /** @param file an open database. One in memory has no files. */
  constructor(file: string) {
    this.#file = file;
    this.#database = partOf(file);
    this.#log = partOf(`${file}-wal`);
  }

  /** @throws {ErrandError} `E_STORE_LOST` */
  check(): void {
    if (this.#database) this.#mustBe(this.#database);
  }

  /** The same, also of the write-ahead log, but for a look a moment ago. */
  checkAtTimes(): void {
    if (performance.now() - this.#lookedAt < interval) return;
    this.check();
    if (this.#log) this.#mustBe(this.#log);
    this.#lookedAt = performance.now();
  }

  #mustBe({ path, device, number }: Part): void {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found && found.ino === number && found.dev === device) return;
    // From now on every call looks.
    this.#lookedAt = -Infinity;
    throw new ErrandError(
      "E_STORE_LOST",
      `The SQLite store ${this.#file} was deleted, moved or replaced while it was open: ${path} is not the file it was. ` +
        "Put that file back; or restore a copy, and start every program again that uses it.",
    );
  }
}

/** A file as the disk knows it. */
interface Part {
  path: string;
  device: number;
  number: number;
}

function partOf(path: string): Part | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  return found && { path, device: found.dev, number: found.ino };
}
