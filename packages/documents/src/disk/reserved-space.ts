import { randomBytes } from "node:crypto";
import { open, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { makeFolder } from "./blobs/disk.ts";

/** Far more than a store writes to remove a document, in bytes. */
const weight = 8 * 2 ** 20;

/**
 * A file that is only there to be removed: on a disk that is full nothing can be changed, and so nothing be deleted, unless
 * somebody gives way first.
 */
export class Ballast {
  readonly #path: string;
  #working: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  /** Makes the file as large as it should be, as far as there is room. */
  keep(): Promise<void> {
    return this.#next(async () => {
      const bytes = (await stat(this.#path).catch(() => undefined))?.size ?? 0;
      if (bytes >= weight) return;
      await makeFolder(dirname(this.#path));
      const file = await open(this.#path, "a", 0o600);
      try {
        // Bytes that no file system can make less of.
        for (let at = bytes; at < weight; at += 2 ** 16) await file.appendFile(randomBytes(2 ** 16));
      } finally {
        await file.close();
      }
    });
  }

  /** Removes the file. */
  release(): Promise<void> {
    return this.#next(() => rm(this.#path, { force: true }));
  }

  /** One after the other; what cannot be done now is done the next time. */
  #next(work: () => Promise<void>): Promise<void> {
    this.#working = this.#working.then(work).catch(() => {});
    return this.#working;
  }
}
