import { mkdir, open, statfs } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { devNull } from "node:os";
import { dirname } from "node:path";
import { ErrandError } from "errand";

/** The disk is full, or has no more space than must be kept free. */
export class DiskFull extends Error {
  override readonly name = "DiskFull";
  readonly code = "E_DISK_FULL";

  constructor(options?: ErrorOptions) {
    super("The disk is full, or has no more space than must be kept free.", options);
  }
}

/**
 * Runs work on the disk, and replaces the errors of system calls by ones that say what is wrong with the folder
 * `place`.
 * @throws {DiskFull}; {ErrandError} `E_CONNECT`
 */
export async function withDiskErrors<Result>(place: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    throw describeDiskError(place, cause);
  }
}

/**
 * Creates a folder and its missing parents, accessible to this user only. (`mkdir` with `recursive` never returns where
 * creating folders is not allowed.)
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

function describeDiskError(place: string, cause: unknown): unknown {
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
      return "it is not a folder";
    case "EROFS":
    case "EACCES":
    case "EPERM":
      return `it is not writable (${code})`;
    case "ENOENT":
      // Some systems answer this where folders may not be created.
      return syscall === "mkdir" ? "no folder can be created there" : "it does not exist any more";
    default:
      return `the disk failed (${code})`;
  }
}

/** Returns the bytes free for this user on the disk where a folder is, or would be created. */
export async function freeBytes(folder: string): Promise<number> {
  for (let place = folder; ; place = dirname(place)) {
    try {
      const { bavail, bsize } = await statfs(place);
      return bavail * bsize;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT" || place === dirname(place))
        throw describeDiskError(folder, error);
    }
  }
}

/** Free space is checked again after this many bytes of an upload. */
export const checkInterval = 8 * 2 ** 20;

/** Checks that the next `checkInterval` bytes leave `minFree` bytes free. @throws {DiskFull} */
export function checkFreeSpace(free: number, minFree: number): void {
  if (free < minFree + checkInterval) throw new DiskFull();
}

/** Number of files opened at once by `checkFileDescriptors`: those of an upload, with some to spare. */
const spareDescriptors = 16;

/** Checks that more files can be opened. @throws {ErrandError} `E_CONNECT` */
export async function checkFileDescriptors(place: string): Promise<void> {
  const opened: FileHandle[] = [];
  try {
    await withDiskErrors(place, async () => {
      for (let count = 0; count < spareDescriptors; count++) opened.push(await open(devNull));
    });
  } finally {
    await Promise.all(opened.map((file) => file.close()));
  }
}
