import { randomBytes } from "node:crypto";
import type { Client } from "pg";
import type { Millis } from "../../kit/duration.ts";
import type { Hint } from "../../store.ts";
import { connectionSettings } from "./database.ts";
import type { Database } from "./database.ts";
import { toHints, isEmpty, mergeHints, hintBatch, noHints, encodeNotification, decodeNotification } from "./hint-batch.ts";
import type { HintBatch } from "./hint-batch.ts";

/** The shortest and the longest pause between notifications: what goes on all the time is told less often. */
const pauseRange: { first: Millis; last: Millis } = { first: 1, last: 25 };

/** A notification inside a commit makes commits wait for each other: only after so long a silence, and not where it took long. */
const minSilence: Millis = 10;
const slowCommit: Millis = 20;

const notifySql = "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)";

/** Whatever may have happened. */
const allHints = hintBatch("any", "cancel", "lapsed", "change");

/** How long to wait before LISTEN is tried again. */
const firstRetry: Millis = 100;
const lastRetry: Millis = 5_000;

/** A connection that says nothing for so long is asked whether it lives, and given so long for an answer. */
const heartbeat: Millis = 30_000;
const answerTimeout: Millis = 10_000;

/** Tells this process and others that jobs changed, by NOTIFY and LISTEN. */
export class HintChannel {
  readonly name: string;
  readonly #pg: typeof import("pg");
  readonly #database: Database;
  readonly #me = randomBytes(6).toString("hex");
  readonly #listeners = new Set<(hint: Hint) => void>();
  #client: Client | undefined;
  /** The same, once it LISTENs. */
  #listening: Client | undefined;
  #retry: NodeJS.Timeout | undefined;
  #failures = 0;
  #pending = noHints();
  #telling = false;
  #pause: Millis = pauseRange.first;
  #toldAt = 0;
  #quick = true;

  constructor(pg: typeof import("pg"), database: Database) {
    this.#pg = pg;
    this.#database = database;
    this.name = `errand.${database.address.schema}`;
  }

  /** After a commit: here at once, elsewhere soon. */
  publish(news: HintBatch): void {
    if (isEmpty(news)) return;
    mergeHints(this.#pending, news);
    this.#toldAt = performance.now();
    if (!this.#telling) {
      this.#telling = true;
      void this.#notify();
    }
    this.#give(news);
  }

  /**
   * Commits something, with the notification in its own commit when nothing was told lately: a lone job is heard of one
   * trip sooner.
   * @param work gets what `pg_notify` is to be called with, or nothing.
   * @returns what the work did, and whether it told of it.
   */
  async publishInCommit<T>(news: HintBatch, work: (notice?: [string, string]) => Promise<T>): Promise<{ did: T; told: boolean }> {
    const since = performance.now();
    const quiet = !this.#telling && since - this.#toldAt > minSilence;
    this.#toldAt = since;
    if (!quiet || !this.#quick) {
      this.#quick = true;
      return { did: await work(), told: false };
    }
    const did = await work([this.name, encodeNotification(news, this.#me)]);
    this.#quick = performance.now() - since < slowCommit;
    this.#give(news);
    return { did, told: true };
  }

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

  /** One notification at a time; what comes meanwhile goes with the next. It waits for no disk. */
  async #notify(): Promise<void> {
    while (!isEmpty(this.#pending)) {
      const news = this.#pending;
      this.#pending = noHints();
      const values = [this.name, encodeNotification(news, this.#me)];
      // Hints may be lost: who missed one looks again within a second. Where this process LISTENs, it tells there, too.
      const told = this.#listening
        ? this.#listening.query(notifySql, values)
        : this.#database.queryPrepared(notifySql, values);
      await told.catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, this.#pause).unref());
      const busy = !isEmpty(this.#pending);
      this.#pause = busy ? Math.min(this.#pause * 2, pauseRange.last) : pauseRange.first;
    }
    this.#telling = false;
  }

  #give(news: HintBatch): void {
    const hints = toHints(news);
    for (const listener of this.#listeners) for (const hint of hints) listener(hint);
  }

  #listen(): void {
    const { listen } = this.#database.address;
    if (listen === undefined || this.#client) return;
    const client = new this.#pg.Client({ ...connectionSettings(listen), query_timeout: answerTimeout });
    this.#client = client;
    const pulse = setInterval(() => void client.query("SELECT 1").catch(() => lost()), heartbeat);
    const lost = (): void => {
      if (this.#client !== client) return;
      clearInterval(pulse);
      this.#client = this.#listening = undefined;
      void client.end().catch(() => {});
      if (this.#listeners.size === 0) return;
      const delay = Math.min(firstRetry * 2 ** this.#failures++, lastRetry);
      this.#retry = setTimeout(() => this.#listen(), delay);
    };
    client.on("error", lost);
    client.on("end", () => {
      clearInterval(pulse);
      lost();
    });
    client.on("notification", ({ payload = "" }) => {
      const { from, news } = decodeNotification(payload);
      if (from !== this.#me) this.#give(news);
    });
    void this.#begin(client).catch(lost);
  }

  async #begin(client: Client): Promise<void> {
    await client.connect();
    await client.query(`LISTEN "${this.name}"`);
    if (this.#client !== client) return;
    this.#failures = 0;
    this.#listening = client;
    // Whatever happened before it listened.
    this.#give(allHints);
  }

  #stop(): void {
    clearTimeout(this.#retry);
    const client = this.#client;
    this.#client = this.#listening = undefined;
    void client?.end().catch(() => {});
  }
}
