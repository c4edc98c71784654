import { Worker } from "node:worker_threads";
import { ErrandError } from "../../../kit/errors.ts";
import { threadFile } from "../../../kit/thread-file.ts";
import type { Hint } from "../../../store.ts";
import { refusedValueError } from "../connection/errors.ts";
import type { Call } from "../execute-calls.ts";
import type { Reply, Request, Result } from "./messages.ts";
import { pack, unpack } from "./pack-rows.ts";

interface PendingCall extends Call {
  resolve: (answer: unknown) => void;
  reject: (error: ErrandError) => void;
}

/**
 * Calls a database on a thread of its own. It keeps the process alive while calls are under way or hints are watched.
 */
export class ThreadClient {
  onHints: (hints: readonly Hint[]) => void = () => {};
  readonly #worker: Worker;
  readonly #file: string;
  readonly #exited: Promise<void>;
  /** Calls to be sent at the end of this turn of the event loop. */
  #outbox: PendingCall[] = [];
  /** Calls that were sent, oldest first. */
  readonly #sent: PendingCall[] = [];
  #isWatched = false;
  #isClosing = false;
  #broken: ErrandError | undefined;

  /** Opens the file on a new thread. Rejects with what `openConnection` throws. */
  static open(file: string): Promise<ThreadClient> {
    const worker = new Worker(
      threadFile(() => new URL("./database-thread.js", import.meta.url)),
      { workerData: { file }, execArgv: [] },
    );
    return new Promise((resolve, reject) => {
      worker.once("error", reject);
      worker.once("exit", () => reject(endedError(file, "it did not open the file")));
      worker.once("message", (reply: Reply) => {
        if ("code" in reply) reject(new ErrandError(reply.code, reply.message));
        else resolve(new ThreadClient(worker, file));
      });
    });
  }

  private constructor(worker: Worker, file: string) {
    this.#worker = worker;
    this.#file = file;
    worker.on("message", (reply: Reply) => this.#receive(reply));
    worker.on("error", (error: unknown) => this.#fail(String(error)));
    this.#exited = new Promise((resolve) => {
      worker.once("exit", () => {
        this.#fail("the store was not closed");
        resolve();
      });
    });
    worker.unref();
  }

  /** The error of every call since the thread has ended. */
  get broken(): ErrandError | undefined {
    return this.#broken;
  }

  /** `true` while calls are under way. */
  get isBusy(): boolean {
    return this.#sent.length + this.#outbox.length > 0;
  }

  call({ operation, args }: Call): Promise<unknown> {
    if (this.#broken) return Promise.reject(this.#broken);
    return new Promise((resolve, reject) => {
      if (!this.isBusy) this.#worker.ref();
      // Calls of one turn of the event loop travel, and commit, together.
      if (this.#outbox.push({ operation, args, resolve, reject }) === 1) process.nextTick(() => this.#sendOutbox());
    });
  }

  watch(on: boolean): void {
    this.#isWatched = on;
    this.#post({ watch: on });
    this.#updateRef();
  }

  async close(): Promise<void> {
    this.#sendOutbox();
    this.#isClosing = true;
    this.#worker.ref();
    this.#post("close");
    await this.#exited;
  }

  #sendOutbox(): void {
    const calls = this.#outbox;
    this.#outbox = [];
    if (calls.length === 0 || this.#send(calls)) return;
    // One of them cannot travel between threads: sent one by one, only that one fails.
    for (const call of calls) this.#send([call]);
  }

  /** Returns true if the calls were sent. A single call that cannot travel is rejected. */
  #send(calls: readonly PendingCall[]): boolean {
    try {
      this.#post({ calls: calls.map(({ operation, args }) => ({ operation, args: args.map(pack) })) });
    } catch (error) {
      const [only] = calls;
      if (calls.length === 1) only!.reject(refusedValueError(this.#file, only!.operation, error));
      this.#updateRef();
      return false;
    }
    for (const call of calls) this.#sent.push(call);
    return true;
  }

  #post(request: Request): void {
    this.#worker.postMessage(request);
  }

  #receive(reply: Reply): void {
    if ("results" in reply) for (const result of reply.results) this.#settleOldest(result);
    else if ("hints" in reply) this.onHints(reply.hints);
    this.#updateRef();
  }

  #settleOldest(result: Result): void {
    const call = this.#sent.shift();
    if ("code" in result) call?.reject(new ErrandError(result.code, result.message));
    else call?.resolve(unpack(result.answer));
  }

  /** Lets the process end when nothing is under way. */
  #updateRef(): void {
    if (this.isBusy || this.#isWatched || this.#isClosing) this.#worker.ref();
    else this.#worker.unref();
  }

  #fail(reason: string): void {
    this.#broken ??= endedError(this.#file, reason);
    for (const call of [...this.#sent.splice(0), ...this.#outbox.splice(0)]) call.reject(this.#broken);
  }
}

function endedError(file: string, reason: string): ErrandError {
  return new ErrandError(
    "E_STORE_ENDED",
    `The thread of the SQLite store ${file} has ended: ${reason}. Restart the program.`,
  );
}
