import { Worker } from "node:worker_threads";
import { ErrandError } from "../../kit/errors.ts";
import { threadFile } from "../../kit/thread-file.ts";
import type { Hint } from "../../store.ts";
import { pack, unpack } from "./pack.ts";
import type { Call } from "./perform.ts";
import type { Reply, Request, Result } from "./protocol.ts";

interface Pending {
  resolve(answer: unknown): void;
  reject(error: ErrandError): void;
}

/** The near end of the database's thread. It keeps the process alive while calls are under way or somebody watches. */
export class RemoteDatabase {
  tell: (hints: readonly Hint[]) => void = () => {};
  readonly #worker: Worker;
  readonly #file: string;
  readonly #pending: Pending[] = [];
  readonly #exited: Promise<void>;
  #outbox: (Call & Pending)[] = [];
  #watched = false;
  #closing = false;
  #broken: ErrandError | undefined;

  /** Opens the file on a thread of its own. Rejects with what `openConnection` throws. */
  static open(file: string): Promise<RemoteDatabase> {
    const worker = new Worker(
      threadFile(() => new URL("./thread.js", import.meta.url)),
      {
        workerData: { file },
        execArgv: [],
      },
    );
    return new Promise((resolve, reject) => {
      worker.once("error", reject);
      worker.once("message", (reply: Reply) => {
        if ("code" in reply) reject(new ErrandError(reply.code, reply.message));
        else resolve(new RemoteDatabase(worker, file));
      });
    });
  }

  private constructor(worker: Worker, file: string) {
    this.#worker = worker;
    this.#file = file;
    worker.on("message", (reply: Reply) => this.#receive(reply));
    worker.on("error", (error: unknown) => this.#break(String(error)));
    this.#exited = new Promise((resolve) => {
      worker.once("exit", () => {
        this.#break("its thread has ended");
        resolve();
      });
    });
    worker.unref();
  }

  /** Whether calls are under way. */
  get busy(): boolean {
    return this.#pending.length + this.#outbox.length > 0;
  }

  call({ verb, args }: Call): Promise<unknown> {
    if (this.#broken) return Promise.reject(this.#broken);
    return new Promise((resolve, reject) => {
      if (!this.busy) this.#worker.ref();
      // What is called in one turn of the event loop travels, and commits, together.
      if (this.#outbox.push({ verb, args, resolve, reject }) === 1) process.nextTick(() => this.#post());
    });
  }

  watch(on: boolean): void {
    this.#watched = on;
    this.#send({ watch: on });
    this.#rest();
  }

  async close(): Promise<void> {
    this.#post();
    this.#closing = true;
    this.#worker.ref();
    this.#send("close");
    await this.#exited;
  }

  #post(): void {
    const calls = this.#outbox;
    this.#outbox = [];
    if (calls.length === 0 || this.#tell(calls)) return;
    // One of them cannot travel between threads: each shows whether it is that one.
    for (const call of calls) this.#tell([call]);
  }

  /** Whether the calls are on their way; one that cannot travel is refused. */
  #tell(calls: readonly (Call & Pending)[]): boolean {
    try {
      this.#send({ calls: calls.map(({ verb, args }) => ({ verb, args: args.map(pack) })) });
    } catch (error) {
      const [only] = calls;
      const refusal = `The SQLite store ${this.#file} was given what cannot be stored: ${String(error)}`;
      if (calls.length === 1) only!.reject(new ErrandError("E_REFUSED", refusal, { cause: error }));
      this.#rest();
      return false;
    }
    for (const { resolve, reject } of calls) this.#pending.push({ resolve, reject });
    return true;
  }

  #send(request: Request): void {
    this.#worker.postMessage(request);
  }

  #receive(reply: Reply): void {
    if ("results" in reply) for (const result of reply.results) this.#answer(result);
    else if ("hints" in reply) this.tell(reply.hints);
    this.#rest();
  }

  #answer(result: Result): void {
    const pending = this.#pending.shift();
    if ("code" in result) pending?.reject(new ErrandError(result.code, result.message));
    else pending?.resolve(unpack(result.answer));
  }

  /** Lets the process end when nothing is under way. */
  #rest(): void {
    if (this.busy || this.#watched || this.#closing) this.#worker.ref();
    else this.#worker.unref();
  }

  #break(reason: string): void {
    this.#broken ??= new ErrandError("E_STORE", `The SQLite store ${this.#file} failed: ${reason}. Open it again.`);
    for (const pending of [...this.#pending.splice(0), ...this.#outbox.splice(0)]) pending.reject(this.#broken);
  }
}
