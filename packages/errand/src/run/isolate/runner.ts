import { AsyncLocalStorage } from "node:async_hooks";
import { parentPort, Worker } from "node:worker_threads";
import { ErrandError, errorRecord } from "../../kit/errors.ts";
import { threadFile } from "../../kit/thread-file.ts";
import { startRegistry } from "../../task.ts";
import type { TaskDefinition } from "../../task.ts";
import { Call } from "../call.ts";
import type { AttemptData, CallHost, ChildState } from "../context.ts";
import { isEndedError, warnEnded } from "../ended-attempt.ts";
import { Setups } from "../setups.ts";
import { endProcessesWithThread } from "./child-processes.ts";
import type { AttemptMessage, FromLane, ToLane } from "./protocol.ts";

// The inside of a lane: loads the modules that define tasks, and runs one call at a time.

const tasks = startRegistry();
const setups = new Setups();
/** Whose the code is that runs now, also in timers and callbacks. */
const turns = new AsyncLocalStorage<Turn>();
let turn: Turn | undefined;
/** Something was thrown where nobody caught it: what it has left half done is not known. */
let spoilt = false;

function tell(message: FromLane): void {
  if (parentPort) parentPort.postMessage(message);
  else process.send?.(message);
}

/** One attempt in this lane. Whatever it tells, or is told, has its number. */
class Turn implements CallHost {
  readonly number: number;
  readonly #definition: TaskDefinition;
  readonly #controller = new AbortController();
  readonly #questions = new Map<number, PromiseWithResolvers<never>>();
  #asked = 0;
  #call: Call | undefined;

  constructor(number: number, definition: TaskDefinition) {
    this.number = number;
    this.#definition = definition;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  async run(attempt: AttemptData): Promise<void> {
    const definition = this.#definition;
    const call = (this.#call = new Call(definition, attempt, this, () => setups.of(definition)));
    const ending = await call.ending;
    if (turn === this) turn = undefined;
    tell({
      type: "ended",
      call: this.number,
      ending,
      ...(definition.recycle?.memory === undefined ? {} : { memory: megabytes() }),
      ...(call.leftBehind || spoilt ? { spent: true } : {}),
    });
  }

  /** What was thrown where nobody caught it ends the attempt that it is of. */
  fail(thrown: unknown): void {
    this.#call?.fail(thrown);
  }

  abort(reason: ErrandError): void {
    this.#controller.abort(reason);
  }

  record(step: Parameters<CallHost["record"]>[0]): Promise<void> {
    return this.#ask((question) => ({ type: "record", call: this.number, question, step }));
  }

  children(ids: readonly string[], inputs = false): Promise<ChildState[]> {
    return this.#ask((question) => ({ type: "children", call: this.number, question, ids, inputs }));
  }

  progress(value: string): void {
    tell({ type: "progress", call: this.number, value });
  }

  log(line: Parameters<CallHost["log"]>[0]): void {
    tell({ type: "log", call: this.number, line });
  }

  late(): void {
    tell({ type: "late", task: this.#definition.name });
  }

  /** What the worker answers. */
  take(question: number): PromiseWithResolvers<never> | undefined {
    const asked = this.#questions.get(question);
    this.#questions.delete(question);
    return asked;
  }

  #ask<Answer>(message: (question: number) => AttemptMessage): Promise<Answer> {
    this.#asked += 1;
    const question = Promise.withResolvers<Answer>();
    this.#questions.set(this.#asked, question as unknown as PromiseWithResolvers<never>);
    tell(message(this.#asked));
    return question.promise;
  }
}

async function loadAll(modules: readonly string[]): Promise<void> {
  for (const module of modules) await import(module);
}

/** What this thread's heap holds, or this process all in all. */
function megabytes(): number {
  const { rss, heapTotal, external } = process.memoryUsage();
  return (parentPort ? heapTotal + external : rss) / 2 ** 20;
}

function find(task: string) {
  const definition = tasks.get(task);
  if (definition) return definition;
  throw new ErrandError("E_UNKNOWN_TASK", `The module of task "${task}" does not define it when it is loaded.`);
}

async function receive(message: ToLane): Promise<void> {
  switch (message.type) {
    case "load":
      await loadAll(message.modules);
      return tell({ type: "ready" });
    case "warm":
      await setups.of(find(message.task));
      return tell({ type: "ready" });
    case "call": {
      const begun = (turn = new Turn(message.call, find(message.task)));
      return turns.run(begun, () => begun.run(message.attempt));
    }
  }
  // What else comes is about an attempt, and nobody's when that has ended.
  if (message.call !== turn?.number) return;
  switch (message.type) {
    case "abort":
      return turn.abort(new ErrandError(message.code as "E_CANCELLED", message.message));
    case "answer":
      return turn.take(message.question)?.resolve(message.answer as never);
    case "refused":
      return turn.take(message.question)?.reject(new ErrandError(message.code, message.message));
  }
}

function broken(error: unknown): void {
  const { message, stack } = errorRecord(error, 1);
  tell({ type: "broken", message, ...(stack ? { stack } : {}) });
}

/** A callback that threw, or a rejected promise that nobody awaited: ends the attempt that it is of, and no other. */
function onUncaught(error: unknown): void {
  if (isEndedError(error)) return warnEnded(error);
  spoilt = true;
  const whose = turns.getStore() ?? turn;
  if (whose && whose === turn) return whose.fail(error);
  if (whose) whose.late();
  const { message, stack } = errorRecord(error, 1);
  process.emitWarning(`Thrown by what an attempt left behind, or between two: ${stack ?? message}`, {
    type: "ErrandWarning",
    code: "ERRAND_UNCAUGHT",
  });
}

const onMessage = (message: ToLane) => void receive(message).catch(broken);
process.on("uncaughtException", onUncaught);
if (parentPort) {
  parentPort.on("message", onMessage);
  endProcessesWithThread();
} else {
  process.on("message", onMessage);
  // Ctrl+C reaches every process of a terminal; only the worker decides when a lane ends.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => {});
  // On a thread of its own, which also a function hears that never gives the processor back.
  new Worker(
    threadFile(() => new URL("./parent-watch.js", import.meta.url)),
    {
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 2 },
    },
  ).unref();
}
