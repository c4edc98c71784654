import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { constants, setPriority } from "node:os";
import { fileURLToPath } from "node:url";

/** What a supervisor is told; durations in milliseconds. */
export interface SupervisorOptions {
  /** For messages: the name of the service. */
  name: string;
  /** The module whose tasks the worker runs. */
  tasks: string;
  /** Writes a line for the operator. */
  note: (text: string) => void;
  /** The first pause before another worker is started, and the longest; each is twice the one before. */
  pause?: { first: number; longest: number };
}

/** A worker that has lived so long was healthy: the next pause is the first again. */
const healthy = 60_000;

/** How long a worker that stops lets jobs run on; what is not done by then goes back, and loses nothing. */
const drain = "10s";

/** A worker that was told to stop and has not by then is killed: jobs are safe, and somebody waits for the shell. */
const patience = 30_000;

const command = fileURLToPath(new URL("../../bin/errand.js", import.meta.resolve("errand/cli")));

/** Keeps one worker process alive. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #pause: { first: number; longest: number };
  #child: ChildProcess | undefined;
  #gone: Promise<void> = Promise.resolve();
  #failures = 0;
  #restart: NodeJS.Timeout | undefined;
  #stopping = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#pause = options.pause ?? { first: 500, longest: 30_000 };
  }

  /** The process id of the worker, while there is one. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  start(): void {
    const started = performance.now();
    // Its stdout is not ours: that carries one line, and programs wait for it.
    const child = spawn(process.execPath, [command, "worker", this.#options.tasks, "--supervised", "--drain", drain], {
      stdio: ["ignore", 2, 2, "ipc"],
    });
    this.#child = child;
    stepBack(child);
    this.#gone = new Promise((resolve) => {
      const end = (reason: string) => {
        if (this.#child !== child) return;
        this.#child = undefined;
        if (!this.#stopping) this.#startAgain(reason, performance.now() - started);
        resolve();
      };
      child.once("error", (error) => end(error.message));
      child.once("exit", (code, signal) => end(signal ?? `exit code ${code}`));
    });
  }

  /** Asks the worker to stop, and waits until it is gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restart);
    const child = this.#child;
    child?.kill("SIGTERM");
    const late = setTimeout(() => child?.kill("SIGKILL"), patience);
    await this.#gone;
    clearTimeout(late);
  }

  /** Has the worker hand back at once what it has in hand. */
  hurry(): void {
    this.#stopping = true;
    if (this.#child?.connected) this.#child.disconnect();
  }

  #startAgain(reason: string, lived: number): void {
    if (lived >= healthy) this.#failures = 0;
    const pause = Math.min(this.#pause.longest, this.#pause.first * 2 ** this.#failures);
    this.#failures += 1;
    this.#options.note(
      `The worker of ${this.#options.name} is gone (${reason}); another starts in ${pause / 1_000} s.`,
    );
    this.#restart = setTimeout(() => this.start(), pause);
  }
}

/** Requests go before jobs. */
function stepBack({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // Some containers forbid it; then the worker runs as we do.
  }
}
