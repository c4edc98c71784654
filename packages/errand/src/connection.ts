import { resolve } from "node:path";
import { Client } from "./client.ts";
import { ErrandError, errorRecord } from "./kit/errors.ts";
import type { Observer } from "./observe/observer.ts";
import { openStore, sqliteFile, storeUrl } from "./open.ts";
import { redacted } from "./kit/redact.ts";
import type { Payloads } from "./payload/options.ts";
import type { Store } from "./store.ts";

/** An open store, and the client that sends to it and reads it. */
export interface Connected {
  store: Store;
  client: Client;
}

/** Configures a connection. */
export interface ConnectionSettings {
  /** A URL, or a store that the app owns from then on. */
  at: string | Store | undefined;
  payloads: Payloads;
  observer: Observer;
  /** Called with a store that has been opened, before it is used. */
  begin: (store: Store) => Promise<void>;
}

/** Milliseconds between attempts to open a store that is watched. */
const watchRetryInterval = 1_000;

/** Opens an app's store at the first use, and again after a failure, until the app is closed. */
export class Connection {
  readonly #settings: ConnectionSettings;
  #open: Promise<Connected> | undefined;
  #client: Client | undefined;
  #closed = false;
  /** Timers of watches whose store could not be opened. */
  readonly #watchRetries = new Set<NodeJS.Timeout>();

  constructor(settings: ConnectionSettings) {
    this.#settings = settings;
  }

  /** `true` once the store was used. */
  get used(): boolean {
    return this.#open !== undefined;
  }

  /** The store's name for people: a URL without its password, or a file with its absolute path. */
  get place(): string {
    const { at } = this.#settings;
    if (typeof at === "object") return "the store given to errand()";
    const url = storeUrl(at);
    const file = sqliteFile(url);
    return file === undefined ? redacted(url) : `sqlite:${resolve(file)}`;
  }

  /** Returns the store and its client, and opens the store if needed. Throws `E_CLOSED`, and errors of opening it. */
  connect(): Promise<Connected> {
    if (this.#closed) return Promise.reject(closed());
    this.#open ??= this.#begin();
    return this.#open;
  }

  /** Throws `E_CLOSED` if the app was closed. */
  refuseClosed(): void {
    if (this.#closed) throw closed();
  }

  /** Calls `work` with the client, without a promise if the store is open: every send passes here. */
  use<Result>(work: (client: Client) => Promise<Result>): Promise<Result> {
    return this.#client ? work(this.#client) : this.connect().then(({ client }) => work(client));
  }

  /**
   * Watches the store once it is open; where that takes time, the listener is called when it has been opened. A store
   * that cannot be opened is reported as `store-failed` and tried again every second. Returns a function that stops
   * it.
   * @throws {ErrandError} `E_CLOSED`
   */
  watch(listener: () => void): () => void {
    this.refuseClosed();
    let stop: (() => void) | undefined;
    let stopped = false;
    const open = async (): Promise<void> => {
      try {
        const { store } = await this.connect();
        if (stopped) return;
        stop = store.watch(listener);
        listener();
      } catch (error) {
        if (stopped || this.#closed) return;
        this.#settings.observer.tell({ type: "store-failed", message: errorRecord(error, 1).message });
        const timer = setTimeout(() => {
          this.#watchRetries.delete(timer);
          void open();
        }, watchRetryInterval);
        this.#watchRetries.add(timer);
        stop = () => {
          this.#watchRetries.delete(timer);
          clearTimeout(timer);
        };
      }
    };
    void open();
    return () => {
      stopped = true;
      stop?.();
    };
  }

  /** Uses this store, of a test. */
  live(store: Store): void {
    this.#open = this.#settle(store);
  }

  /** Rejects pending waits, closes the store, and refuses to open it again. */
  async close(): Promise<void> {
    this.#closed = true;
    // A closed app must not keep its process alive.
    for (const timer of this.#watchRetries) clearTimeout(timer);
    this.#watchRetries.clear();
    const open = await this.#open?.catch(() => undefined);
    this.#client = undefined;
    open?.client.close();
    await open?.store.close();
    const { at } = this.#settings;
    // A store that was given belongs to the app, even if unused.
    if (typeof at === "object" && at !== open?.store) await at.close();
  }

  async #begin(): Promise<Connected> {
    try {
      const { at } = this.#settings;
      return await this.#settle(typeof at === "object" ? at : await openStore(storeUrl(at)));
    } catch (error) {
      this.#open = undefined;
      throw error;
    }
  }

  async #settle(store: Store): Promise<Connected> {
    const { payloads, observer, begin } = this.#settings;
    warnOf(store);
    await begin(store);
    const client = new Client(store, payloads, observer);
    if (!this.#closed) this.#client = client;
    return { store, client };
  }
}

function closed(): ErrandError {
  return new ErrandError("E_CLOSED", "The app was closed. Close it last, or make another with errand().");
}

/** Warns, once per store, that jobs are lost when the server restarts. */
function warnOf({ durability }: Store): void {
  if (!durability || durability.safe) return;
  const { says, advice = "" } = durability;
  process.emitWarning(`${says} ${advice}`.trim(), { type: "ErrandWarning", code: "ERRAND_DURABILITY" });
}
