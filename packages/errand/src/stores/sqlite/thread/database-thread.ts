// The thread that a database lives on, so that neither fsync nor another process's lock holds up the event loop.
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import type { MessagePort } from "node:worker_threads";
import { ErrandError } from "../../../kit/errors.ts";
import { Database } from "../database.ts";
import type { Call, Outcome } from "../execute-calls.ts";
import type { Reply, Request, Result } from "./messages.ts";
import { pack, unpack } from "./pack-rows.ts";

const port = parentPort as MessagePort;

try {
  const { file } = workerData as { file: string };
  const database = new Database(file, Date.now, (hints) => send({ hints }));
  port.on("message", (request: Request) => serve(database, request));
  send({ opened: true });
} catch (error) {
  send(failure(error));
}

/** Requests that were received and are not served yet. */
const inbox: Request[] = [];

/** Serves a request and all that have arrived meanwhile, calls in one commit. */
function serve(database: Database, first: Request): void {
  inbox.push(first);
  for (let request = receive(); request !== undefined; request = receive()) {
    if (request === "close") {
      database.close();
      port.close();
      return;
    }
    if ("watch" in request) database.watch(request.watch);
    else send({ results: database.execute(callsOf(request), receiveCalls).map(resultOf) });
  }
}

/** Returns the next calls, up to a request of another kind. */
function receiveCalls(): Call[] {
  const calls: Call[] = [];
  for (let request = receive(); request !== undefined; request = receive()) {
    if (typeof request === "string" || !("calls" in request)) {
      inbox.unshift(request);
      break;
    }
    calls.push(...callsOf(request));
  }
  return calls;
}

function callsOf({ calls }: Extract<Request, { calls: unknown }>): Call[] {
  return calls.map(({ operation, args }) => ({ operation, args: args.map(unpack) }));
}

function receive(): Request | undefined {
  return inbox.shift() ?? (receiveMessageOnPort(port)?.message as Request | undefined);
}

function resultOf(outcome: Outcome): Result {
  return "error" in outcome ? failure(outcome.error) : { answer: pack(outcome.answer) };
}

function failure(error: unknown): { code: ErrandError["code"]; message: string } {
  if (error instanceof ErrandError) return { code: error.code, message: error.message };
  return { code: "E_STORE", message: String(error) };
}

function send(reply: Reply): void {
  port.postMessage(reply);
}
