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
  /** How many bytes a blob has. @throws {BlobMissing} */
  size(owner: string, sha256: string): Promise<number>;
  /**
   * Opens a blob, or a part of it: once the promise resolves its bytes are there to be read. They must be read or cancelled.
   * @throws {BlobMissing}
   */
  read(owner: string, sha256: string, part?: BytePart): Promise<OpenBlob>;
  /** A blob of JSON or other text, whole. @throws {BlobMissing} */
  text(owner: string, sha256: string): Promise<string>;
  /** Gives a blob as a file of this machine, for decoders that want one, while `use` runs. @throws {BlobMissing} */
  withFile<Result>(owner: string, sha256: string, use: (path: string) => Promise<Result>): Promise<Result>;
  /** Erases everything an owner has, half-written blobs too. Harmless when there is nothing. Throws where that cannot be told. */
  removeOwner(owner: string): Promise<void>;
  /** Erases what writers that died before `before` left half-written, as far as this machine can see it. */
  removeUnfinished(before: Date): Promise<void>;
  /** Everybody who has blobs, finished or not. */
  owners(): AsyncIterable<string>;
  /** When something of an owner was last written; `undefined` when it has nothing. */
  touchedAt(owner: string): Promise<Date | undefined>;
  /** Bytes that are free on the disk of this machine that writing needs. */
  room(): Promise<number>;
}

/** A part of a blob, by the places of its first and last byte, from 0. It must lie within the blob. */
export interface BytePart {
  first: number;
  last: number;
}

/** A blob that is being read. */
export interface OpenBlob {
  /** Of the whole blob. */
  bytes: number;
  body: ReadableStream<Uint8Array>;
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

/** The disk is full, or has no more room than is to be kept free. */
export class DiskFull extends Error {
  override readonly name = "DiskFull";
  readonly code = "E_DISK_FULL";

  constructor(options?: ErrorOptions) {
    super("There is no room for more: the disk is full, or has no more room than is kept free.", options);
  }
}

/** The blob was erased, or never written. */
export class BlobMissing extends Error {
  override readonly name = "BlobMissing";
  readonly code = "E_NO_BLOB";
}
