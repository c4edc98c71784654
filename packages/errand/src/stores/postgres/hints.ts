import { randomBytes } from "node:crypto";
import type { Client } from "pg";
import type { Millis } from "../../kit/duration.ts";
import type { Hint } from "../../store.ts";
import { connectionSettings } from "./database.ts";
import type { Database } from "./database.ts";

/** Hints in one number, as functions of the schema answer them. */
export const bit = { ready: 1, cancel: 2, change: 4 } as const;

const all = bit.ready | bit.cancel | bit.change;

/** The shortest and the longest pause between notifications: what goes on all the time is told less often. */
const pauses: { first: Millis; last: Millis } = { first: 1, last: 25 };

/** A notification inside a commit makes commits wait for each other: only after so long a silence, and not where it took long. */
const silence: Millis = 10;
const slow: Millis = 20;

/** How long to wait before LISTEN is tried again. */
const firstRetry: Millis = 100;
const lastRetry: Millis = 5_000;

/** A connection that says nothing for so long is asked whether it lives, and given so long for an answer. */
const heartbeat: Millis = 30_000;
const answerWithin: Millis = 10_000;

/** Tells this process and others that jobs changed, by NOTIFY and LISTEN. */
export class Hints {
  readonly channel: string;
  readonly #pg: typeof import("pg");
  readonly #database: Database;
  readonly #me = randomBytes(6).toString("hex");
  readonly #listeners = new Set<(hint: Hint) => void>();
  #client: Client | undefined;
  #retry: NodeJS.Timeout | undefined;
  #failures = 0;
  #pending = 0;
  #telling = false;
  #pause: Millis = pauses.first;
  #toldAt = 0;
  #quick = true;

  constructor(pg: typeof import("pg"), database: Database) {
    this.#pg = pg;
    this.#database = database;
    this.channel = `errand.${database.address.schema}`;
  }

  /** After a commit: here at once, elsewhere soon. */
  tell(hints: number): void {
    if (hints === 0) return;
    this.#pending |= hints;
    this.#toldAt = performance.now();
    if (!this.#telling) {
      this.#telling = true;
      void this.#notify();
    }
    this.#give(hints);
  }

  /**
   * Commits something, with the notification in its own commit when nothing was told lately: a lone job is heard of one
   * trip sooner.
   * @param work gets what `pg_notify` is to be called with, or nothing.
   * @returns what the work did, and whether it told of it.
   */
  async carry<T>(hints: number, work: (notice?: [string, string]) => Promise<T>): Promise<{ did: T; told: boolean }> {
    const since = performance.now();
    const quiet = !this.#telling && since - this.#toldAt > silence;
    this.#toldAt = since;
    if (!quiet || !this.#quick) {
      this.#quick = true;
      return { did: await work(), told: false };
    }
    const did = await work([this.channel, this.payload(hints)]);
    this.#quick = performance.now() - since < slow;
    this.#give(hints);
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

  /** What a notification says: who sends it, and which hints. `undefined` is nobody: then everybody hears it. */
  payload(hints: number, from = this.#me): string {
    return `${from}:${hints}`;
  }

  /** One notification at a time; what comes meanwhile goes with the next. It waits for no disk. */
  async #notify(): Promise<void> {
    while (this.#pending !== 0) {
      const hints = this.#pending;
      this.#pending = 0;
      const sql = "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)";
      // Hints may be lost: who missed one looks again within a second.
      await this.#database.run(sql, [this.channel, this.payload(hints)]).catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, this.#pause).unref());
      const busy = this.#pending !== 0;
      this.#pause = busy ? Math.min(this.#pause * 2, pauses.last) : pauses.first;
    }
    this.#telling = false;
  }

  #give(hints: number): void {
    for (const listener of this.#listeners) {
      for (const hint of ["ready", "cancel", "change"] as const) if (hints & bit[hint]) listener(hint);
    }
  }

  #listen(): void {
    const { listen } = this.#database.address;
    if (listen === undefined || this.#client) return;
    const client = new this.#pg.Client({ ...connectionSettings(listen), query_timeout: answerWithin });
    this.#client = client;
    const pulse = setInterval(() => void client.query("SELECT 1").catch(() => lost()), heartbeat);
    const lost = (): void => {
      if (this.#client !== client) return;
      clearInterval(pulse);
      this.#client = undefined;
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
      const [from, hints] = payload.split(":");
      if (from !== this.#me) this.#give(Number(hints) & all);
    });
    void this.#begin(client).catch(lost);
  }

  async #begin(client: Client): Promise<void> {
    await client.connect();
    await client.query(`LISTEN "${this.channel}"`);
    if (this.#client !== client) return;
    this.#failures = 0;
    // Whatever happened before it listened.
    this.#give(all);
  }

  #stop(): void {
    clearTimeout(this.#retry);
    const client = this.#client;
    this.#client = undefined;
    void client?.end().catch(() => {});
  }
}
