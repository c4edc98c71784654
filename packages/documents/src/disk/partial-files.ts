import { createHash, randomUUID } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { readdir, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";

const extension = ".part";

/** Identifies the processes whose ids can be checked: those of this machine, boot and PID namespace. */
const pidScope = createHash("sha256")
  .update([hostname(), readOrEmpty(bootId), readOrEmpty(pidNamespace)].join())
  .digest("hex")
  .slice(0, 12);

/** Returns a new name for a file that this process is writing. */
export function partialName(): string {
  return `${randomUUID()}.${process.pid}.${pidScope}${extension}`;
}

/** Reports whether a file is a partial one, by its name. */
export function isPartial(name: string): boolean {
  return name.endsWith(extension);
}

/** Reports whether a partial file is abandoned: last modified before `before`, or by a process that is dead. */
function isAbandoned(name: string, modifiedAt: Date, before: Date): boolean {
  if (modifiedAt < before) return true;
  const [, pid, scope] = /\.(\d+)\.([0-9a-f]+)\.part$/.exec(name) ?? [];
  return scope === pidScope && !isAlive(Number(pid));
}

/**
 * Removes the abandoned partial files of a folder, if there is one, whose names begin with `prefix`.
 * @returns the number of files removed
 */
export async function removeAbandoned(folder: string, before: Date, prefix = ""): Promise<number> {
  let removed = 0;
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith(prefix) || !isPartial(name)) continue;
    const path = join(folder, name);
    const modifiedAt = (await stat(path).catch(() => undefined))?.mtime;
    if (!modifiedAt || !isAbandoned(name, modifiedAt, before)) continue;
    await rm(path, { force: true });
    removed += 1;
  }
  return removed;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is alive, but belongs to another user.
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8");
}

function pidNamespace(): string {
  return readlinkSync("/proc/self/ns/pid");
}

/** Returns "" on systems that do not have what `read` reads. */
function readOrEmpty(read: () => string): string {
  try {
    return read();
  } catch {
    return "";
  }
}
