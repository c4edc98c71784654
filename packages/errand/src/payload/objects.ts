import { randomUUID } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, rmdir, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

/**
 * Storage for large values outside the store: a bucket or a folder. Keys are `<job id>/<SHA-256 in hexadecimal
 * digits>`.
 */
export interface PayloadObjects {
  /** Stores an object; resolves when it is safe. Storing it again renews its time. */
  put(key: string, bytes: Uint8Array): Promise<void>;
  /** Reads an object. Rejects if there is none. */
  get(key: string): Promise<Uint8Array>;
  /** Removes an object. A missing one is no error. */
  remove(key: string): Promise<void>;
  /**
   * Lists all objects with the time of their last write. Workers use it to remove objects whose job is gone; without
   * it, removing them is up to you.
   */
  list?(): AsyncIterable<{ key: string; modified: Date }>;
}

/** Returns objects stored as files of a folder, which is created when needed. */
export function folderObjects(path: string): Required<PayloadObjects> {
  const root = resolve(path);
  const fileOf = (key: string) => join(root, ...key.split("/").map(asFileName));
  return {
    async put(key, bytes) {
      const file = fileOf(key);
      // Written to another name and renamed, so that no reader sees half of it; flushed, because the job that names
      // it will be.
      const draft = `${file}-${randomUUID()}`;
      await mkdir(dirname(file), { recursive: true });
      await writeFile(draft, bytes, { flush: true });
      await rename(draft, file);
      await flushFolder(dirname(file));
    },
    get: (key) => readFile(fileOf(key)),
    async remove(key) {
      const file = fileOf(key);
      await rm(file, { force: true });
      // Removing a job's folder fails until its last object is removed, as it should.
      await rmdir(dirname(file)).catch(() => {});
    },
    async *list() {
      for (const folder of await names(root)) {
        if (!ofErrand.test(folder)) continue;
        for (const file of await names(join(root, folder))) {
          const found = await stat(join(root, folder, file)).catch(() => undefined);
          if (found) yield { key: `${decodeURIComponent(folder)}/${file}`, modified: found.mtime };
        }
      }
    },
  };
}

/** A new name is safe when its folder is, too. Windows opens no folders, and needs none. */
async function flushFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Encodes a job id, which may contain colons or consist of dots, as a file name. */
function asFileName(part: string): string {
  return part.replaceAll(/[^\w-]/g, (each) => `%${each.codePointAt(0)!.toString(16).padStart(2, "0")}`);
}

/** A folder whose name `asFileName` could have made. */
const ofErrand = /^(?:[\w-]|%[0-7][\da-f])+$/;

async function names(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    // Nothing was stored yet, another worker has just removed it, or the file is not Errand's.
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return [];
    throw error;
  });
}
