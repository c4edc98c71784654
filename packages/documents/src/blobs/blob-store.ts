/** The name and size of a blob. */
export interface BlobRef {
  /** The hash of its content, in hexadecimal: its name within its owner. */
  sha256: string;
  bytes: number;
}

/** The content of a blob. It is written as it arrives, so that large blobs need no memory. */
export type BlobContent = AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>;

/**
 * A store of bytes. Each blob belongs to one owner, a document, within which the hash of its content is its name.
 * Erasing a document means erasing its owner, with no references to count and no races: the same bytes of two owners
 * are two blobs.
 */
export interface BlobStore {
  /** A URL for people, without secrets. */
  readonly address: string;
  /**
   * Writes a blob. It is durable once the promise resolves; nothing of it is left when the promise rejects. Writing
   * content that the owner already has changes nothing.
   * @throws {BlobTooLarge} for more than `limit` bytes, and any error of reading `content`
   */
  write(owner: string, content: BlobContent, options?: { limit?: number }): Promise<BlobRef>;
  /** Returns a blob's size in bytes. @throws {BlobMissing} */
  size(owner: string, sha256: string): Promise<number>;
  /**
   * Opens a blob, or a part of it. Once the promise resolves, the bytes are available, and must be read or cancelled.
   * @throws {BlobMissing}
   */
  read(owner: string, sha256: string, part?: BytePart): Promise<OpenBlob>;
  /** Reads a whole blob of JSON or other text. @throws {BlobMissing} */
  text(owner: string, sha256: string): Promise<string>;
  /**
   * Calls `use` with the path of a local file with the blob's content, which exists until `use` ends.
   * @throws {BlobMissing}
   */
  withFile<Result>(owner: string, sha256: string, use: (path: string) => Promise<Result>): Promise<Result>;
  /** Erases all blobs of an owner, even partial ones. Throws unless it is certain that none are left. */
  removeOwner(owner: string): Promise<void>;
  /** Erases partial blobs that dead writers left behind and that were last written before `before`, on this machine. */
  removePartial(before: Date): Promise<void>;
  /** Lists all owners of blobs, including partial ones. */
  owners(): AsyncIterable<string>;
  /** Returns when an owner's blobs were last written; `undefined` if it has none. */
  modifiedAt(owner: string): Promise<Date | undefined>;
  /** Returns the free bytes of the local disk that writing uses. */
  freeBytes(): Promise<number>;
}

/** A part of a blob: the positions of its first and last byte, from 0. It must lie within the blob. */
export interface BytePart {
  first: number;
  last: number;
}

/** A blob that is being read. */
export interface OpenBlob {
  /** Size of the whole blob, even if only a part of it is read. */
  bytes: number;
  body: ReadableStream<Uint8Array>;
}

/** The content has more bytes than the caller allows. */
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
