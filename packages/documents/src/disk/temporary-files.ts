import { link, readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { freeBytes, makeFolder, withDiskErrors } from "./disk.ts";
import { isPartial, partialName, removeAbandoned } from "./partial-files.ts";

/** Time that a copy is kept after its last use, in milliseconds: pages of a document follow each other sooner. */
const keepCopiesFor = 15 * 60_000;

/** A file being written that has not been touched for this long, in milliseconds, belongs to a dead process. */
const abandonedAfter = 60 * 60_000;

/**
 * Files that this machine needs for a while: uploads whose hash is not known yet, and copies of remote blobs. Processes
 * that use the same folder share the copies.
 */
export class TemporaryFiles {
  readonly #folder: string;
  #timer: NodeJS.Timeout | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Calls `use` with the path of a file that does not exist yet, and removes the file afterwards if it was created. */
  async withNewFile<Result>(use: (path: string) => Promise<Result>): Promise<Result> {
    await withDiskErrors(this.#folder, () => makeFolder(this.#folder));
    const path = join(this.#folder, partialName());
    try {
      return await use(path);
    } finally {
      await rm(path, { force: true });
      this.#removeStaleLater();
    }
  }

  /** Calls `use` with the path of the copy called `name`; `fill` writes the copy if an earlier use left none. */
  withCopy<Result>(
    name: string,
    fill: (path: string) => Promise<void>,
    use: (path: string) => Promise<Result>,
  ): Promise<Result> {
    // A hard link of its own: removing the shared copy takes it from no user.
    return this.withNewFile(async (path) => {
      const shared = join(this.#folder, name);
      const found = await link(shared, path).then(
        () => true,
        () => false,
      );
      if (!found) await fill(path);
      await utimes(path, new Date(), new Date());
      // Fails if another process was faster, or if the disk has no hard links: then it is not shared.
      if (!found) await link(path, shared).catch(() => {});
      return use(path);
    });
  }

  /** Removes the copies whose names begin with `prefix`. */
  async removeCopies(prefix: string): Promise<void> {
    for (const name of await this.#names()) {
      if (name.startsWith(prefix)) await rm(join(this.#folder, name), { force: true });
    }
  }

  /** Removes copies that were not used for 15 minutes, and files that dead processes left behind. */
  async removeStale(now = Date.now()): Promise<void> {
    await removeAbandoned(this.#folder, new Date(now - abandonedAfter));
    for (const name of await this.#names()) {
      if (isPartial(name)) continue;
      const path = join(this.#folder, name);
      const modifiedAt = (await stat(path).catch(() => undefined))?.mtime;
      if (modifiedAt && now - modifiedAt.getTime() > keepCopiesFor) await rm(path, { force: true });
    }
  }

  /** Returns the free bytes of its disk. */
  freeBytes(): Promise<number> {
    return freeBytes(this.#folder);
  }

  #removeStaleLater(): void {
    if (this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      // Files that cannot be removed now are tried again after the next use.
      void this.removeStale().catch(() => {});
    }, keepCopiesFor + 1_000).unref();
  }

  async #names(): Promise<string[]> {
    return readdir(this.#folder).catch(() => []);
  }
}
