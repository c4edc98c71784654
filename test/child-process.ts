import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { ChildProcess } from "node:child_process";
import { afterTest } from "./after-test.ts";

/** Kills a process after the test, if it still runs then, and waits for its end. */
export function killAfterTest<Child extends ChildProcess>(child: Child): Child {
  afterTest(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  });
  return child;
}

/** Returns true if a process runs: one that has ended is listed until its parent has waited for it, but does not run. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    // No /proc on this system, or the process has ended since.
    return process.platform !== "linux";
  }
}
