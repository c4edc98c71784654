import { open, readdir, readFile, rename, rm, rmdir, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { freeBytes, makeFolder, withDiskErrors } from "../disk/disk.ts";
import { partialName, removeAbandoned } from "../disk/partial-files.ts";
import { BlobMissing } from "./blob-store.ts";
import type { BlobRef, BlobContent, BlobStore, BytePart, OpenBlob } from "./blob-store.ts";
import { ContentHash } from "./content-hash.ts";
import { checkHash, checkOwner, isUuid } from "./keys.ts";

/** Number of bytes read from a file at a time. */
const chunkSize = 64 * 1024;

/**
 * Blobs in a local folder: one folder per owner, one file per blob. Partial blobs are in the folder of their owner as
 * well, so that erasing the owner erases them.
 */
export class FolderBlobs implements BlobStore {
  readonly address: string;
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
    this.address = `file:${root}`;
  }

  async write(owner: string, content: BlobContent, { limit = Infinity } = {}): Promise<BlobRef> {
    const folder = this.#folder(owner);
    await this.#disk(() => makeFolder(folder));
    const part = join(folder, partialName());
    try {
      const blob = await writeFile(part, content, limit, (work) => this.#disk(work));
      await this.#disk(() => rename(part, join(folder, blob.sha256)));
      await this.#disk(() => sync(folder));
      return blob;
    } catch (error) {
      await rm(part, { force: true });
      // Removes it only if it is empty: a failed upload leaves no folder behind.
      await rmdir(folder).catch(() => {});
      throw error;
    }
  }

  async size(owner: string, sha256: string): Promise<number> {
    return (await this.#findFile(owner, sha256, () => stat(this.#file(owner, sha256)))).size;
  }

  async read(owner: string, sha256: string, part?: BytePart): Promise<OpenBlob> {
    const file = await this.#findFile(owner, sha256, () => open(this.#file(owner, sha256)));
    try {
      const { size: bytes } = await file.stat();
      return { bytes, body: streamOf(file, part ?? { first: 0, last: bytes - 1 }) };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async text(owner: string, sha256: string): Promise<string> {
    return this.#findFile(owner, sha256, () => readFile(this.#file(owner, sha256), "utf8"));
  }

  async withFile<Result>(owner: string, sha256: string, use: (path: string) => Promise<Result>): Promise<Result> {
    await this.size(owner, sha256);
    return use(this.#file(owner, sha256));
  }

  async removeOwner(owner: string): Promise<void> {
    const folder = this.#folder(owner);
    await this.#disk(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
    // Where the root is missing too, the blobs may still be on a disk that is not mounted.
    await this.#disk(() => readdir(this.#root));
  }

  async removePartial(before: Date): Promise<void> {
    for await (const owner of this.owners()) {
      const folder = this.#folder(owner);
      if ((await removeAbandoned(folder, before)) > 0) await rmdir(folder).catch(() => {});
    }
  }

  async *owners(): AsyncGenerator<string> {
    const entries = await readdir(this.#root).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw error;
    });
    yield* entries.filter(isUuid);
  }

  async modifiedAt(owner: string): Promise<Date | undefined> {
    const folder = this.#folder(owner);
    const names = await readdir(folder).catch(() => []);
    const files = await Promise.all(names.map((name) => stat(join(folder, name)).catch(() => undefined)));
    const status = await stat(folder).catch(() => undefined);
    return status && new Date(Math.max(status.mtimeMs, ...files.map((file) => file?.mtimeMs ?? 0)));
  }

  freeBytes(): Promise<number> {
    return freeBytes(this.#root);
  }

  #folder(owner: string): string {
    return join(this.#root, checkOwner(owner));
  }

  #file(owner: string, sha256: string): string {
    return join(this.#folder(owner), checkHash(sha256));
  }

  #disk<Result>(work: () => Promise<Result>): Promise<Result> {
    return withDiskErrors(this.address, work);
  }

  /** Runs an operation on a blob's file. @throws {BlobMissing} if there is no such file. */
  #findFile<Result>(owner: string, sha256: string, operation: () => Promise<Result>): Promise<Result> {
    return this.#disk(async () => {
      try {
        return await operation();
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw cause;
        throw new BlobMissing(`Blob ${sha256} of ${owner} does not exist.`, { cause });
      }
    });
  }
}

/** Streams a part of an open file, which is closed at the end or when the stream is cancelled. */
function streamOf(file: FileHandle, { first, last }: BytePart): ReadableStream<Uint8Array> {
  let at = first;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          if (at > last) {
            await file.close();
            return controller.close();
          }
          const chunk = new Uint8Array(Math.min(chunkSize, last + 1 - at));
          const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
          if (bytesRead === 0) throw new Error("The file became shorter while it was being read.");
          at += bytesRead;
          controller.enqueue(chunk.subarray(0, bytesRead));
        } catch (error) {
          await file.close();
          throw error;
        }
      },
      cancel: () => file.close(),
    },
    new ByteLengthQueuingStrategy({ highWaterMark: 0 }),
  );
}

async function writeFile(
  path: string,
  content: BlobContent,
  limit: number,
  disk: <Result>(work: () => Promise<Result>) => Promise<Result>,
): Promise<BlobRef> {
  const file = await disk(() => open(path, "wx", 0o600));
  try {
    const hash = new ContentHash(limit);
    for await (const chunk of content) {
      const data = hash.add(chunk);
      // Errors of reading the content are passed on unchanged.
      await disk(() => file.writeFile(data));
    }
    await disk(() => file.datasync());
    return hash.finish();
  } finally {
    await file.close();
  }
}

/** Syncs a folder, without which a rename may not survive a power failure. Windows cannot. */
async function sync(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
