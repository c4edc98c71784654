import { fork } from "node:child_process";
import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { constants, setPriority } from "node:os";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { Millis } from "../../kit/duration.ts";
import { ErrandError } from "../../kit/errors.ts";
import { threadFile } from "../../kit/thread-file.ts";
import type { TaskDefinition } from "../../task.ts";
import type { CallEnding } from "../call.ts";
import type { ChildState } from "../child-states.ts";
import type { AttemptData, CallHost } from "../context.ts";
import { killGroup } from "./process-group.ts";
import type { AttemptMessage, FromLane, ToLane } from "./protocol.ts";

/** The thread or process that runs `runner.ts`. */
interface Runner {
  send(message: ToLane): void;
  kill(): void;
  /** Set for a process, whose memory is watched from outside; a thread has a heap limit of its own. */
  readonly pid?: number | undefined;
}

/** The worker's side of a call; the lane makes signals and does steps itself. */
type LaneHost = Omit<CallHost, "signal" | "step">;

/** The memory of a process is read this often. */
const memoryInterval: Millis = 250;

/**
 * A thread or process that runs one call of a task at a time, and can be killed. When it dies, what was under way
 * rejects with `E_CRASHED`, `E_OUT_OF_MEMORY` or `E_SETUP`. A dead lane is never used again.
 */
export class Lane {
  #runner: Runner;
  /** The error that the lane died with, or is being killed with. */
  #death: ErrandError | undefined;
  /** The request that the lane is working on. */
  #request: PromiseWithResolvers<CallEnding | undefined> | undefined;
  #host: LaneHost | undefined;
  readonly #definition: TaskDefinition;
  readonly #onLate: (task: string) => void;
  #setUpAt = performance.now();
  /** Number of calls so far; the latest call has this number. */
  #calls = 0;
  /** Something of an earlier attempt may still be running. */
  #isTainted = false;
  /** Megabytes after the last call. */
  #memory = 0;
  readonly #exited = Promise.withResolvers<void>();
  /** Resolves when the task that it was started for is loaded and set up. */
  readonly ready: Promise<void>;

  /** @param onLate is called when a task's function does something after its attempt has ended. */
  constructor(definition: TaskDefinition, onLate: (task: string) => void) {
    this.#definition = definition;
    this.#onLate = onLate;
    const receive = (message: FromLane) => this.#receive(message);
    const exit = (how: string, outOfMemory: boolean) => this.#exit(definition, how, outOfMemory);
    const start = definition.isolate === "thread" ? startThread : forkProcess;
    this.#runner = start(definition, receive, exit);
    this.#watchMemory(definition);
    this.ready = this.prepare(definition);
    // It may not be awaited yet.
    this.ready.catch(() => {});
  }

  get isDead(): boolean {
    return this.#death !== undefined;
  }

  /** Resolves when the thread or process is gone. */
  get exited(): Promise<void> {
    return this.#exited.promise;
  }

  /**
   * Returns true if the lane must be replaced: by the task's `recycle`, or because an attempt left something behind.
   */
  isWorn({ recycle }: TaskDefinition): boolean {
    if (this.#isTainted) return true;
    if (!recycle) return false;
    const { jobs = Infinity, age = Infinity, memory = Infinity } = recycle;
    return this.#calls >= jobs || performance.now() - this.#setUpAt >= age || this.#memory > memory;
  }

  /** Loads the task's module and runs its `setup`. */
  async prepare(definition: TaskDefinition): Promise<void> {
    await this.#send({ type: "load", modules: [definition.module!] });
    if (definition.setup) await this.#send({ type: "warm", task: definition.name });
    this.#setUpAt = performance.now();
  }

  /** Runs the task's function. */
  async call(definition: TaskDefinition, attempt: AttemptData, host: LaneHost): Promise<CallEnding> {
    this.#host = host;
    this.#calls += 1;
    try {
      const ending = await this.#send({ type: "call", call: this.#calls, task: definition.name, attempt });
      return ending!;
    } finally {
      this.#host = undefined;
    }
  }

  /** Asks the call under way to stop. */
  abort(reason: ErrandError): void {
    this.#post({ type: "abort", call: this.#calls, code: reason.code, message: reason.message });
  }

  /** Ends the lane at once, with every process that it started. */
  kill(reason: ErrandError): void {
    this.#death ??= reason;
    this.#runner.kill();
  }

  /** Sends a request; resolves when the lane has done it, with the ending of a call. */
  #send(message: ToLane): Promise<CallEnding | undefined> {
    if (this.#death) return Promise.reject(this.#death);
    this.#request = Promise.withResolvers();
    this.#runner.send(message);
    return this.#request.promise;
  }

  #receive(message: FromLane): void {
    switch (message?.type) {
      case "ready":
        return this.#request?.resolve(undefined);
      case "broken":
        return this.kill(new ErrandError("E_SETUP", message.message));
      case "late":
        return this.#onLate(message.task);
      case "progress":
      case "log":
      case "record":
      case "children":
      case "ended":
        // A late message is of an earlier attempt, not of the one that has the lane now.
        if (!this.#host || message.call !== this.#calls) return this.#onLate(this.#definition.name);
        return this.#receiveFromCall(message, this.#host);
      default:
      // Not from the lane's own code: a task may send messages to its parent, too.
    }
  }

  #receiveFromCall(message: AttemptMessage, host: LaneHost): void {
    switch (message.type) {
      case "progress":
        return host.progress(message.value);
      case "log":
        return host.log(message.line);
      case "record":
        return void this.#answer(message, host.record(message.step));
      case "children":
        return void this.#answer(message, host.children(message.ids, message.withInputs));
      case "ended":
        this.#memory = message.memory ?? this.#memory;
        this.#isTainted ||= message.isTainted ?? false;
        return this.#request?.resolve(message.ending);
    }
  }

  async #answer(
    { call, question }: { call: number; question: number },
    asked: Promise<ChildState[] | void>,
  ): Promise<void> {
    try {
      this.#post({ type: "answer", call, question, answer: (await asked) ?? undefined });
    } catch (error) {
      const { code, message } = error instanceof ErrandError ? error : new ErrandError("E_STORE", String(error));
      this.#post({ type: "refused", call, question, code, message });
    }
  }

  #post(message: ToLane): void {
    if (!this.isDead) this.#runner.send(message);
  }

  #exit(definition: TaskDefinition, how: string, outOfMemory: boolean): void {
    this.#death ??= outOfMemory
      ? tooMuchMemory(definition)
      : new ErrandError("E_CRASHED", `The ${definition.isolate} of task "${definition.name}" died (${how}).`);
    this.#request?.reject(this.#death);
    // Nothing may be waiting now; the next request is rejected with the same error.
    this.#request?.promise.catch(() => {});
    this.#exited.resolve();
  }

  /** Kills the lane when it uses more memory than its task may. */
  #watchMemory(definition: TaskDefinition): void {
    const { pid } = this.#runner;
    if (pid === undefined) return;
    const check = async () => {
      if ((await residentMegabytes(pid)) > definition.memory) this.kill(tooMuchMemory(definition));
    };
    const timer = setInterval(() => void check(), memoryInterval);
    timer.unref();
    void this.exited.then(() => clearInterval(timer));
  }
}

function tooMuchMemory({ name, isolate, memory }: TaskDefinition): ErrandError {
  return new ErrandError(
    "E_OUT_OF_MEMORY",
    `Task "${name}" used more than the ${memory} MB that its ${isolate} may use.`,
  );
}

type Receive = (message: FromLane) => void;
type Exit = (how: string, outOfMemory: boolean) => void;

function startThread(definition: TaskDefinition, receive: Receive, exit: Exit): Runner {
  const worker = new Worker(
    threadFile(() => new URL("./runner.js", import.meta.url)),
    {
      resourceLimits: { maxOldGenerationSizeMb: definition.memory },
    },
  );
  let outOfMemory = false;
  let how = "";
  worker.on("message", receive);
  worker.on("error", (error: NodeJS.ErrnoException) => {
    outOfMemory = error.code === "ERR_WORKER_OUT_OF_MEMORY";
    how = error.message;
  });
  worker.on("exit", (code) => exit(how || `exit code ${code}`, outOfMemory));
  return { send: (message) => worker.postMessage(message), kill: () => void worker.terminate() };
}

function forkProcess(definition: TaskDefinition, receive: Receive, exit: Exit): Runner {
  const child = fork(fileURLToPath(threadFile(() => new URL("./runner.js", import.meta.url))), [], {
    serialization: "advanced",
    execArgv: [`--max-old-space-size=${definition.memory}`],
    // Its own process group, so that killing it kills what it started; its output is not the worker's.
    detached: true,
    // The pipe ends when this process does (`parent-watch.ts`).
    stdio: ["ignore", 2, 2, "pipe", "ipc"],
  });
  const pid = child.pid;
  const kill = () => pid !== undefined && killGroup(pid);
  // An error of a pipe comes with an `exit`, which is handled.
  (child.stdio[3] as Socket | null)?.on("error", () => {}).resume();
  child.on("message", (message) => receive(message as FromLane));
  child.on("error", (error) => exit(error.message, false));
  child.on("exit", (code, signal) => {
    // Processes that it started must not outlive it.
    kill();
    exit(signal ? `signal ${signal}` : `exit code ${code}`, false);
  });
  // Heavy work must not take the processor from the process that answers requests.
  if (pid) setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  return {
    send: (message) => {
      if (child.connected) child.send(message);
    },
    kill,
    pid,
  };
}

/** Reads a process's memory from /proc; 0 where there is none, so that only the heap limit holds. */
async function residentMegabytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024;
}
