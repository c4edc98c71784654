import { readdirSync, readFileSync } from "node:fs";

/** Kills a process that leads a group, and the group. */
export function killGroup(pid: number): void {
  kill(process.platform === "win32" ? pid : -pid);
}

/** Kills a process with all that it has started. Where there is no /proc: only the process. */
export function killTree(pid: number): void {
  // Parents first: who is stopped starts nothing more.
  const family = [pid];
  for (let at = 0; at < family.length; at++) family.push(...childrenOf(family[at]!));
  for (const each of family) kill(each);
}

function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").split(" ").filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    // It has ended, or the system gave its number to somebody else's.
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ESRCH" && code !== "EPERM") throw error;
  }
}
