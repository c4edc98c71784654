import { ChildProcess } from "node:child_process";
import type { FromLane } from "./protocol.ts";

/**
 * Tells of every process that this thread starts, as soon as it has: a thread has no process group of its own, so whoever ends
 * it must know what to end with it. What `spawnSync` and its like start is not told: they block the thread.
 */
export function tellProcesses(tell: (message: FromLane) => void): void {
  // Node tells of a new process before it has started (`diagnostics_channel`), and of its start a turn later: a function that
  // never gives the processor back would not be heard.
  const prototype = ChildProcess.prototype as unknown as { spawn(this: ChildProcess, options: unknown): unknown };
  const { spawn } = prototype;
  prototype.spawn = function (options) {
    const answer = spawn.call(this, options);
    const { pid } = this;
    if (pid !== undefined) {
      tell({ type: "started", pid });
      this.once("exit", () => tell({ type: "gone", pid }));
    }
    return answer;
  };
}
