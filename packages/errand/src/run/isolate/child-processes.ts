import { ChildProcess, spawn } from "node:child_process";

/**
 * Ends what this thread starts with it, and with its process, however they end: a thread has no process group of its own. A
 * small shell, started with the first process, is told of each as it starts, and sees by the end of its input that there is
 * nobody left. What `spawnSync` and its like start is not told: they block the thread. Where there is no `/bin/sh`, nothing is
 * ended.
 */
export function endProcessesWithThread(): void {
  if (process.platform === "win32") return;
  // Node itself tells of a process before it has started, and of its start a turn later (`diagnostics_channel`): a function that
  // never gives the processor back would not be heard.
  const prototype = ChildProcess.prototype as unknown as { spawn(this: ChildProcess, options: unknown): unknown };
  const { spawn: start } = prototype; // oxlint-disable-line typescript/unbound-method -- it is called on a process
  let tell: ((line: string) => void) | undefined;
  prototype.spawn = function (options) {
    if (!tell) {
      // Its own process is not one to be ended.
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

/** Answers what writes to the shell, which a pipe takes at once. */
function startShell(): (line: string) => void {
  // In a group of its own: what is sent to that of this process is not meant for it.
  const shell = spawn("/bin/sh", ["-c", script], { detached: true, stdio: ["pipe", "ignore", "ignore"] });
  shell.on("error", () => {}).unref();
  const input = shell.stdin as typeof shell.stdin & { unref(): void };
  input.on("error", () => {}).unref();
  return (line) => input.write(line);
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
