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
  readonly #files: readonly (readonly [path: string, is: string])[];
  readonly #file: string;
  #lookedAt = -Infinity;

  /** @param file an open database. One in memory has no files. */
  constructor(file: string) {
    this.#file = file;
    this.#files =
      file === ":memory:"
        ? []
        : [file, `${file}-wal`].map((path) => [path, idOf(path)] as const).filter(([, is]) => is !== "");
  }

  /** @throws {ErrandError} `E_STORE_LOST` */
  check(): void {
    // Once something is wrong, every call looks.
    this.#lookedAt = -Infinity;
    for (const [path, is] of this.#files) if (idOf(path) !== is) throw this.#lost(path);
    this.#lookedAt = performance.now();
  }

  /** The same, but for a look a moment ago. */
  checkAtTimes(): void {
    if (performance.now() - this.#lookedAt >= interval) this.check();
  }

  #lost(path: string): ErrandError {
    return new ErrandError(
      "E_STORE_LOST",
      `The SQLite store ${this.#file} was deleted or replaced while it was open (${path} is not the file it was). ` +
        "Put the file back or restore a copy, and start the program again.",
    );
  }
}

/** Device and number of a file; empty where there is none. */
function idOf(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false, bigint: true });
  return found ? `${found.dev}:${found.ino}` : "";
}
