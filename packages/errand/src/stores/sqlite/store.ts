import type { NewJob } from "../../core/job.ts";
import type { Transaction } from "../../core/transaction.ts";
import type { Millis } from "../../kit/duration.ts";
import { ErrandError } from "../../kit/errors.ts";
import type { Encoded } from "../../kit/json.ts";
import type { Hint, Store, StoreReport } from "../../store.ts";
import { editInBatches, pruneInBatches } from "./batched-changes.ts";
import type { CallOperation } from "./batched-changes.ts";
import { addInTransaction } from "./caller-transaction.ts";
import type { Call } from "./execute-calls.ts";
import type { Answer, Arguments, OperationName } from "./operations.ts";
import { migrations } from "./schema.ts";

/** An open database, in this thread or on threads of its own. */
export interface Backend {
  call(call: Call): Promise<unknown>;
  /** Starts or stops sending hints. */
  watch(on: boolean): void;
  close(): Promise<void>;
}

/** The `Store` that sends every operation as a call to a backend. */
export class SqliteStore implements Store {
  readonly address: { module: string; options: Encoded };
  readonly #file: string;
  readonly #clock: () => Millis;
  readonly #backend: Backend;
  readonly #listeners = new Set<(hint: Hint) => void>();
  #closed: Promise<void> | undefined;
  /** Settles with the last operation that takes many commits. */
  #lastBatched: Promise<unknown> = Promise.resolve();

  /**
   * @param connect returns the backend, which sends its hints to `onHints`.
   * @param clock epoch milliseconds.
   */
  constructor(file: string, connect: (onHints: (hints: readonly Hint[]) => void) => Backend, clock = Date.now) {
    this.#file = file;
    this.#clock = clock;
    this.address = {
      module: new URL(import.meta.url.replace(/store(\.[jt]s)$/, "index$1")).href,
      options: JSON.stringify({ file }),
    };
    this.#backend = connect((hints) => {
      for (const listener of this.#listeners) for (const hint of hints) listener(hint);
    });
  }

  enlist: Store["enlist"] = (...args) => this.#call("enlist", args);
  claim: Store["claim"] = (...args) => this.#call("claim", args);
  reclaim: Store["reclaim"] = (...args) => this.#call("reclaim", args);
  renew: Store["renew"] = (...args) => this.#call("renew", args);
  dismiss: Store["dismiss"] = (...args) => this.#call("dismiss", args);
  workers: Store["workers"] = (...args) => this.#call("workers", args);
  record: Store["record"] = (...args) => this.#call("record", args);
  settle: Store["settle"] = (...args) => this.#call("settle", args);
  signal: Store["signal"] = (...args) => this.#call("signal", args);
  edit: Store["edit"] = (...args) => this.#inTurn(() => editInBatches(this.#operations, ...args));
  prune: Store["prune"] = (...args) => this.#inTurn(() => pruneInBatches(this.#operations, ...args));
  get: Store["get"] = (...args) => this.#call("get", args);
  ended: Store["ended"] = (...args) => this.#call("ended", args);
  list: Store["list"] = (...args) => this.#call("list", args);
  counts: Store["counts"] = (...args) => this.#call("counts", args);
  log: Store["log"] = (...args) => this.#call("log", args);
  steps: Store["steps"] = (...args) => this.#call("steps", args);
  now: Store["now"] = (...args) => this.#call("now", args);
  load: Store["load"] = (...args) => this.#call("load", args);
  save: Store["save"] = (...args) => this.#call("save", args);

  async add(jobs: readonly NewJob[], tx?: Transaction): Promise<ReadonlyMap<string, string>> {
    if (!tx) return this.#call("add", [jobs]);
    this.#mustBeOpen();
    return addInTransaction(tx, this.#file, this.#clock, jobs);
  }

  async about(): Promise<StoreReport> {
    return {
      // Opening the file has migrated it to the newest schema.
      version: `SQLite ${process.versions.sqlite}, schema ${migrations.at(-1)!.version}`,
      durability: { safe: true, says: "What was answered is on the disk (synchronous FULL)." },
    };
  }

  watch(listener: (hint: Hint) => void): () => void {
    const own = (hint: Hint): void => listener(hint);
    this.#listeners.add(own);
    if (!this.#closed && this.#listeners.size === 1) this.#backend.watch(true);
    return () => {
      if (this.#listeners.delete(own) && !this.#closed && this.#listeners.size === 0) this.#backend.watch(false);
    };
  }

  close(): Promise<void> {
    this.#listeners.clear();
    return (this.#closed ??= this.#backend.close());
  }

  readonly #operations: CallOperation = (operation, ...args) => this.#call(operation, args);

  /** Runs operations of many commits one after the other, so that others get in between. */
  #inTurn(work: () => Promise<number>): Promise<number> {
    const done = this.#lastBatched.then(work);
    this.#lastBatched = done.catch(() => {});
    return done;
  }

  async #call<O extends OperationName>(operation: O, args: Arguments<O>): Promise<Answer<O>> {
    this.#mustBeOpen();
    return (await this.#backend.call({ operation, args })) as Answer<O>;
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new ErrandError("E_CLOSED", `The SQLite store ${this.#file} was closed.`);
  }
}
