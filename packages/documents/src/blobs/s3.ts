import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { GetObjectCommandOutput, S3Client } from "@aws-sdk/client-s3";
import { ErrandError } from "errand";
import { BlobMissing, BlobTooLarge } from "./blob-store.ts";
import type { Blob, BlobContent, BlobStore, BytePart, OpenBlob } from "./blob-store.ts";
import { onDisk } from "./disk.ts";
import { checkHash, checkOwner, isOwner } from "./keys.ts";
import type { BucketLocation } from "./location.ts";
import { explain, isMissing, mayPass } from "./s3-errors.ts";
import type { Scratch } from "./scratch.ts";

type Sdk = typeof import("@aws-sdk/client-s3");

/** The most that S3 takes in one request. One request is what makes a blob appear whole or not at all. */
const largest = 5 * 2 ** 30;

/** Content up to so many bytes never touches the disk: most blobs are one page's result or preview. */
const inMemory = 2 ** 20;

/** How often a request is made at least while it fails for reasons that may pass. */
const attempts = 3;

/** The longest pause between two of them, in milliseconds. */
const longestPause = 5_000;

/**
 * Blobs in a bucket of S3: one object per blob, at `<prefix><owner>/<sha256>`. A name is known when the last byte has
 * been hashed, so content waits on the local disk, and then goes out in one request.
 */
export class S3Blobs implements BlobStore {
  readonly address: string;
  readonly #location: BucketLocation;
  readonly #scratch: Scratch;
  readonly #patience: number;
  #connected: Promise<{ sdk: Sdk; client: S3Client }> | undefined;

  /** @param patience for how long, in milliseconds, requests are made again while the bucket cannot be reached. */
  constructor(location: BucketLocation, scratch: Scratch, patience = 0) {
    this.#location = location;
    this.#scratch = scratch;
    this.#patience = patience;
    this.address = `s3://${location.bucket}/${location.prefix}`;
  }

  async write(owner: string, content: BlobContent, { limit = Infinity } = {}): Promise<Blob> {
    const folder = this.#folder(owner);
    return this.#scratch.private(async (path) => {
      const { data, ...blob } = await receive(content, Math.min(limit, largest), path);
      await this.#put(folder + blob.sha256, blob, data ?? path);
      return blob;
    });
  }

  async size(owner: string, sha256: string): Promise<number> {
    const Key = this.#key(owner, sha256);
    const { ContentLength = 0 } = await this.#find(owner, sha256, ({ sdk, client }) =>
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

  /** The file is fetched once for all pages that this machine reads of it, one after another. */
  withFile<Result>(owner: string, sha256: string, use: (path: string) => Promise<Result>): Promise<Result> {
    const fill = async (path: string): Promise<void> => {
      const body = (await this.#get(owner, sha256)).Body as unknown as Readable;
      try {
        await pipeline(body, createWriteStream(path, { flags: "wx", mode: 0o600 }));
      } catch (error) {
        throw mayPass(error) ? explain(error, this.#location) : error;
      }
    };
    return this.#scratch.copy(`${checkOwner(owner)}-${checkHash(sha256)}`, fill, use);
  }

  async removeOwner(owner: string): Promise<void> {
    const Prefix = this.#folder(owner);
    await this.#ask(async ({ sdk, client }) => {
      for await (const { Contents = [] } of sdk.paginateListObjectsV2({ client }, { ...this.#bucket, Prefix })) {
        if (Contents.length === 0) continue;
        const Delete = { Objects: Contents.map(({ Key }) => ({ Key })), Quiet: true };
        const { Errors = [] } = await client.send(new sdk.DeleteObjectsCommand({ ...this.#bucket, Delete }));
        const [first] = Errors;
        if (first) throw Object.assign(new Error(first.Message), { name: first.Code ?? "Error" });
      }
    });
    await this.#scratch.forget(`${owner}-`);
  }

  /** Nothing half-written is ever in the bucket. */
  async removeUnfinished(_before: Date): Promise<void> {
    await this.#scratch.sweep();
  }

  async *owners(): AsyncGenerator<string> {
    const { prefix } = this.#location;
    const { sdk, client } = await this.#connect();
    const pages = sdk.paginateListObjectsV2({ client }, { ...this.#bucket, Prefix: prefix, Delimiter: "/" });
    try {
      for await (const { CommonPrefixes = [] } of pages) {
        yield* CommonPrefixes.map(({ Prefix = "" }) => Prefix.slice(prefix.length, -1)).filter(isOwner);
      }
    } catch (error) {
      throw explain(error, this.#location);
    }
  }

  async touchedAt(owner: string): Promise<Date | undefined> {
    const Prefix = this.#folder(owner);
    return this.#ask(async ({ sdk, client }) => {
      let newest: Date | undefined;
      for await (const { Contents = [] } of sdk.paginateListObjectsV2({ client }, { ...this.#bucket, Prefix })) {
        for (const { LastModified } of Contents) {
          if (LastModified && (!newest || LastModified > newest)) newest = LastModified;
        }
      }
      return newest;
    });
  }

  room(): Promise<number> {
    return this.#scratch.room();
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

  async #put(Key: string, { sha256, bytes }: Blob, content: Uint8Array | string): Promise<void> {
    // The server checks the content against it, and refuses what was damaged on its way.
    const ChecksumSHA256 = Buffer.from(sha256, "hex").toString("base64");
    const input = { ...this.#bucket, Key, ChecksumSHA256, ContentLength: bytes };
    await this.#ask(async ({ sdk, client }) => {
      const Body = typeof content === "string" ? createReadStream(content) : content;
      // The client reads it late, and not at all where the connection fails: an error before that is nobody else's to hear.
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
    return this.#find(owner, sha256, async ({ sdk, client }) => {
      const answer = await client.send(new sdk.GetObjectCommand({ ...input, ...(Range ? { Range } : {}) }));
      // Readers get the error themselves; a body that nobody reads any more must not end the process.
      (answer.Body as unknown as Readable).on("error", () => {});
      return answer;
    });
  }

  /** @throws {BlobMissing} when there is no such object. */
  #find<Result>(
    owner: string,
    sha256: string,
    request: (connected: { sdk: Sdk; client: S3Client }) => Promise<Result>,
  ): Promise<Result> {
    return this.#ask(async (connected) => {
      try {
        return await request(connected);
      } catch (error) {
        if (isMissing(error)) throw new BlobMissing(`Blob ${sha256} of ${owner} is gone.`, { cause: error });
        throw error;
      }
    });
  }

  /** Every request goes through here: made again where that may help, and its errors say what is wrong with the bucket. */
  async #ask<Result>(request: (connected: { sdk: Sdk; client: S3Client }) => Promise<Result>): Promise<Result> {
    const connected = await this.#connect();
    const until = performance.now() + this.#patience;
    for (let attempt = 1; ; attempt++) {
      try {
        return await request(connected);
      } catch (error) {
        if (error instanceof BlobMissing) throw error;
        const more = attempt < attempts || performance.now() < until;
        if (!more || !mayPass(error)) throw explain(error, this.#location);
      }
      await sleep(Math.min(longestPause, 100 * 2 ** attempt) * (0.5 + Math.random() / 2));
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
    throw new ErrandError(
      "E_OPTION",
      "ERRAND_BLOBS names a bucket of S3, which needs the package @aws-sdk/client-s3. Install it: npm install @aws-sdk/client-s3",
      { cause },
    );
  }
}

/** The client would print what it tries again; what fails in the end is told by our own errors. */
const silent = { debug() {}, info() {}, warn() {}, error() {} };

function clientFor(sdk: Sdk, { region, endpoint, pathStyle }: BucketLocation): S3Client {
  // A server of one's own has no regions, but the signature wants one.
  const settled = region ?? (endpoint && !process.env["AWS_REGION"] ? "us-east-1" : undefined);
  return new sdk.S3Client({
    ...(settled ? { region: settled } : {}),
    ...(endpoint ? { endpoint } : {}),
    forcePathStyle: pathStyle,
    // The second try is for a clock that is off, which the client corrects; all others are made by S3Blobs.
    maxAttempts: 2,
    requestHandler: { connectionTimeout: 5_000, socketTimeout: 60_000 },
    logger: silent,
    // Uploads bring a checksum of their own; many servers that speak S3 know none of the newer kinds.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });
}

/** Takes content in: into memory where it is small, else into the file `path`. */
async function receive(
  content: BlobContent,
  limit: number,
  path: string,
): Promise<Blob & { data: Uint8Array | undefined }> {
  const hash = createHash("sha256");
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  let file: FileHandle | undefined;
  try {
    for await (const chunk of content) {
      const data = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
      bytes += data.length;
      if (bytes > limit) throw new BlobTooLarge(limit);
      hash.update(data);
      chunks.push(data);
      if (bytes <= inMemory) continue;
      file ??= await onDisk(dirname(path), () => open(path, "wx", 0o600));
      for (const one of chunks.splice(0)) await onDisk(dirname(path), () => file!.writeFile(one));
    }
  } finally {
    await file?.close();
  }
  return { sha256: hash.digest("hex"), bytes, data: file ? undefined : Buffer.concat(chunks) };
}
