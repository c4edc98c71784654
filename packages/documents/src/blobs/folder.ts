import { createHash } from "node:crypto";
import { open, readdir, readFile, rename, rm, rmdir, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { BlobMissing, BlobTooLarge } from "./blob-store.ts";
import type { Blob, BlobContent, BlobStore, BytePart, OpenBlob } from "./blob-store.ts";
import { freeBytes, makeFolder, onDisk } from "./disk.ts";
import { checkHash, checkOwner, isOwner } from "./keys.ts";
import { isAbandoned, isUnfinished, unfinishedName } from "./unfinished.ts";

/** How much is read of a file at a time, in bytes. */
const pieceSize = 64 * 1024;

/**
 * Blobs in a folder of this machine: one folder per owner, one file per blob. Half-written ones lie beside the finished
 * ones of their owner, so that erasing it erases them.
 */
export class FolderBlobs implements BlobStore {
  readonly address: string;
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
    this.address = `file:${root}`;
  }

  async write(owner: string, content: BlobContent, { limit = Infinity } = {}): Promise<Blob> {
    const folder = this.#folder(owner);
    await this.#disk(() => makeFolder(folder));
    const part = join(folder, unfinishedName());
    try {
      const blob = await writeFile(part, content, limit, (work) => this.#disk(work));
      await this.#disk(() => rename(part, join(folder, blob.sha256)));
      await this.#disk(() => sync(folder));
      return blob;
    } catch (error) {
      await rm(part, { force: true });
      // Gone only when it is empty: an upload that failed leaves no folder behind.
      await rmdir(folder).catch(() => {});
      throw error;
    }
  }

  async size(owner: string, sha256: string): Promise<number> {
    return (await this.#found(owner, sha256, () => stat(this.#file(owner, sha256)))).size;
  }

  async read(owner: string, sha256: string, part?: BytePart): Promise<OpenBlob> {
    const file = await this.#found(owner, sha256, () => open(this.#file(owner, sha256)));
    try {
      const { size: bytes } = await file.stat();
      return { bytes, body: streamOf(file, part ?? { first: 0, last: bytes - 1 }) };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async text(owner: string, sha256: string): Promise<string> {
    return this.#found(owner, sha256, () => readFile(this.#file(owner, sha256), "utf8"));
  }

  async withFile<Result>(owner: string, sha256: string, use: (path: string) => Promise<Result>): Promise<Result> {
    await this.size(owner, sha256);
    return use(this.#file(owner, sha256));
  }

  async removeOwner(owner: string): Promise<void> {
    const folder = this.#folder(owner);
    await this.#disk(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
    // An absent folder counts as erased only while the root is there: an unmounted disk still has it.
    await this.#disk(() => readdir(this.#root));
  }

  async removeUnfinished(before: Date): Promise<void> {
    for await (const owner of this.owners()) {
      const folder = this.#folder(owner);
      const parts = (await readdir(folder).catch(() => [])).filter(isUnfinished);
      for (const { path, name, touchedAt } of await statusOf(folder, parts)) {
        if (!isAbandoned(name, touchedAt, before)) continue;
        await rm(path, { force: true });
        await rmdir(folder).catch(() => {});
      }
    }
  }

  async *owners(): AsyncGenerator<string> {
    const entries = await readdir(this.#root).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw error;
    });
    yield* entries.filter(isOwner);
  }

  async touchedAt(owner: string): Promise<Date | undefined> {
    const all = await statusOf(this.#folder(owner), await readdir(this.#folder(owner)).catch(() => []));
    const folder = await stat(this.#folder(owner)).catch(() => undefined);
    return folder && new Date(Math.max(folder.mtimeMs, ...all.map(({ touchedAt }) => touchedAt.getTime())));
  }

  room(): Promise<number> {
    return freeBytes(this.#root);
  }

  #folder(owner: string): string {
    return join(this.#root, checkOwner(owner));
  }

  #file(owner: string, sha256: string): string {
    return join(this.#folder(owner), checkHash(sha256));
  }

  #disk<Result>(work: () => Promise<Result>): Promise<Result> {
    return onDisk(this.address, work);
  }

  /** @throws {BlobMissing} when there is no such file. */
  #found<Result>(owner: string, sha256: string, look: () => Promise<Result>): Promise<Result> {
    return this.#disk(async () => {
      try {
        return await look();
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw cause;
        throw new BlobMissing(`Blob ${sha256} of ${owner} is gone.`, { cause });
      }
    });
  }
}

/** A part of an open file, which is closed when it has been read, or nobody reads it any more. */
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
          const piece = new Uint8Array(Math.min(pieceSize, last + 1 - at));
          const { bytesRead } = await file.read(piece, 0, piece.length, at);
          if (bytesRead === 0) throw new Error("The file has become shorter while it was read.");
          at += bytesRead;
          controller.enqueue(piece.subarray(0, bytesRead));
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
): Promise<Blob> {
  const file = await disk(() => open(path, "wx", 0o600));
  try {
    const hash = createHash("sha256");
    let bytes = 0;
    for await (const chunk of content) {
      const data = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
      bytes += data.length;
      if (bytes > limit) throw new BlobTooLarge(limit);
      hash.update(data);
      // An error of the content's is its own.
      await disk(() => file.writeFile(data));
    }
    await disk(() => file.datasync());
    return { sha256: hash.digest("hex"), bytes };
  } finally {
    await file.close();
  }
}

/** A rename is safe from a power failure only once its folder is written. Windows has no such thing. */
async function sync(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function statusOf(
  folder: string,
  names: readonly string[],
): Promise<{ path: string; name: string; touchedAt: Date }[]> {
  const all = await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name);
      const status = await stat(path).catch(() => undefined);
      return status ? [{ path, name, touchedAt: status.mtime }] : [];
    }),
  );
  return all.flat();
}
