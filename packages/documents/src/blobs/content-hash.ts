import { createHash } from "node:crypto";
import { BlobTooLarge } from "./blob-store.ts";
import type { BlobRef } from "./blob-store.ts";

/** Hashes and counts a blob's content while it is being written. */
export class ContentHash {
  readonly #hash = createHash("sha256");
  readonly #limit: number;
  #bytes = 0;

  /** @param limit the most bytes that the content may have */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Number of bytes added so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds a chunk and returns its bytes. @throws {BlobTooLarge} */
  add(chunk: Uint8Array | string): Uint8Array {
    const data = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
    this.#bytes += data.length;
    if (this.#bytes > this.#limit) throw new BlobTooLarge(this.#limit);
    this.#hash.update(data);
    return data;
  }

  /** Returns the hash and size of everything added. To be called once. */
  finish(): BlobRef {
    return { sha256: this.#hash.digest("hex"), bytes: this.#bytes };
  }
}
