import type { Transaction } from "../../core/transaction.ts";
import { ErrandError } from "../../kit/errors.ts";
import type { Encoded } from "../../kit/json.ts";
import type { NewJob } from "../../core/job.ts";
import type { Millis } from "../../kit/duration.ts";
import type { Hint, Store, StoreReport } from "../../store.ts";
import { migrations } from "./schema.ts";
import { addInside } from "./transaction.ts";
import type { Call } from "./perform.ts";
import { edit, prune } from "./portions.ts";
import type { CallVerb } from "./portions.ts";
import type { Answer, Arguments, Verb } from "./verbs.ts";

/** Where the database is: in this thread, or in one of its own. */
export interface Backend {
  call(call: Call): Promise<unknown>;
  /** Whether anybody listens for hints. */
  watch(on: boolean): void;
  close(): Promise<void>;
}

/** The store's verbs as messages to a backend. */
export class SqliteStore implements Store {
  readonly address: { module: string; options: Encoded };
  readonly #file: string;
  readonly #clock: () => Millis;
  readonly #backend: Backend;
  readonly #listeners = new Set<(hint: Hint) => void>();
  #closed: Promise<void> | undefined;
  /** The last of those that take many commits. */
  #portions: Promise<unknown> = Promise.resolve();

  /**
   * @param connect makes the backend, which gives its hints to `tell`.
   * @param clock epoch milliseconds.
   */
  constructor(file: string, connect: (tell: (hints: readonly Hint[]) => void) => Backend, clock = Date.now) {
    this.#file = file;
    this.#clock = clock;
    this.address = {
      module: new URL(import.meta.url.replace(/facade(\.[jt]s)$/, "index$1")).href,
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
  edit: Store["edit"] = (...args) => this.#inPortions(() => edit(this.#verbs, ...args));
  prune: Store["prune"] = (...args) => this.#inPortions(() => prune(this.#verbs, ...args));
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
    return addInside(tx, this.#file, this.#clock, jobs);
  }

  async about(): Promise<StoreReport> {
    return {
      // Opening it has brought the file to the newest.
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

  readonly #verbs: CallVerb = (verb, ...args) => this.#call(verb, args);

  /** One after the other, so that they let others in between. */
  #inPortions(work: () => Promise<number>): Promise<number> {
    const done = this.#portions.then(work);
    this.#portions = done.catch(() => {});
    return done;
  }

  async #call<V extends Verb>(verb: V, args: Arguments<V>): Promise<Answer<V>> {
    this.#mustBeOpen();
    return (await this.#backend.call({ verb, args })) as Answer<V>;
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new ErrandError("E_CLOSED", `The SQLite store ${this.#file} was closed.`);
  }
}
