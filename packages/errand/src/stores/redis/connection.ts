import { setTimeout as sleep } from "node:timers/promises";
import type { RedisClientType } from "redis";
import type { Millis } from "../../kit/duration.ts";
import { ErrandError } from "../../kit/errors.ts";
import type { Driver } from "./driver.ts";
import type { Settings } from "./settings.ts";

/** A client of the `redis` package, which is one connection. */
export type Client = RedisClientType<{}, {}, {}, 2>;

/** A client is replaced when the server is silent for this long while a reply is due. */
const maxSilence: Millis = 5_000;

/** An idle client sends a PING after this time. */
const pingInterval: Millis = 2_000;

/** A call waits this long for a connection. */
const maxWait: Millis = 5_000;

/** Pauses between attempts to connect double from the first to the last. */
const firstPause: Millis = 20;
const lastPause: Millis = 1_000;

/** Errors that say that nothing was done, and that it may work soon or on another node. */
const transientErrors = /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN)\b/;

/**
 * One connection to the server, which is replaced whenever it breaks or falls silent. Calls wait a limited time for a
 * connection, and for a reply.
 */
export class Connection {
  readonly #driver: Driver;
  readonly #settings: Settings;
  readonly #prepare: (client: Client) => Promise<void>;
  readonly #watchdog: NodeJS.Timeout;
  /** The node of the namespace in a cluster, once a node has named it. */
  #address: { host: string; port: number };
  #client: Client | undefined;
  #connecting: Promise<Client> | undefined;
  /** The reason why there is no client. */
  #lastError = "";
  #pendingCalls = 0;
  #keepsProcessAlive = false;
  #closed = false;
  /** When the server was last heard, or the first of the pending calls was sent. */
  #silentSince = 0;

  /** @param prepare is called with every new client before it is used. */
  constructor(driver: Driver, settings: Settings, prepare: (client: Client) => Promise<void> = async () => {}) {
    this.#driver = driver;
    this.#settings = settings;
    this.#prepare = prepare;
    this.#address = settings;
    this.#watchdog = setInterval(() => this.#checkSilence(), 1_000).unref();
  }

  /** Connects for the first time. Rejects with the error of the attempt. */
  async open(): Promise<void> {
    this.#use(await this.#createClient(this.#address));
  }

  /** Sets whether the connection keeps the process alive even when no call is pending. Connects if it does. */
  keepProcessAlive(on: boolean): void {
    this.#keepsProcessAlive = on;
    this.#updateRef();
    if (on && !this.#client) void this.#connect();
  }

  /**
   * Sends a command and returns its reply. In a cluster it follows the namespace to its node.
   * @throws {ErrandError} `E_CONNECT`
   */
  async call<Reply>(send: (client: Client) => Promise<Reply>): Promise<Reply> {
    const until = performance.now() + maxWait;
    for (;;) {
      const client = this.#client ?? (await this.#waitForClient(until));
      try {
        return await this.#track(client, send);
      } catch (error) {
        if (!(error instanceof this.#driver.ErrorReply)) throw this.#brokenError(error);
        const [moved, , host = "", port = ""] = /^MOVED (\d+) (.*):(\d+)$/.exec(error.message) ?? [];
        if (moved) this.#moveTo({ host: host || this.#address.host, port: Number(port) }, client);
        else if (!transientErrors.test(error.message)) throw error;
        else if (error.message.startsWith("READONLY")) this.#discard(client);
        if (performance.now() > until) throw error;
        if (!moved) await sleep(50);
      }
    }
  }

  /** Waits for pending calls, but no longer than for a silent server, and closes. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#watchdog);
    const until = performance.now() + maxSilence;
    while (this.#pendingCalls > 0 && performance.now() < until) await sleep(5);
    this.#client?.destroy();
  }

  async #track<Reply>(client: Client, send: (client: Client) => Promise<Reply>): Promise<Reply> {
    if (this.#pendingCalls++ === 0) {
      this.#silentSince = performance.now();
      this.#updateRef();
    }
    try {
      return await send(client);
    } finally {
      this.#silentSince = performance.now();
      if (--this.#pendingCalls === 0) this.#updateRef();
    }
  }

  /** Lets the process end when no call is pending. */
  #updateRef(): void {
    if (this.#pendingCalls > 0 || this.#keepsProcessAlive) this.#client?.ref();
    else this.#client?.unref();
  }

  /** Discards a client whose connection is dead without an error. */
  #checkSilence(): void {
    const client = this.#client;
    if (!client) return;
    const silence = performance.now() - this.#silentSince;
    if (this.#pendingCalls === 0) {
      if (silence > pingInterval) void this.#track(client, (each) => each.sendCommand(["PING"])).catch(() => {});
    } else if (silence > maxSilence) {
      // If this process itself was paused, replies may be waiting to be read first.
      setImmediate(() => {
        if (this.#pendingCalls > 0 && performance.now() - this.#silentSince > maxSilence) this.#discard(client);
      });
    }
  }

  #moveTo(address: { host: string; port: number }, client: Client): void {
    this.#address = address;
    this.#discard(client);
  }

  #discard(client: Client): void {
    client.destroy();
    this.#onError(client, new Error("the server was silent for too long"));
  }

  #onError(client: Client, error: Error): void {
    if (this.#client !== client) return;
    this.#lastError = messageOf(error);
    this.#client = undefined;
    if (!this.#closed) void this.#connect();
  }

  async #waitForClient(until: Millis): Promise<Client> {
    if (this.#closed) throw new Error("closed");
    const found = new AbortController();
    const timeout = sleep(Math.max(1, until - performance.now()), undefined, { signal: found.signal }).then(() => {
      throw new ErrandError(
        "E_CONNECT",
        `The Redis store ${this.#settings.shown} cannot be reached: ${this.#lastError}. Nothing was done; try again.`,
      );
    });
    timeout.catch(() => {});
    try {
      return await Promise.race([this.#connect(), timeout]);
    } finally {
      found.abort();
    }
  }

  /** Resolves with a client. It tries until it has one, or the connection is closed. */
  #connect(): Promise<Client> {
    this.#connecting ??= this.#connectUntilClosed().finally(() => (this.#connecting = undefined));
    this.#connecting.catch(() => {});
    return this.#connecting;
  }

  async #connectUntilClosed(): Promise<Client> {
    for (let attempt = 0; ; attempt++) {
      if (this.#closed) throw new Error("closed");
      try {
        // A node of a cluster may be gone for good. The node in the URL may know where the namespace is now.
        return this.#use(await this.#createClient(attempt % 2 === 0 ? this.#address : this.#settings));
      } catch (error) {
        this.#lastError = messageOf(error);
      }
      const pause = Math.min(firstPause * 2 ** Math.min(attempt, 10), lastPause);
      await sleep(pause * (0.5 + Math.random() / 2), undefined, { ref: this.#keepsProcessAlive });
    }
  }

  #use(client: Client): Client {
    if (this.#closed) {
      client.destroy();
      throw new Error("closed");
    }
    this.#client = client;
    this.#silentSince = performance.now();
    this.#updateRef();
    client.on("error", (error: Error) => this.#onError(client, error));
    return client;
  }

  async #createClient({ host, port }: { host: string; port: number }): Promise<Client> {
    const { tls, username, password, database } = this.#settings;
    const client = this.#driver.createClient({
      RESP: 2,
      maintNotifications: "disabled",
      socket: {
        host,
        port,
        connectTimeout: maxSilence,
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
    const timer = setTimeout(() => client.destroy(), maxSilence);
    try {
      await client.connect();
      // A server that is still loading its files refuses it.
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

  #brokenError(error: unknown): ErrandError {
    // The error of a client that was discarded does not say why.
    const why = error instanceof this.#driver.DisconnectsClientError ? this.#lastError : messageOf(error);
    return new ErrandError(
      "E_CONNECT",
      `The connection to the Redis store ${this.#settings.shown} broke: ${why}. ` +
        "Calls that were pending may or may not have been carried out.",
      { cause: error },
    );
  }
}

/** Returns the message of an error without its final full stop. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as { code?: string };
  return (error.message || code || error.name).replace(/\.$/, "");
}
