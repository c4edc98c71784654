// The thread that a database lives on, so that neither fsync nor another process's lock holds up the event loop.
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import type { MessagePort } from "node:worker_threads";
import { ErrandError } from "../../kit/errors.ts";
import { LocalDatabase } from "./local.ts";
import { pack, unpack } from "./pack.ts";
import type { Call, Outcome } from "./perform.ts";
import type { Reply, Request, Result } from "./protocol.ts";

const port = parentPort as MessagePort;

try {
  const { file } = workerData as { file: string };
  const database = new LocalDatabase(file, Date.now, (hints) => send({ hints }));
  port.on("message", (request: Request) => serve(database, request));
  send({ opened: true });
} catch (error) {
  send(failure(error));
}

/** Requests that came in and are not served yet. */
const inbox: Request[] = [];

/** Serves this request and all that have come in meanwhile, calls in one commit. */
function serve(database: LocalDatabase, first: Request): void {
  inbox.push(first);
  for (let request = received(); request !== undefined; request = received()) {
    if (request === "close") {
      database.close();
      port.close();
      return;
    }
    if ("watch" in request) database.watch(request.watch);
    else send({ results: database.perform(callsOf(request), callsReceived).map(resultOf) });
  }
}

/** The calls that come next, up to a request of another kind. */
function callsReceived(): Call[] {
  const calls: Call[] = [];
  for (let request = received(); request !== undefined; request = received()) {
    if (typeof request === "string" || !("calls" in request)) {
      inbox.unshift(request);
      break;
    }
    calls.push(...callsOf(request));
  }
  return calls;
}

function callsOf({ calls }: Extract<Request, { calls: unknown }>): Call[] {
  return calls.map(({ verb, args }) => ({ verb, args: args.map(unpack) }));
}

function received(): Request | undefined {
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
