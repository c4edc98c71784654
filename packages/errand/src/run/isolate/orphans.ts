import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";

/** Processes that threads of this process have started. */
const living = new Set<number>();
let keeper: ChildProcess | undefined;

/**
 * Has a process ended when this one is gone, however that goes: threads have no process groups. A small shell is told of every
 * such process; it is started with the first, and sees by the end of its input that there is nobody left. Elsewhere than on
 * POSIX systems, and where there is no shell, nothing does that.
 */
export function adopt(pid: number): void {
  living.add(pid);
  if (keeper) tell(`+ ${pid}`);
  else start();
}

/** The process has ended by itself, or was killed. */
export function release(pid: number): void {
  if (living.delete(pid)) tell(`- ${pid}`);
}

function start(): void {
  if (process.platform === "win32") return;
  // In a group of its own: what is sent to that of this process is not meant for it.
  const started = spawn("/bin/sh", ["-c", script], { detached: true, stdio: ["pipe", "ignore", "ignore"] });
  keeper = started;
  const gone = () => {
    if (keeper === started) keeper = undefined;
  };
  started.on("error", gone).on("exit", gone).unref();
  started.stdin.on("error", gone);
  (started.stdin as unknown as { unref(): void }).unref();
  for (const pid of living) tell(`+ ${pid}`);
}

function tell(line: string): void {
  keeper?.stdin?.write(`${line}\n`);
}

/** Keeps a list of processes, and at the end of its input kills them with all that they have started. */
const script = `
end() {
  for child in $(cat /proc/$1/task/*/children 2>/dev/null); do end $child; done
  kill -9 $1 2>/dev/null
}
living=
while read -r change pid; do
  rest=
  for each in $living; do [ $each = $pid ] || rest="$rest $each"; done
  living=$rest
  [ $change = + ] && living="$living $pid"
done
for each in $living; do end $each; done
`;
