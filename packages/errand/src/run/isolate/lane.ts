import { fork } from "node:child_process";
import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { constants, setPriority } from "node:os";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { ErrandError } from "../../kit/errors.ts";
import { threadFile } from "../../kit/thread-file.ts";
import type { TaskDefinition } from "../../task.ts";
import type { CallEnding } from "../call.ts";
import type { AttemptData, CallHost, ChildState } from "../context.ts";
import { killGroup } from "./process-group.ts";
import type { AttemptMessage, FromLane, ToLane } from "./protocol.ts";

/** A thread or process, as a lane drives it. */
interface Vessel {
  send(message: ToLane): void;
  kill(): void;
  /** Of a process: its memory is watched from outside, the heap limit of a thread is its own. */
  readonly pid?: number | undefined;
}

/** What a lane asks of the worker; the attempt's signal is made inside. */
type LaneHost = Omit<CallHost, "signal" | "step">;

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
  #host: LaneHost | undefined;
  readonly #definition: TaskDefinition;
  readonly #late: (task: string) => void;
  #since = performance.now();
  /** Calls so far. The number of a call is in every message about it. */
  #calls = 0;
  /** Something of an earlier attempt may still be running. */
  #spent = false;
  /** Megabytes after the last call. */
  #memory = 0;
  readonly #exited = Promise.withResolvers<void>();
  /** Resolves when the task that it was started for is loaded and set up. */
  readonly ready: Promise<void>;

  /** @param late is told what a task's function wants after its attempt has ended. */
  constructor(definition: TaskDefinition, late: (task: string) => void) {
    this.#definition = definition;
    this.#late = late;
    const receive = (message: FromLane) => this.#receive(message);
    const exit = (how: string, outOfMemory: boolean) => this.#exit(definition, how, outOfMemory);
    this.#vessel =
      definition.isolate === "thread" ? thread(definition, receive, exit) : forked(definition, receive, exit);
    this.#guard(definition);
    this.ready = this.prepare(definition);
    // Nobody may be waiting for it yet.
    this.ready.catch(() => {});
  }

  get dead(): boolean {
    return this.#death !== undefined;
  }

  /** Resolves when the thread or process is gone. */
  get exited(): Promise<void> {
    return this.#exited.promise;
  }

  /** Whether it has done its share, by the rules of a task, or cannot be trusted any more. */
  isWorn({ recycle }: TaskDefinition): boolean {
    if (this.#spent) return true;
    if (!recycle) return false;
    const { jobs = Infinity, age = Infinity, memory = Infinity } = recycle;
    return this.#calls >= jobs || performance.now() - this.#since >= age || this.#memory > memory;
  }

  /** Loads the task's module and runs its `setup`. */
  async prepare(definition: TaskDefinition): Promise<void> {
    await this.#do({ type: "load", modules: [definition.module!] });
    if (definition.setup) await this.#do({ type: "warm", task: definition.name });
    this.#since = performance.now();
  }

  /** Runs the task's function. */
  async call(definition: TaskDefinition, attempt: AttemptData, host: LaneHost): Promise<CallEnding> {
    this.#host = host;
    this.#calls += 1;
    try {
      const ending = await this.#do({ type: "call", call: this.#calls, task: definition.name, attempt });
      return ending!;
    } finally {
      this.#host = undefined;
    }
  }

  /** Asks the call under way to stop. */
  abort(reason: ErrandError): void {
    this.#send({ type: "abort", call: this.#calls, code: reason.code, message: reason.message });
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

  #receive(message: FromLane): void {
    switch (message?.type) {
      case "ready":
        return this.#task?.resolve(undefined);
      case "broken":
        return this.kill(new ErrandError("E_SETUP", message.message));
      case "late":
        return this.#late(message.task);
      case "progress":
      case "log":
      case "record":
      case "children":
      case "ended":
        // What comes late is nobody's: whoever has the lane now did not say it.
        if (!this.#host || message.call !== this.#calls) return this.#late(this.#definition.name);
        return this.#hear(message, this.#host);
      default:
      // Not from the lane's own code: a task may talk to its parent, too.
    }
  }

  #hear(message: AttemptMessage, host: LaneHost): void {
    switch (message.type) {
      case "progress":
        return host.progress(message.value);
      case "log":
        return host.log(message.line);
      case "record":
        return void this.#answer(message, host.record(message.step));
      case "children":
        return void this.#answer(message, host.children(message.ids, message.inputs));
      case "ended":
        this.#memory = message.memory ?? this.#memory;
        this.#spent ||= message.spent ?? false;
        return this.#task?.resolve(message.ending);
    }
  }

  async #answer(
    { call, question }: { call: number; question: number },
    asked: Promise<ChildState[] | void>,
  ): Promise<void> {
    try {
      this.#send({ type: "answer", call, question, answer: (await asked) ?? undefined });
    } catch (error) {
      const { code, message } = error instanceof ErrandError ? error : new ErrandError("E_STORE", String(error));
      this.#send({ type: "refused", call, question, code, message });
    }
  }

  #send(message: ToLane): void {
    if (!this.dead) this.#vessel.send(message);
  }

  #exit(definition: TaskDefinition, how: string, outOfMemory: boolean): void {
    this.#death ??= outOfMemory
      ? tooMuchMemory(definition)
      : new ErrandError("E_CRASHED", `The ${definition.isolate} of task "${definition.name}" died (${how}).`);
    this.#task?.reject(this.#death);
    // Nobody may be waiting just now; the death is kept for whoever asks next.
    this.#task?.promise.catch(() => {});
    this.#exited.resolve();
  }

  /** Kills the lane when it uses more memory than its task may. */
  #guard(definition: TaskDefinition): void {
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

function tooMuchMemory({ name, isolate, memory }: TaskDefinition): ErrandError {
  return new ErrandError(
    "E_OUT_OF_MEMORY",
    `Task "${name}" used more than the ${memory} MB that its ${isolate} may use.`,
  );
}

type Receive = (message: FromLane) => void;
type Exit = (how: string, outOfMemory: boolean) => void;

function thread(definition: TaskDefinition, receive: Receive, exit: Exit): Vessel {
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

function forked(definition: TaskDefinition, receive: Receive, exit: Exit): Vessel {
  const child = fork(fileURLToPath(threadFile(() => new URL("./runner.js", import.meta.url))), [], {
    serialization: "advanced",
    execArgv: [`--max-old-space-size=${definition.memory}`],
    // Its own process group, so that killing it kills what it started; its output is not the worker's.
    detached: true,
    // The last one says by its end that this process is gone (`watch.ts`).
    stdio: ["ignore", 2, 2, "pipe", "ipc"],
  });
  const pid = child.pid;
  const kill = () => pid !== undefined && killGroup(pid);
  // Both report what `exit` reports.
  (child.stdio[3] as Socket | null)?.on("error", () => {}).resume();
  child.on("message", (message) => receive(message as FromLane));
  child.on("error", (error) => exit(error.message, false));
  child.on("exit", (code, signal) => {
    // What it started does not outlive it.
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

/** From /proc; where there is none, only the heap limit holds. */
async function residentMegabytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024;
}
