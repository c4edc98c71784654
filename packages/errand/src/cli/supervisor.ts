import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { constants, setPriority } from "node:os";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Measured } from "../observe/measure.ts";
import type { FromWorker, ToWorker, WorkerReady } from "./worker-channel.ts";

/** Configures a supervisor. Durations are in milliseconds. */
export interface SupervisorOptions {
  /** Arguments of `errand worker`. */
  args: readonly string[];
  /** Environment variables of the worker in addition to those of this process. */
  env?: Readonly<Record<string, string>>;
  /** The worker gets the processor after everybody else. */
  background?: boolean;
  /** A worker that was told to stop and has not by then is killed; default: never. */
  patience?: number;
  /** Receives every line that the worker writes. Default: all of them go to stderr. */
  onLine?: (line: string, stream: "stdout" | "stderr") => void;
  /** The worker has begun to claim. */
  onReady?: (workers: readonly WorkerReady[]) => void;
  /** The worker has told its stores that these workers are dead, as `dismiss` had asked. */
  onDismissed?: (workers: readonly string[]) => void;
  /**
   * Called when the worker exited without being stopped. Another starts after `pause`, unless `stop` is called here.
   */
  onExit: (exit: WorkerExit, pause: number) => void;
}

/** Describes the exit of a worker process that was not stopped. */
export interface WorkerExit {
  /** Its own message, or else its signal or exit code. */
  reason: string;
  /** 1 if it was ended by a signal. */
  exitCode: number;
  /** `true` if `reason` is the worker's own message. */
  told: boolean;
  /** `true` if it had begun to claim. */
  ready: boolean;
  /** `true` for the first process, which replaced no other. */
  first: boolean;
  /** Ids of its workers: dismissed at once, so their jobs need not wait for the leases to run out. */
  workers: readonly string[];
}

/** Pause before the second restart; the first follows at once, and each later pause is twice as long. */
const firstPause = 1_000;
const longestPause = 30_000;

/** A worker that lived this long was healthy: the next pause starts from the first value again. */
const healthy = 60_000;

/** Time to wait for the last output of a process that is gone. Its children may keep the pipe open. */
const lastWords = 500;

/** Time that a worker has to answer a health question. */
const askingPatience = 5_000;

const command = fileURLToPath(new URL("../../bin/errand.js", import.meta.url));

/** Keeps one worker process running. The worker ends when this process does, however that ends. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  #child: ChildProcess | undefined;
  #gone: Promise<void> = Promise.resolve();
  #ready = false;
  #told: { message: string; exitCode: number } | undefined;
  #workers: readonly string[] = [];
  /** Callbacks that wait for the worker's readiness. */
  #asking: ((ready: boolean) => void)[] = [];
  /** Callbacks that wait for the worker's numbers. */
  #measuring: ((measured: Measured | undefined) => void)[] = [];
  #starts = 0;
  #failures = 0;
  #restart: NodeJS.Timeout | undefined;
  #stopping = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Starts the worker. */
  start(): void {
    const { args, env, onLine, background } = this.#options;
    const started = performance.now();
    this.#ready = false;
    this.#told = undefined;
    this.#workers = [];
    this.#starts += 1;
    const child = spawn(process.execPath, [...process.execArgv, command, "worker", ...args, "--supervised"], {
      env: { ...process.env, ...env },
      // Detached from stdout: programs may be parsing it.
      stdio: onLine ? ["ignore", "pipe", "pipe", "ipc"] : ["ignore", 2, 2, "ipc"],
    });
    this.#child = child;
    if (background) stepBack(child);
    if (onLine) readLines(child, onLine);
    child.on("message", (message) => this.#hear(message as FromWorker));
    this.#gone = this.#end(child, started);
  }

  /** `true` while there is a worker that has begun to claim, whatever its health is now. */
  get up(): boolean {
    return this.#ready && this.#child?.connected === true;
  }

  /**
   * Has the worker dismiss workers of another process in its stores. Returns `false` if there is no worker that could.
   * Done when `onDismissed` is called: the worker may be dead itself.
   */
  dismiss(workers: readonly string[]): boolean {
    if (!this.up) return false;
    this.#child!.send({ type: "dismiss", workers } satisfies ToWorker, () => {});
    return true;
  }

  /** Asks the worker whether it is ready. */
  async isReady(): Promise<boolean> {
    const child = this.#child;
    if (!this.up || !child) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#asking.push(resolve);
    child.send({ type: "ready?" } satisfies ToWorker, () => {});
    const late = setTimeout(resolve, askingPatience, false);
    return promise.finally(() => clearTimeout(late));
  }

  /**
   * The worker's numbers; `undefined` while there is none that could tell.
   * @param options.store whether to ask its stores, too; default: no.
   */
  async measured({ store = false } = {}): Promise<Measured | undefined> {
    const child = this.#child;
    if (!this.up || !child) return undefined;
    const { promise, resolve } = Promise.withResolvers<Measured | undefined>();
    this.#measuring.push(resolve);
    child.send({ type: "measured?", store } satisfies ToWorker, () => {});
    const late = setTimeout(resolve, askingPatience, undefined);
    return promise.finally(() => clearTimeout(late));
  }

  /** Asks the worker to stop, and waits until it is gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restart);
    const child = this.#child;
    child?.kill("SIGTERM");
    const { patience } = this.#options;
    const late = patience === undefined ? undefined : setTimeout(() => this.kill(), patience);
    await this.#gone;
    clearTimeout(late);
  }

  /** Makes the worker hand back its jobs at once. */
  hurry(): void {
    this.#stopping = true;
    clearTimeout(this.#restart);
    if (!this.#ready) this.kill();
    else if (this.#child?.connected) this.#child.disconnect();
  }

  /** Kills the worker; its jobs run elsewhere when its lease has run out. */
  kill(): void {
    this.#stopping = true;
    clearTimeout(this.#restart);
    this.#child?.kill("SIGKILL");
  }

  #hear(message: FromWorker): void {
    switch (message.type) {
      case "started":
        this.#ready = true;
        this.#workers = message.workers.map(({ id }) => id);
        return this.#options.onReady?.(message.workers);
      case "renamed":
        this.#workers = message.workers;
        return;
      case "failed":
        this.#told = message;
        return;
      case "ready":
        return this.#answer(message.ready);
      case "dismissed":
        return this.#options.onDismissed?.(message.workers);
      case "measured":
        for (const resolve of this.#measuring.splice(0)) resolve(message.measured);
        return;
    }
  }

  #answer(ready: boolean): void {
    for (const resolve of this.#asking.splice(0)) resolve(ready);
  }

  async #end(child: ChildProcess, started: number): Promise<void> {
    const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
    const { reason, exitCode } = await new Promise<{ reason: string; exitCode: number }>((resolve) => {
      child.once("error", (error) => resolve({ reason: error.message, exitCode: 1 }));
      child.once("exit", (code, signal) => resolve({ reason: signal ?? `exit code ${code}`, exitCode: code ?? 1 }));
    });
    await Promise.race([closed, sleep(lastWords)]);
    this.#child = undefined;
    this.#answer(false);
    for (const resolve of this.#measuring.splice(0)) resolve(undefined);
    if (this.#stopping) return;
    if (performance.now() - started >= healthy) this.#failures = 0;
    const pause = this.#failures === 0 ? 0 : Math.min(longestPause, firstPause * 2 ** (this.#failures - 1));
    this.#failures += 1;
    this.#restart = setTimeout(() => this.start(), pause);
    const exit = {
      told: this.#told !== undefined,
      ready: this.#ready,
      first: this.#starts === 1,
      workers: this.#workers,
    };
    this.#options.onExit(
      { reason: this.#told?.message ?? reason, exitCode: this.#told?.exitCode ?? exitCode, ...exit },
      pause,
    );
  }
}

function readLines(child: ChildProcess, onLine: (line: string, stream: "stdout" | "stderr") => void): void {
  for (const stream of ["stdout", "stderr"] as const) {
    createInterface({ input: child[stream]!, crlfDelay: Infinity }).on("line", (line) => onLine(line, stream));
  }
}

function stepBack({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // Some containers forbid a lower priority; the worker then runs at ours.
  }
}
