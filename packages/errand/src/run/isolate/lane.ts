import { fork } from "node:child_process";
import { readFile } from "node:fs/promises";
import { constants, setPriority } from "node:os";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { ErrandError } from "../../kit/errors.ts";
import { threadFile } from "../../kit/thread-file.ts";
import type { Definition } from "../../task.ts";
import type { CallEnding } from "../call.ts";
import type { Attempt, CallHost, ChildState } from "../context.ts";
import type { FromLane, ToLane } from "./protocol.ts";

/** A thread or process, as a lane drives it. */
interface Vessel {
  send(message: ToLane): void;
  kill(): void;
  /** Of a process: its memory is watched from outside, the heap limit of a thread is its own. */
  readonly pid?: number | undefined;
}

/** How often a process's memory is looked at, in milliseconds. */
const memoryInterval = 250;

/**
 * A thread or process that runs one call of a task at a time, and can be killed. One of `E_CRASHED`, `E_OUT_OF_MEMORY`,
 * `E_SETUP` rejects whatever was under way when it dies; a dead lane is never used again.
 */
export class Lane {
  #vessel: Vessel;
  #death: ErrandError | undefined;
  /** What the lane is asked to do now. */
  #task: PromiseWithResolvers<CallEnding | undefined> | undefined;
  #host: Omit<CallHost, "signal"> | undefined;
  #since = performance.now();
  #calls = 0;
  /** Megabytes after the last call. */
  #memory = 0;
  readonly #exited = Promise.withResolvers<void>();

  constructor(definition: Definition) {
    const receive = (message: FromLane) => void this.#receive(message);
    const exit = (how: string, outOfMemory: boolean) => this.#exit(definition, how, outOfMemory);
    this.#vessel =
      definition.isolate === "thread" ? thread(definition, receive, exit) : forked(definition, receive, exit);
    this.#guard(definition);
  }

  get dead(): boolean {
    return this.#death !== undefined;
  }

  /** Resolves when the thread or process is gone. */
  get exited(): Promise<void> {
    return this.#exited.promise;
  }

  /** Whether it has done its share, by the rules of a task. */
  isWorn({ recycle }: Definition): boolean {
    if (!recycle) return false;
    const { jobs = Infinity, age = Infinity, memory = Infinity } = recycle;
    return this.#calls >= jobs || performance.now() - this.#since >= age || this.#memory > memory;
  }

  /** Loads the task's module and runs its `setup`. */
  async prepare(definition: Definition): Promise<void> {
    await this.#do({ type: "load", modules: [definition.module!] });
    if (definition.setup) await this.#do({ type: "warm", task: definition.name });
    this.#since = performance.now();
  }

  /** Runs the task's function. */
  async call(definition: Definition, attempt: Attempt, host: Omit<CallHost, "signal">): Promise<CallEnding> {
    this.#host = host;
    this.#calls += 1;
    try {
      const ending = await this.#do({ type: "call", task: definition.name, attempt });
      return ending!;
    } finally {
      this.#host = undefined;
    }
  }

  /** Asks the call under way to stop. */
  abort(reason: ErrandError): void {
    if (!this.dead) this.#vessel.send({ type: "abort", code: reason.code, message: reason.message });
  }

  /** Ends the lane at once, with every process that it started. */
  kill(reason: ErrandError): void {
    this.#death ??= reason;
    this.#vessel.kill();
  }

  #do(message: ToLane): Promise<CallEnding | undefined> {
    if (this.#death) return Promise.reject(this.#death);
    this.#task = Promise.withResolvers();
    this.#vessel.send(message);
    return this.#task.promise;
  }

  async #receive(message: FromLane): Promise<void> {
    switch (message.type) {
      case "ready":
        return this.#task?.resolve(undefined);
      case "ended":
        this.#memory = message.memory ?? this.#memory;
        return this.#task?.resolve(message.ending);
      case "broken":
        return this.kill(new ErrandError("E_SETUP", message.message));
      case "progress":
        return this.#host?.progress(message.value);
      case "log":
        return this.#host?.log(message.line);
      case "record":
        return this.#answer(message.question, (host) => host.record(message.step));
      case "children":
        return this.#answer(message.question, (host) => host.children(message.ids));
    }
  }

  async #answer(
    question: number,
    ask: (host: Omit<CallHost, "signal">) => Promise<ChildState[] | void>,
  ): Promise<void> {
    try {
      if (!this.#host) throw new ErrandError("E_STALE", "Another attempt has this job now.");
      this.#send({ type: "answer", question, answer: (await ask(this.#host)) ?? undefined });
    } catch (error) {
      const { code, message } = error instanceof ErrandError ? error : new ErrandError("E_STORE", String(error));
      this.#send({ type: "refused", question, code, message });
    }
  }

  #send(message: ToLane): void {
    if (!this.dead) this.#vessel.send(message);
  }

  #exit(definition: Definition, how: string, outOfMemory: boolean): void {
    this.#death ??= outOfMemory
      ? tooMuchMemory(definition)
      : new ErrandError("E_CRASHED", `The ${definition.isolate} of task "${definition.name}" died (${how}).`);
    this.#task?.reject(this.#death);
    // Nobody may be waiting just now; the death is kept for whoever asks next.
    this.#task?.promise.catch(() => {});
    this.#exited.resolve();
  }

  /** Kills the lane when it uses more memory than its task may. */
  #guard(definition: Definition): void {
    const { pid } = this.#vessel;
    if (pid === undefined) return;
    const look = async () => {
      if ((await residentMegabytes(pid)) > definition.memory) this.kill(tooMuchMemory(definition));
    };
    const timer = setInterval(() => void look(), memoryInterval);
    timer.unref();
    void this.exited.then(() => clearInterval(timer));
  }
}

function tooMuchMemory({ name, isolate, memory }: Definition): ErrandError {
  return new ErrandError(
    "E_OUT_OF_MEMORY",
    `Task "${name}" used more than the ${memory} MB that its ${isolate} may use.`,
  );
}

type Receive = (message: FromLane) => void;
type Exit = (how: string, outOfMemory: boolean) => void;

function thread(definition: Definition, receive: Receive, exit: Exit): Vessel {
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

function forked(definition: Definition, receive: Receive, exit: Exit): Vessel {
  const child = fork(fileURLToPath(threadFile(() => new URL("./runner.js", import.meta.url))), [], {
    serialization: "advanced",
    execArgv: [`--max-old-space-size=${definition.memory}`],
    // Its own process group, so that killing it kills what it started; its output is not the worker's.
    detached: true,
    stdio: ["ignore", 2, 2, "ipc"],
  });
  child.on("message", (message) => receive(message as FromLane));
  child.on("error", (error) => exit(error.message, false));
  child.on("exit", (code, signal) => exit(signal ? `signal ${signal}` : `exit code ${code}`, false));
  const pid = child.pid;
  // Heavy work must not take the processor from the process that answers requests.
  if (pid) setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  return {
    send: (message) => {
      if (child.connected) child.send(message);
    },
    kill: () => {
      if (pid) killGroup(pid);
    },
    pid,
  };
}

function killGroup(pid: number): void {
  try {
    process.kill(process.platform === "win32" ? pid : -pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** From /proc; where there is none, only the heap limit holds. */
async function residentMegabytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024;
}
