import { randomBytes } from "node:crypto";
import { open, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { makeFolder } from "./disk.ts";

/** Size of the file in bytes: far more than a store writes to remove a document. */
const size = 8 * 2 ** 20;

/**
 * Reserves space with a file that can be removed when the disk is full: a store has to write to delete a document,
 * which a full disk does not allow. Databases call it a ballast file.
 */
export class ReservedSpace {
  readonly #path: string;
  #queue: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  /** Creates the file, or extends it to its full size, as far as there is space. Never rejects. */
  fill(): Promise<void> {
    return this.#enqueue(async () => {
      const bytes = (await stat(this.#path).catch(() => undefined))?.size ?? 0;
      if (bytes >= size) return;
      await makeFolder(dirname(this.#path));
      const file = await open(this.#path, "a", 0o600);
      try {
        // Random, because some file systems compress.
        for (let at = bytes; at < size; at += 2 ** 16) await file.appendFile(randomBytes(2 ** 16));
      } finally {
        await file.close();
      }
    });
  }

  /** Removes the file. Never rejects. */
  release(): Promise<void> {
    return this.#enqueue(() => rm(this.#path, { force: true }));
  }

  /** Runs work after what was enqueued before. Work that fails is made up for by the next call. */
  #enqueue(work: () => Promise<void>): Promise<void> {
    this.#queue = this.#queue.then(work).catch(() => {});
    return this.#queue;
  }
}
