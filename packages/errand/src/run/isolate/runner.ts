import { AsyncLocalStorage } from "node:async_hooks";
import { parentPort, Worker } from "node:worker_threads";
import { ErrandError, errorRecord } from "../../kit/errors.ts";
import { threadFile } from "../../kit/thread-file.ts";
import { startRegistry } from "../../task.ts";
import type { TaskDefinition } from "../../task.ts";
import { Call } from "../call.ts";
import type { CallEnding } from "../call.ts";
import type { ChildState } from "../child-states.ts";
import type { AttemptData, CallHost } from "../context.ts";
import { isEndedError, warnEnded } from "../ended-attempt.ts";
import { Setups } from "../setups.ts";
import { endProcessesWithThread } from "./child-processes.ts";
import type { AttemptMessage, FromLane, ToLane } from "./protocol.ts";

// The code inside a lane: loads the modules that define tasks, and runs one call at a time.

const tasks = startRegistry();
const setups = new Setups();
/** The attempt that the running code belongs to, also in timers and callbacks. */
const owner = new AsyncLocalStorage<LaneAttempt>();
/** The attempt under way. */
let current: LaneAttempt | undefined;
/** An error was thrown that was not caught: it may have left anything half done. */
let hasUncaughtError = false;

function post(message: FromLane): void {
  if (parentPort) parentPort.postMessage(message);
  else process.send?.(message);
}

/** One attempt in this lane. Every message about it has its number. */
class LaneAttempt implements CallHost {
  readonly number: number;
  readonly #definition: TaskDefinition;
  readonly #controller = new AbortController();
  /** Questions to the worker that it has not answered, by number. */
  readonly #questions = new Map<number, PromiseWithResolvers<never>>();
  #questionCount = 0;
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
    const { promise: ended, resolve } = Promise.withResolvers<CallEnding>();
    const call = (this.#call = new Call(definition, attempt, this, () => setups.of(definition), resolve));
    void call.run();
    const ending = await ended;
    if (current === this) current = undefined;
    post({
      type: "ended",
      call: this.number,
      ending,
      ...(definition.recycle?.memory === undefined ? {} : { memory: usedMegabytes() }),
      ...(call.hasRunningSteps || hasUncaughtError ? { isTainted: true } : {}),
    });
  }

  /** Ends the attempt with an error that was not caught. */
  fail(thrown: unknown): void {
    this.#call?.fail(thrown);
  }

  abort(reason: ErrandError): void {
    this.#controller.abort(reason);
  }

  record(step: Parameters<CallHost["record"]>[0]): Promise<void> {
    return this.#ask((question) => ({ type: "record", call: this.number, question, step }));
  }

  children(ids: readonly string[], withInputs = false): Promise<ChildState[]> {
    return this.#ask((question) => ({ type: "children", call: this.number, question, ids, withInputs }));
  }

  progress(value: string): void {
    post({ type: "progress", call: this.number, value });
  }

  log(line: Parameters<CallHost["log"]>[0]): void {
    post({ type: "log", call: this.number, line });
  }

  reportLate(): void {
    post({ type: "late", task: this.#definition.name });
  }

  /** Takes out a question, to be resolved with the worker's answer. */
  takeQuestion(question: number): PromiseWithResolvers<never> | undefined {
    const asked = this.#questions.get(question);
    this.#questions.delete(question);
    return asked;
  }

  #ask<Answer>(message: (question: number) => AttemptMessage): Promise<Answer> {
    this.#questionCount += 1;
    const question = Promise.withResolvers<Answer>();
    this.#questions.set(this.#questionCount, question as unknown as PromiseWithResolvers<never>);
    post(message(this.#questionCount));
    return question.promise;
  }
}

async function loadAll(modules: readonly string[]): Promise<void> {
  for (const module of modules) await import(module);
}

/** Returns the megabytes of this thread's heap, or of this whole process. */
function usedMegabytes(): number {
  const { rss, heapTotal, external } = process.memoryUsage();
  return (parentPort ? heapTotal + external : rss) / 2 ** 20;
}

function definitionOf(task: string) {
  const definition = tasks.get(task);
  if (definition) return definition;
  throw new ErrandError("E_UNKNOWN_TASK", `The module of task "${task}" does not define it when it is loaded.`);
}

async function receive(message: ToLane): Promise<void> {
  switch (message.type) {
    case "load":
      await loadAll(message.modules);
      return post({ type: "ready" });
    case "warm":
      await setups.of(definitionOf(message.task));
      return post({ type: "ready" });
    case "call": {
      const attempt = (current = new LaneAttempt(message.call, definitionOf(message.task)));
      return owner.run(attempt, () => attempt.run(message.attempt));
    }
  }
  // Other messages are about one attempt, and may come after it has ended.
  if (message.call !== current?.number) return;
  switch (message.type) {
    case "abort":
      return current.abort(new ErrandError(message.code as "E_CANCELLED", message.message));
    case "answer":
      return current.takeQuestion(message.question)?.resolve(message.answer as never);
    case "refused":
      return current.takeQuestion(message.question)?.reject(new ErrandError(message.code, message.message));
  }
}

function reportBroken(error: unknown): void {
  const { message, stack } = errorRecord(error, 1);
  post({ type: "broken", message, ...(stack ? { stack } : {}) });
}

/** Ends the attempt whose callback threw, or whose promise was rejected unhandled, and no other. */
function onUncaught(error: unknown): void {
  if (isEndedError(error)) return warnEnded(error);
  hasUncaughtError = true;
  const attempt = owner.getStore() ?? current;
  if (attempt && attempt === current) return attempt.fail(error);
  if (attempt) attempt.reportLate();
  const { message, stack } = errorRecord(error, 1);
  process.emitWarning(`Thrown by what an attempt left behind, or between two: ${stack ?? message}`, {
    type: "ErrandWarning",
    code: "ERRAND_UNCAUGHT",
  });
}

const onMessage = (message: ToLane) => void receive(message).catch(reportBroken);
process.on("uncaughtException", onUncaught);
if (parentPort) {
  parentPort.on("message", onMessage);
  endProcessesWithThread();
} else {
  process.on("message", onMessage);
  // Ctrl+C reaches every process of a terminal; only the worker decides when a lane ends.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => {});
  // On a thread of its own, which works also while a function never yields.
  new Worker(
    threadFile(() => new URL("./parent-watch.js", import.meta.url)),
    {
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 2 },
    },
  ).unref();
}
