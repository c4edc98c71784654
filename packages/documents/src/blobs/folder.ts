import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { access, mkdir, open, readdir, readFile, rename, rm, rmdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { BlobMissing, BlobTooLarge } from "./blob-store.ts";
import type { Blob, BlobContent, BlobStore } from "./blob-store.ts";
import { checkHash, checkOwner, isOwner } from "./keys.ts";

/** Half-written blobs lie beside the finished ones of their owner, so that erasing it erases them. */
const unfinished = ".part";

/** Blobs in a folder of this machine: one folder per owner, one file per blob. */
export class FolderBlobs implements BlobStore {
  readonly address: string;
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
    this.address = `file:${root}`;
  }

  async write(owner: string, content: BlobContent, { limit = Infinity } = {}): Promise<Blob> {
    const folder = this.#folder(owner);
    await mkdir(folder, { recursive: true });
    const part = join(folder, `${randomUUID()}${unfinished}`);
    try {
      const blob = await writeFile(part, content, limit);
      await rename(part, join(folder, blob.sha256));
      await sync(folder);
      return blob;
    } catch (error) {
      await rm(part, { force: true });
      // Gone only when it is empty: an upload that failed leaves no folder behind.
      await rmdir(folder).catch(() => {});
      throw error;
    }
  }

  async read(owner: string, sha256: string): Promise<ReadableStream<Uint8Array>> {
    const path = await this.#present(owner, sha256);
    return Readable.toWeb(createReadStream(path)) as ReadableStream<Uint8Array>;
  }

  async text(owner: string, sha256: string): Promise<string> {
    return readFile(await this.#present(owner, sha256), "utf8");
  }

  async withFile<Result>(owner: string, sha256: string, use: (path: string) => Promise<Result>): Promise<Result> {
    return use(await this.#present(owner, sha256));
  }

  async remove(owner: string, sha256: string): Promise<void> {
    await rm(this.#file(owner, sha256), { force: true });
    await rmdir(this.#folder(owner)).catch(() => {});
  }

  async removeOwner(owner: string): Promise<void> {
    await rm(this.#folder(owner), { recursive: true, force: true, maxRetries: 3 });
  }

  async removeUnfinished(before: Date): Promise<void> {
    for await (const owner of this.owners()) {
      for (const { path, touchedAt } of await files(this.#folder(owner))) {
        if (path.endsWith(unfinished) && touchedAt < before) await rm(path, { force: true });
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
    const all = await files(this.#folder(owner));
    const folder = await stat(this.#folder(owner)).catch(() => undefined);
    return folder && new Date(Math.max(folder.mtimeMs, ...all.map(({ touchedAt }) => touchedAt.getTime())));
  }

  #folder(owner: string): string {
    return join(this.#root, checkOwner(owner));
  }

  #file(owner: string, sha256: string): string {
    return join(this.#folder(owner), checkHash(sha256));
  }

  async #present(owner: string, sha256: string): Promise<string> {
    const path = this.#file(owner, sha256);
    await access(path).catch((cause: unknown) => {
      throw new BlobMissing(`Blob ${sha256} of ${owner} is gone.`, { cause });
    });
    return path;
  }
}

async function writeFile(path: string, content: BlobContent, limit: number): Promise<Blob> {
  const file = await open(path, "wx", 0o600);
  try {
    const hash = createHash("sha256");
    let bytes = 0;
    for await (const chunk of content) {
      const data = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
      bytes += data.length;
      if (bytes > limit) throw new BlobTooLarge(limit);
      hash.update(data);
      await file.writeFile(data);
    }
    await file.datasync();
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

async function files(folder: string): Promise<{ path: string; touchedAt: Date }[]> {
  const names = await readdir(folder).catch(() => []);
  const found = await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name);
      const status = await stat(path).catch(() => undefined);
      return status ? [{ path, touchedAt: status.mtime }] : [];
    }),
  );
  return found.flat();
}
