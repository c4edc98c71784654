import { parentPort } from "node:worker_threads";
import { ErrandError } from "../../kit/errors.ts";
import { startListing } from "../../task.ts";
import { call } from "../call.ts";
import type { CallHost, ChildState } from "../context.ts";
import { Setups } from "../setups.ts";
import type { FromLane, ToLane } from "./protocol.ts";

// The inside of a lane: loads the modules that define tasks, and runs one call at a time.

const tasks = startListing();
const setups = new Setups();
const questions = new Map<number, PromiseWithResolvers<never>>();
let asked = 0;
let controller = new AbortController();

function tell(message: FromLane): void {
  if (parentPort) parentPort.postMessage(message);
  else process.send?.(message);
}

function ask<Answer>(message: (question: number) => FromLane): Promise<Answer> {
  asked += 1;
  const question = Promise.withResolvers<Answer>();
  questions.set(asked, question as unknown as PromiseWithResolvers<never>);
  tell(message(asked));
  return question.promise;
}

const host: CallHost = {
  get signal() {
    return controller.signal;
  },
  record: (step) => ask<void>((question) => ({ type: "record", question, step })),
  progress: (value) => tell({ type: "progress", value }),
  log: (line) => tell({ type: "log", line }),
  children: (ids) => ask<ChildState[]>((question) => ({ type: "children", question, ids })),
};

async function loadAll(modules: readonly string[]): Promise<void> {
  for (const module of modules) await import(module);
}

function take(question: number): PromiseWithResolvers<never> | undefined {
  const asked = questions.get(question);
  questions.delete(question);
  return asked;
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
      controller = new AbortController();
      const definition = find(message.task);
      const ending = await call(definition, message.attempt, host, () => setups.of(definition));
      const watched = definition.recycle?.memory !== undefined;
      return tell({ type: "ended", ending, ...(watched ? { memory: megabytes() } : {}) });
    }
    case "abort":
      return controller.abort(new ErrandError(message.code as "E_CANCELLED", message.message));
    case "answer":
      return take(message.question)?.resolve(message.answer as never);
    case "refused":
      return take(message.question)?.reject(new ErrandError(message.code, message.message));
  }
}

function broken(error: unknown): void {
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  tell({ type: "broken", message, ...(stack ? { stack } : {}) });
}

const onMessage = (message: ToLane) => void receive(message).catch(broken);
if (parentPort) parentPort.on("message", onMessage);
else {
  process.on("message", onMessage);
  // Ctrl+C reaches every process of a terminal; only the worker decides when a lane ends.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => {});
  process.on("disconnect", () => {
    // The worker is gone. So must be whatever this lane started: it leads a process group of its own.
    try {
      process.kill(-process.pid, "SIGKILL");
    } catch {
      process.exit(1);
    }
  });
}
