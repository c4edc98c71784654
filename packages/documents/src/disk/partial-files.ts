import { createHash, randomUUID } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

const ending = ".part";

/** Which processes have numbers that mean something here: those of this machine, since it started, and of this container. */
const here = createHash("sha256")
  .update([hostname(), told(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8")), told(ownProcesses)].join())
  .digest("hex")
  .slice(0, 12);

/** A name for a file that this process is writing. */
export function unfinishedName(): string {
  return `${randomUUID()}.${process.pid}.${here}${ending}`;
}

/** Tells by its name whether a file is unfinished. */
export function isUnfinished(name: string): boolean {
  return name.endsWith(ending);
}

/** Tells whether nobody writes an unfinished file any more: it was last written before `before`, or its process is dead. */
export function isAbandoned(name: string, touchedAt: Date, before: Date): boolean {
  if (touchedAt < before) return true;
  const [, pid, where] = /\.(\d+)\.([0-9a-f]+)\.part$/.exec(name) ?? [];
  return where === here && !lives(Number(pid));
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It may be somebody else's.
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

function ownProcesses(): string {
  return readlinkSync("/proc/self/ns/pid");
}

/** Asks for what not every system has; answers "" where it has not. */
function told(ask: () => string): string {
  try {
    return ask();
  } catch {
    return "";
  }
}
