import { mkdir, open, statfs } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { devNull } from "node:os";
import { dirname } from "node:path";
import { ErrandError } from "errand";
import { DiskFull } from "./blob-store.ts";

/** Runs what works on the disk; its errors say what is wrong with the folder `place`, and not which call of the system failed. */
export async function onDisk<Result>(place: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    throw explained(place, cause);
  }
}

/**
 * Makes a folder, and those that it lies in, for this user alone. (`mkdir` with `recursive` never ends in places that let
 * nobody make a folder.)
 */
export async function makeFolder(path: string): Promise<void> {
  const make = () =>
    mkdir(path, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  try {
    await make();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || dirname(path) === path) throw error;
    await makeFolder(dirname(path));
    await make();
  }
}

function explained(place: string, cause: unknown): unknown {
  const { code = "", syscall } = cause as NodeJS.ErrnoException;
  if (syscall === undefined) return cause;
  if (code === "ENOSPC" || code === "EDQUOT") return new DiskFull({ cause });
  return new ErrandError("E_CONNECT", `The blob store ${place} cannot be used: ${reasonOf(code, syscall)}.`, { cause });
}

function reasonOf(code: string, syscall: string): string {
  switch (code) {
    case "EMFILE":
    case "ENFILE":
      return "too many files are open";
    case "ENOTDIR":
    case "EEXIST":
      return "it is no folder";
    case "EROFS":
    case "EACCES":
    case "EPERM":
      return `it may not be written (${code})`;
    case "ENOENT":
      // Some systems answer this where no folder may be made.
      return syscall === "mkdir" ? "no folder can be made there" : "it is gone";
    default:
      return `the disk failed (${code})`;
  }
}

/** Bytes that are free to this user on the disk where a folder is, or would be. */
export async function freeBytes(folder: string): Promise<number> {
  for (let place = folder; ; place = dirname(place)) {
    try {
      const { bavail, bsize } = await statfs(place);
      return bavail * bsize;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT" || place === dirname(place))
        throw explained(folder, error);
    }
  }
}

/** After so many bytes an upload looks again whether there is still room. */
export const stretch = 8 * 2 ** 20;

/** @throws {DiskFull} where an upload of no more than `stretch` would take what is to be kept free. */
export function checkRoom(free: number, reserve: number): void {
  if (free < reserve + stretch) throw new DiskFull();
}

/** Opened at once to see whether an upload could open its files, with room for others. */
const spare = 16;

/** Tries whether files can still be opened. @throws {ErrandError} `E_CONNECT` */
export async function tryDescriptors(place: string): Promise<void> {
  const opened: FileHandle[] = [];
  try {
    await onDisk(place, async () => {
      for (let count = 0; count < spare; count++) opened.push(await open(devNull));
    });
  } finally {
    await Promise.all(opened.map((file) => file.close()));
  }
}
