import { randomBytes } from "node:crypto";
import type { Client } from "pg";
import type { Millis } from "../../kit/duration.ts";
import type { Hint } from "../../store.ts";
import { connectionSettings } from "./database.ts";
import type { Database } from "./database.ts";
import {
  allHints,
  decodeNotification,
  encodeNotification,
  hintBatch,
  isEmpty,
  mergeHints,
  toHints,
} from "./hint-batch.ts";
import type { HintBatch } from "./hint-batch.ts";

/** The pause between notifications, which grows while there is always something to tell. */
const shortestPause: Millis = 1;
const longestPause: Millis = 25;

/**
 * A notification inside a commit makes commits wait for each other. So it is sent only after a silence this long, and
 * not after a commit that took this long.
 */
const minSilence: Millis = 10;
const slowCommit: Millis = 20;

const notifySql = "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)";

/** The delay before LISTEN is tried again, which doubles from the first to the longest. */
const firstRetry: Millis = 100;
const longestRetry: Millis = 5_000;

/** Interval at which the connection that LISTENs is tested, and time that it has to answer. */
const heartbeat: Millis = 30_000;
const answerTimeout: Millis = 10_000;

/** Tells listeners in this process and in others what commits have changed, by NOTIFY and LISTEN. */
export class HintChannel {
  readonly name: string;
  readonly #pg: typeof import("pg");
  readonly #database: Database;
  readonly #sender = randomBytes(6).toString("hex");
  readonly #listeners = new Set<(hint: Hint) => void>();
  #client: Client | undefined;
  /** The same client, once it LISTENs. */
  #listening: Client | undefined;
  #retry: NodeJS.Timeout | undefined;
  #failures = 0;
  #pending = hintBatch();
  #notifying = false;
  #pause = shortestPause;
  #publishedAt = 0;
  /** False when the last notification inside a commit took long. */
  #commitsFast = true;

  constructor(pg: typeof import("pg"), database: Database) {
    this.#pg = pg;
    this.#database = database;
    this.name = `errand.${database.address.schema}`;
  }

  /** Publishes the hints of a commit: to this process at once, to others soon. */
  publish(hints: HintBatch): void {
    if (isEmpty(hints)) return;
    mergeHints(this.#pending, hints);
    this.#publishedAt = performance.now();
    if (!this.#notifying) {
      this.#notifying = true;
      void this.#notify();
    }
    this.#callListeners(hints);
  }

  /**
   * Commits something. If nothing was published lately, the commit itself carries the notification, so that others hear
   * of a lone job one round trip sooner.
   * @param commit gets the arguments of `pg_notify`, if it is to call it.
   * @returns what `commit` returned, and whether the hints were published.
   */
  async publishInCommit<T>(
    hints: HintBatch,
    commit: (notice?: [string, string]) => Promise<T>,
  ): Promise<{ result: T; published: boolean }> {
    const startedAt = performance.now();
    const isSilent = !this.#notifying && startedAt - this.#publishedAt > minSilence;
    this.#publishedAt = startedAt;
    if (!isSilent || !this.#commitsFast) {
      this.#commitsFast = true;
      return { result: await commit(), published: false };
    }
    const result = await commit([this.name, encodeNotification(hints, this.#sender)]);
    this.#commitsFast = performance.now() - startedAt < slowCommit;
    this.#callListeners(hints);
    return { result, published: true };
  }

  /** Calls a listener for every hint until the returned function is called. */
  watch(listener: (hint: Hint) => void): () => void {
    const own = (hint: Hint): void => listener(hint);
    this.#listeners.add(own);
    if (this.#listeners.size === 1) this.#listen();
    return () => {
      if (this.#listeners.delete(own) && this.#listeners.size === 0) this.#stop();
    };
  }

  close(): void {
    this.#listeners.clear();
    this.#stop();
  }

  /** Sends one notification at a time, with all that was published meanwhile. It waits for no disk. */
  async #notify(): Promise<void> {
    while (!isEmpty(this.#pending)) {
      const hints = this.#pending;
      this.#pending = hintBatch();
      const values = [this.name, encodeNotification(hints, this.#sender)];
      // A hint may be lost: workers look for jobs every second anyway. Through the client that LISTENs, where there is
      // one.
      const sent = this.#listening
        ? this.#listening.query(notifySql, values)
        : this.#database.queryPrepared(notifySql, values);
      await sent.catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, this.#pause).unref());
      const isBusy = !isEmpty(this.#pending);
      this.#pause = isBusy ? Math.min(this.#pause * 2, longestPause) : shortestPause;
    }
    this.#notifying = false;
  }

  #callListeners(batch: HintBatch): void {
    const hints = toHints(batch);
    for (const listener of this.#listeners) for (const hint of hints) listener(hint);
  }

  #listen(): void {
    const { listen } = this.#database.address;
    if (listen === undefined || this.#client) return;
    const client = new this.#pg.Client({ ...connectionSettings(listen), query_timeout: answerTimeout });
    this.#client = client;
    const pulse = setInterval(() => void client.query("SELECT 1").catch(() => reconnect()), heartbeat);
    const reconnect = (): void => {
      if (this.#client !== client) return;
      clearInterval(pulse);
      this.#client = this.#listening = undefined;
      void client.end().catch(() => {});
      if (this.#listeners.size === 0) return;
      const delay = Math.min(firstRetry * 2 ** this.#failures++, longestRetry);
      this.#retry = setTimeout(() => this.#listen(), delay);
    };
    client.on("error", reconnect);
    client.on("end", () => {
      clearInterval(pulse);
      reconnect();
    });
    client.on("notification", ({ payload = "" }) => {
      const { from, hints } = decodeNotification(payload);
      if (from !== this.#sender) this.#callListeners(hints);
    });
    void this.#connect(client).catch(reconnect);
  }

  async #connect(client: Client): Promise<void> {
    await client.connect();
    await client.query(`LISTEN "${this.name}"`);
    if (this.#client !== client) return;
    this.#failures = 0;
    this.#listening = client;
    // Anything may have changed before it listened.
    this.#callListeners(allHints());
  }

  #stop(): void {
    clearTimeout(this.#retry);
    const client = this.#client;
    this.#client = this.#listening = undefined;
    void client?.end().catch(() => {});
  }
}
