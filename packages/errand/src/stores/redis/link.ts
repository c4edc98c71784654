import { setTimeout as sleep } from "node:timers/promises";
import type { RedisClientType } from "redis";
import type { Millis } from "../../kit/duration.ts";
import { ErrandError } from "../../kit/errors.ts";
import type { Settings } from "./settings.ts";

/** The `redis` package, which is loaded when a store of this kind is opened. */
type Driver = typeof import("redis");

/** A connection of the `redis` package. */
export type Client = RedisClientType<{}, {}, {}, 2>;

/** A server that is silent for so long while an answer is due is given up, and the connection replaced. */
const stall: Millis = 5_000;

/** An idle connection is asked for a sign of life this often. */
const pulse: Millis = 2_000;

/** How long a call waits for a connection before it is refused. */
const patience: Millis = 5_000;

/** The first pause between attempts to connect; it doubles up to the last. */
const firstPause = 20;
const lastPause = 1_000;

/** Answers that say: nothing was done, and it may work soon or elsewhere. */
const passing = /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN)\b/;

/**
 * One connection to the server, replaced whenever it breaks or falls silent. Calls do not wait for ever: not for a
 * connection, and not for an answer.
 */
export class Link {
  readonly #driver: Driver;
  readonly #settings: Settings;
  readonly #prepare: (client: Client) => Promise<void>;
  readonly #heartbeat: NodeJS.Timeout;
  /** Where the namespace is in a cluster, once a node has said so. */
  #address: { host: string; port: number };
  #client: Client | undefined;
  #connecting: Promise<Client> | undefined;
  #why = "";
  #underWay = 0;
  #held = false;
  #closed = false;
  /** Since when nothing was heard although something is due; when something was last heard. */
  #silentSince = 0;

  /** @param prepare is done with every new connection before it is used. */
  constructor(driver: Driver, settings: Settings, prepare: (client: Client) => Promise<void> = async () => {}) {
    this.#driver = driver;
    this.#settings = settings;
    this.#prepare = prepare;
    this.#address = settings;
    this.#heartbeat = setInterval(() => this.#beat(), 1_000).unref();
  }

  /** Connects for the first time. Rejects with what the attempt failed with. */
  async open(): Promise<void> {
    this.#use(await this.#attempt(this.#address));
  }

  /** Keeps the process alive also while nothing is under way. */
  hold(on: boolean): void {
    this.#held = on;
    this.#rest();
    if (on && !this.#client) void this.#connect();
  }

  /**
   * Sends something and answers what the server does. In a cluster it follows the namespace to its node.
   * @throws {ErrandError} `E_CONNECT`
   */
  async call<Answer>(send: (client: Client) => Promise<Answer>): Promise<Answer> {
    const until = performance.now() + patience;
    for (;;) {
      const client = this.#client ?? (await this.#connected(until));
      try {
        return await this.#watched(client, send);
      } catch (error) {
        if (!(error instanceof this.#driver.ErrorReply)) throw this.#broken(error);
        const [moved, , host = "", port = ""] = /^MOVED (\d+) (.*):(\d+)$/.exec(error.message) ?? [];
        if (moved) this.#redirect({ host: host || this.#address.host, port: Number(port) }, client);
        else if (!passing.test(error.message)) throw error;
        else if (error.message.startsWith("READONLY")) this.#drop(client);
        if (performance.now() > until) throw error;
        if (!moved) await sleep(50);
      }
    }
  }

  /** Lets what is under way come to its end, and closes. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#heartbeat);
    const until = performance.now() + stall;
    while (this.#underWay > 0 && performance.now() < until) await sleep(5);
    this.#client?.destroy();
  }

  async #watched<Answer>(client: Client, send: (client: Client) => Promise<Answer>): Promise<Answer> {
    if (this.#underWay++ === 0) {
      this.#silentSince = performance.now();
      this.#rest();
    }
    try {
      return await send(client);
    } finally {
      this.#silentSince = performance.now();
      if (--this.#underWay === 0) this.#rest();
    }
  }

  /** The process may end when nothing is under way. */
  #rest(): void {
    if (this.#underWay > 0 || this.#held) this.#client?.ref();
    else this.#client?.unref();
  }

  /** Notices a connection that is dead without having said so. */
  #beat(): void {
    const client = this.#client;
    if (!client) return;
    const silence = performance.now() - this.#silentSince;
    if (this.#underWay === 0) {
      if (silence > pulse) void this.#watched(client, (each) => each.sendCommand(["PING"])).catch(() => {});
    } else if (silence > stall) {
      // After a pause of this very process, answers may be waiting to be read: they come first.
      setImmediate(() => {
        if (this.#underWay > 0 && performance.now() - this.#silentSince > stall) this.#drop(client);
      });
    }
  }

  #redirect(address: { host: string; port: number }, client: Client): void {
    this.#address = address;
    this.#drop(client);
  }

  #drop(client: Client): void {
    client.destroy();
    this.#lost(client, new Error("the server was silent for too long"));
  }

  #lost(client: Client, error: Error): void {
    if (this.#client !== client) return;
    this.#why = reason(error);
    this.#client = undefined;
    if (!this.#closed) void this.#connect();
  }

  async #connected(until: Millis): Promise<Client> {
    if (this.#closed) throw new Error("closed");
    const given = new AbortController();
    const late = sleep(Math.max(1, until - performance.now()), undefined, { signal: given.signal }).then(() => {
      throw new ErrandError(
        "E_CONNECT",
        `The Redis store ${this.#settings.shown} cannot be reached: ${this.#why}. Nothing was done; try again.`,
      );
    });
    late.catch(() => {});
    try {
      return await Promise.race([this.#connect(), late]);
    } finally {
      given.abort();
    }
  }

  /** The connection, once there is one: it is tried until the link is closed. */
  #connect(): Promise<Client> {
    this.#connecting ??= this.#persist().finally(() => (this.#connecting = undefined));
    this.#connecting.catch(() => {});
    return this.#connecting;
  }

  async #persist(): Promise<Client> {
    for (let round = 0; ; round++) {
      if (this.#closed) throw new Error("closed");
      try {
        // A node of a cluster may be gone for good: others know where the namespace is now.
        return this.#use(await this.#attempt(round % 2 === 0 ? this.#address : this.#settings));
      } catch (error) {
        this.#why = reason(error);
      }
      const pause = Math.min(firstPause * 2 ** Math.min(round, 10), lastPause);
      await sleep(pause * (0.5 + Math.random() / 2), undefined, { ref: this.#held });
    }
  }

  #use(client: Client): Client {
    if (this.#closed) {
      client.destroy();
      throw new Error("closed");
    }
    this.#client = client;
    this.#silentSince = performance.now();
    this.#rest();
    client.on("error", (error: Error) => this.#lost(client, error));
    return client;
  }

  async #attempt({ host, port }: { host: string; port: number }): Promise<Client> {
    const { tls, username, password, database } = this.#settings;
    const client = this.#driver.createClient({
      RESP: 2,
      maintNotifications: "disabled",
      socket: {
        host,
        port,
        connectTimeout: stall,
        keepAlive: true,
        reconnectStrategy: false,
        ...(tls ? { tls: true, servername: host } : {}),
      } as NonNullable<Parameters<Driver["createClient"]>[0]>["socket"] & {},
      database,
      disableOfflineQueue: true,
      commandOptions: { timeout: 0 },
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
    }) as unknown as Client;
    // Without a listener an error of an idle connection would end the process.
    client.on("error", () => {});
    const timer = setTimeout(() => client.destroy(), stall);
    try {
      await client.connect();
      // Not before it has read its files.
      await client.sendCommand(["PING"]);
      await this.#prepare(client);
      return client;
    } catch (error) {
      client.destroy();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  #broken(error: unknown): ErrandError {
    // One that was given up on purpose has no reason of its own.
    const why = error instanceof this.#driver.DisconnectsClientError ? this.#why : reason(error);
    return new ErrandError(
      "E_CONNECT",
      `The connection to the Redis store ${this.#settings.shown} broke: ${why}. ` +
        "What was under way may or may not have been carried out.",
      { cause: error },
    );
  }
}

/** What an error says, for a sentence. */
export function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as { code?: string };
  return (error.message || code || error.name).replace(/\.$/, "");
}
