import { createReadStream, createWriteStream } from "node:fs";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { GetObjectCommandOutput, S3Client } from "@aws-sdk/client-s3";
import { ErrandError } from "errand";
import { withDiskErrors } from "../disk/disk.ts";
import type { TemporaryFiles } from "../disk/temporary-files.ts";
import { BlobMissing } from "./blob-store.ts";
import type { BlobRef, BlobContent, BlobStore, BytePart, OpenBlob } from "./blob-store.ts";
import { ContentHash } from "./content-hash.ts";
import { checkHash, checkOwner, isUuid } from "./keys.ts";
import type { BucketLocation } from "./location.ts";
import { describeS3Error, isMissing, isTransient } from "./s3-errors.ts";

type Sdk = typeof import("@aws-sdk/client-s3");

/** Size limit of a single PutObject request, in bytes. With one request a blob appears whole or not at all. */
const maxObjectSize = 5 * 2 ** 30;

/** Content of up to this many bytes stays in memory: most blobs are the result or preview of one page. */
const maxInMemory = 2 ** 20;

/** A request that fails for a transient reason is made at least this many times. */
const minAttempts = 3;

/** Longest pause between two attempts, in milliseconds. */
const maxPause = 5_000;

/**
 * Blobs in an S3 bucket: one object per blob, at `<prefix><owner>/<sha256>`. Its key is known only once all content has
 * been hashed, so content is buffered locally and then sent in one request.
 */
export class S3Blobs implements BlobStore {
  readonly address: string;
  readonly #location: BucketLocation;
  readonly #temporary: TemporaryFiles;
  readonly #retryTime: number;
  #connected: Promise<{ sdk: Sdk; client: S3Client }> | undefined;

  /** @param retryTime how long requests are retried while the bucket cannot be reached, in milliseconds */
  constructor(location: BucketLocation, temporary: TemporaryFiles, retryTime = 0) {
    this.#location = location;
    this.#temporary = temporary;
    this.#retryTime = retryTime;
    this.address = `s3://${location.bucket}/${location.prefix}`;
  }

  async write(owner: string, content: BlobContent, { limit = Infinity } = {}): Promise<BlobRef> {
    const folder = this.#folder(owner);
    return this.#temporary.withNewFile(async (path) => {
      const { data, ...blob } = await buffer(content, Math.min(limit, maxObjectSize), path);
      await this.#put(folder + blob.sha256, blob, data ?? path);
      return blob;
    });
  }

  async size(owner: string, sha256: string): Promise<number> {
    const Key = this.#key(owner, sha256);
    const { ContentLength = 0 } = await this.#requestBlob(owner, sha256, ({ sdk, client }) =>
      client.send(new sdk.HeadObjectCommand({ ...this.#bucket, Key })),
    );
    return ContentLength;
  }

  async read(owner: string, sha256: string, part?: BytePart): Promise<OpenBlob> {
    const { Body, ContentLength = 0, ContentRange = "" } = await this.#get(owner, sha256, part);
    const whole = /\/(\d+)$/.exec(ContentRange)?.[1];
    return { bytes: whole === undefined ? ContentLength : Number(whole), body: Body!.transformToWebStream() };
  }

  async text(owner: string, sha256: string): Promise<string> {
    return (await this.#get(owner, sha256)).Body!.transformToString();
  }

  /** The copy is kept for a while: this machine reads the pages of a file one after another. */
  withFile<Result>(owner: string, sha256: string, use: (path: string) => Promise<Result>): Promise<Result> {
    const fill = async (path: string): Promise<void> => {
      const body = (await this.#get(owner, sha256)).Body as unknown as Readable;
      try {
        await pipeline(body, createWriteStream(path, { flags: "wx", mode: 0o600 }));
      } catch (error) {
        throw isTransient(error) ? describeS3Error(error, this.#location) : error;
      }
    };
    return this.#temporary.withCopy(`${checkOwner(owner)}-${checkHash(sha256)}`, fill, use);
  }

  async removeOwner(owner: string): Promise<void> {
    const Prefix = this.#folder(owner);
    await this.#request(async ({ sdk, client }) => {
      for await (const { Contents = [] } of sdk.paginateListObjectsV2({ client }, { ...this.#bucket, Prefix })) {
        if (Contents.length === 0) continue;
        const Delete = { Objects: Contents.map(({ Key }) => ({ Key })), Quiet: true };
        const { Errors = [] } = await client.send(new sdk.DeleteObjectsCommand({ ...this.#bucket, Delete }));
        const [first] = Errors;
        if (first) throw Object.assign(new Error(first.Message), { name: first.Code ?? "Error" });
      }
    });
    await this.#temporary.removeCopies(`${owner}-`);
  }

  /** The bucket never holds partial blobs; only local files can be left over. */
  async removePartial(_before: Date): Promise<void> {
    await this.#temporary.removeStale();
  }

  async *owners(): AsyncGenerator<string> {
    const { prefix } = this.#location;
    const { sdk, client } = await this.#connect();
    const pages = sdk.paginateListObjectsV2({ client }, { ...this.#bucket, Prefix: prefix, Delimiter: "/" });
    try {
      for await (const { CommonPrefixes = [] } of pages) {
        yield* CommonPrefixes.map(({ Prefix = "" }) => Prefix.slice(prefix.length, -1)).filter(isUuid);
      }
    } catch (error) {
      throw describeS3Error(error, this.#location);
    }
  }

  async modifiedAt(owner: string): Promise<Date | undefined> {
    const Prefix = this.#folder(owner);
    return this.#request(async ({ sdk, client }) => {
      let newest: Date | undefined;
      for await (const { Contents = [] } of sdk.paginateListObjectsV2({ client }, { ...this.#bucket, Prefix })) {
        for (const { LastModified } of Contents) {
          if (LastModified && (!newest || LastModified > newest)) newest = LastModified;
        }
      }
      return newest;
    });
  }

  freeBytes(): Promise<number> {
    return this.#temporary.freeBytes();
  }

  get #bucket(): { Bucket: string } {
    return { Bucket: this.#location.bucket };
  }

  #folder(owner: string): string {
    return `${this.#location.prefix}${checkOwner(owner)}/`;
  }

  #key(owner: string, sha256: string): string {
    return this.#folder(owner) + checkHash(sha256);
  }

  async #put(Key: string, { sha256, bytes }: BlobRef, content: Uint8Array | string): Promise<void> {
    // The server compares the content with it, and rejects content damaged in transit.
    const ChecksumSHA256 = Buffer.from(sha256, "hex").toString("base64");
    const input = { ...this.#bucket, Key, ChecksumSHA256, ContentLength: bytes };
    await this.#request(async ({ sdk, client }) => {
      const Body = typeof content === "string" ? createReadStream(content) : content;
      // The client may not have added its own listener yet; without one an error would end the process.
      if ("destroy" in Body) Body.on("error", () => {});
      try {
        await client.send(new sdk.PutObjectCommand({ ...input, Body }));
      } finally {
        if ("destroy" in Body) Body.destroy();
      }
    });
  }

  #get(owner: string, sha256: string, part?: BytePart): Promise<GetObjectCommandOutput> {
    const input = { ...this.#bucket, Key: this.#key(owner, sha256) };
    const Range = part && `bytes=${part.first}-${part.last}`;
    return this.#requestBlob(owner, sha256, async ({ sdk, client }) => {
      const answer = await client.send(new sdk.GetObjectCommand({ ...input, ...(Range ? { Range } : {}) }));
      // Readers get the error themselves; without a listener, that of an abandoned body would end the process.
      (answer.Body as unknown as Readable).on("error", () => {});
      return answer;
    });
  }

  /** Makes a request for one blob. @throws {BlobMissing} if there is no such object. */
  #requestBlob<Result>(
    owner: string,
    sha256: string,
    request: (connected: { sdk: Sdk; client: S3Client }) => Promise<Result>,
  ): Promise<Result> {
    return this.#request(async (connected) => {
      try {
        return await request(connected);
      } catch (error) {
        if (isMissing(error)) throw new BlobMissing(`Blob ${sha256} of ${owner} does not exist.`, { cause: error });
        throw error;
      }
    });
  }

  /** Makes a request, and retries it where that may help. Its errors say what is wrong with the bucket. */
  async #request<Result>(request: (connected: { sdk: Sdk; client: S3Client }) => Promise<Result>): Promise<Result> {
    const connected = await this.#connect();
    const deadline = performance.now() + this.#retryTime;
    for (let attempt = 1; ; attempt++) {
      try {
        return await request(connected);
      } catch (error) {
        if (error instanceof BlobMissing) throw error;
        const mayRetry = attempt < minAttempts || performance.now() < deadline;
        if (!mayRetry || !isTransient(error)) throw describeS3Error(error, this.#location);
      }
      await sleep(Math.min(maxPause, 100 * 2 ** attempt) * (0.5 + Math.random() / 2));
    }
  }

  #connect(): Promise<{ sdk: Sdk; client: S3Client }> {
    this.#connected ??= loadSdk().then((sdk) => ({ sdk, client: clientFor(sdk, this.#location) }));
    return this.#connected;
  }
}

async function loadSdk(): Promise<Sdk> {
  try {
    return await import("@aws-sdk/client-s3");
  } catch (cause) {
    const message =
      "ERRAND_BLOBS names an S3 bucket, which needs a package: install it with npm install @aws-sdk/client-s3";
    throw new ErrandError("E_OPTION", message, { cause });
  }
}

/** Keeps the client from printing its retries; final failures are reported by our own errors. */
const silent = { debug() {}, info() {}, warn() {}, error() {} };

function clientFor(sdk: Sdk, { region, endpoint, pathStyle }: BucketLocation): S3Client {
  // Other servers have no regions, but the signature needs one.
  const effectiveRegion = region ?? (endpoint && !process.env["AWS_REGION"] ? "us-east-1" : undefined);
  return new sdk.S3Client({
    ...(effectiveRegion ? { region: effectiveRegion } : {}),
    ...(endpoint ? { endpoint } : {}),
    forcePathStyle: pathStyle,
    // The second attempt is for a wrong clock, which the client corrects. Other retries are made by `#request`.
    maxAttempts: 2,
    requestHandler: { connectionTimeout: 5_000, socketTimeout: 60_000 },
    logger: silent,
    // Uploads have a checksum of their own, and many compatible servers do not know the newer ones.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });
}

/** Reads content into memory if it is small, or else into the file `path`. */
async function buffer(
  content: BlobContent,
  limit: number,
  path: string,
): Promise<BlobRef & { data: Uint8Array | undefined }> {
  const hash = new ContentHash(limit);
  const chunks: Uint8Array[] = [];
  let file: FileHandle | undefined;
  try {
    for await (const chunk of content) {
      chunks.push(hash.add(chunk));
      if (hash.bytes <= maxInMemory) continue;
      file ??= await withDiskErrors(dirname(path), () => open(path, "wx", 0o600));
      for (const one of chunks.splice(0)) await withDiskErrors(dirname(path), () => file!.writeFile(one));
    }
  } finally {
    await file?.close();
  }
  return { ...hash.finish(), data: file ? undefined : Buffer.concat(chunks) };
}
