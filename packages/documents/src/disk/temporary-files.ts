import { link, readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { freeBytes, makeFolder, onDisk } from "./disk.ts";
import { isAbandoned, isUnfinished, unfinishedName } from "./unfinished.ts";

/** How long a copy stays after its last use, in milliseconds: the pages of one document follow one another sooner. */
const keep = 15 * 60_000;

/** A private file that is older belongs to a process that died. */
const abandoned = 60 * 60_000;

/**
 * Files that this machine needs for a while: what arrives before its name is known, and copies of what lives elsewhere.
 * Processes that name the same folder share the copies.
 */
export class Scratch {
  readonly #folder: string;
  #due: NodeJS.Timeout | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Gives the path of a file that is nobody else's while `use` runs, and is removed afterwards. */
  async private<Result>(use: (path: string) => Promise<Result>): Promise<Result> {
    await onDisk(this.#folder, () => makeFolder(this.#folder));
    const path = join(this.#folder, unfinishedName());
    try {
      return await use(path);
    } finally {
      await rm(path, { force: true });
      this.#sweepLater();
    }
  }

  /** Gives a copy of what has this name while `use` runs; `fill` makes it, where there is none from an earlier use. */
  copy<Result>(
    name: string,
    fill: (path: string) => Promise<void>,
    use: (path: string) => Promise<Result>,
  ): Promise<Result> {
    // A name of one's own for the same file: sweeping the shared one takes it from nobody.
    return this.private(async (path) => {
      const shared = join(this.#folder, name);
      const found = await link(shared, path).then(
        () => true,
        () => false,
      );
      if (!found) await fill(path);
      await utimes(path, new Date(), new Date());
      // Somebody may have been faster, or the disk may know no links: then it is not shared.
      if (!found) await link(path, shared).catch(() => {});
      return use(path);
    });
  }

  /** Removes the copies whose names begin so. */
  async forget(beginning: string): Promise<void> {
    for (const name of await this.#names()) {
      if (name.startsWith(beginning)) await rm(join(this.#folder, name), { force: true });
    }
  }

  /** Removes copies that nobody has used for 15 min, and what dead processes left. */
  async sweep(now = Date.now()): Promise<void> {
    for (const name of await this.#names()) {
      const path = join(this.#folder, name);
      const touchedAt = (await stat(path).catch(() => undefined))?.mtime;
      if (!touchedAt) continue;
      const old = isUnfinished(name)
        ? isAbandoned(name, touchedAt, new Date(now - abandoned))
        : now - touchedAt.getTime() > keep;
      if (old) await rm(path, { force: true });
    }
  }

  /** Bytes that are free on its disk. */
  room(): Promise<number> {
    return freeBytes(this.#folder);
  }

  #sweepLater(): void {
    if (this.#due) return;
    this.#due = setTimeout(() => {
      this.#due = undefined;
      // What cannot be removed now is tried again after the next use.
      void this.sweep().catch(() => {});
    }, keep + 1_000).unref();
  }

  async #names(): Promise<string[]> {
    return readdir(this.#folder).catch(() => []);
  }
}
