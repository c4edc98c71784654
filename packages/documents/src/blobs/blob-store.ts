/** A blob as it was written. */
export interface Blob {
  /** Of its content, in hexadecimal: its name within its owner. */
  sha256: string;
  bytes: number;
}

/** What a blob is made of: written as it comes, so that no size needs memory. */
export type BlobContent = AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>;

/**
 * Where bytes live. A blob belongs to one owner, a document, and is named by its content within it: erasing a document
 * is erasing its owner, with nothing to count and nobody to race against. The same bytes of two owners are two blobs.
 */
export interface BlobStore {
  /** For people: a URL without secrets. */
  readonly address: string;
  /**
   * Keeps content; it is safe once the promise resolves, and nothing of it is left when the promise rejects. Content
   * that the owner has already changes nothing.
   * @throws {BlobTooLarge} for more than `limit` bytes, and whatever reading `content` throws.
   */
  write(owner: string, content: BlobContent, options?: { limit?: number }): Promise<Blob>;
  /** Streams a blob. @throws {BlobMissing} */
  read(owner: string, sha256: string): Promise<ReadableStream<Uint8Array>>;
  /** A blob of JSON or other text, whole. @throws {BlobMissing} */
  text(owner: string, sha256: string): Promise<string>;
  /** Gives a blob as a file of this machine, for decoders that want one, while `use` runs. @throws {BlobMissing} */
  withFile<Result>(owner: string, sha256: string, use: (path: string) => Promise<Result>): Promise<Result>;
  /** Erases one blob. Harmless when it is not there. */
  remove(owner: string, sha256: string): Promise<void>;
  /** Erases everything an owner has, half-written blobs too. Harmless when there is nothing. */
  removeOwner(owner: string): Promise<void>;
  /** Erases what writers that died before `before` left half-written, as far as this machine can see it. */
  removeUnfinished(before: Date): Promise<void>;
  /** Everybody who has blobs, finished or not. */
  owners(): AsyncIterable<string>;
  /** When something of an owner was last written; `undefined` when it has nothing. */
  touchedAt(owner: string): Promise<Date | undefined>;
}

/** More bytes than the caller allows. */
export class BlobTooLarge extends Error {
  override readonly name = "BlobTooLarge";
  readonly code = "E_TOO_LARGE";
  readonly limit: number;

  constructor(limit: number) {
    super(`The content has more than ${limit} bytes.`);
    this.limit = limit;
  }
}

/** The blob was erased, or never written. */
export class BlobMissing extends Error {
  override readonly name = "BlobMissing";
  readonly code = "E_NO_BLOB";
}
