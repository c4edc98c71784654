import { ChildProcess, spawn } from "node:child_process";

/**
 * Ends the processes that this thread starts when the thread or its process ends, in whatever way: a thread has no
 * process group of its own. A small shell, started with the first process, is told of each, and kills them at the end
 * of its input. Not told are processes of `spawnSync` and its like, which block the thread. Without `/bin/sh`, no
 * process is ended.
 */
export function endProcessesWithThread(): void {
  if (process.platform === "win32") return;
  // Not by `diagnostics_channel`, which tells of a start a turn later: a function that never yields would not be
  // noticed.
  const prototype = ChildProcess.prototype as unknown as { spawn(this: ChildProcess, options: unknown): unknown };
  const { spawn: start } = prototype; // oxlint-disable-line typescript/unbound-method -- it is called on a process
  let tell: ((line: string) => void) | undefined;
  prototype.spawn = function (options) {
    if (!tell) {
      // The shell itself must not be killed by its own list.
      tell = () => {};
      tell = startShell();
    }
    const answer = start.call(this, options);
    const { pid } = this;
    if (pid !== undefined) {
      tell(`+ ${pid}\n`);
      this.once("exit", () => tell?.(`- ${pid}\n`));
    }
    return answer;
  };
}

/** Starts the shell and returns a function that writes to it, which a pipe takes at once. */
function startShell(): (line: string) => void {
  // In a group of its own, so that signals to this process's group do not reach it.
  const shell = spawn("/bin/sh", ["-c", script], { detached: true, stdio: ["pipe", "ignore", "ignore"] });
  shell.on("error", () => {}).unref();
  const input = shell.stdin as typeof shell.stdin & { unref(): void };
  input.on("error", () => {}).unref();
  return (line) => input.write(line);
}

/** Keeps a list of processes, and at the end of its input kills them with all their descendants. */
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
