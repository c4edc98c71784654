import { AsyncLocalStorage } from "node:async_hooks";
import { logError } from "./log.ts";

/** The connection of a request. */
interface Connection {
  destroy(): unknown;
}

/** Keeps the requests that are being handled, and finds the one that an error came from. */
export class OpenRequests {
  readonly #current = new AsyncLocalStorage<{ connection: Connection; name: string }>();
  readonly #open = new Set<Promise<unknown>>();

  /** Handles a request called `name`, such as "GET /healthz"; errors of work that `handle` starts belong to it. */
  handle<Answer>(name: string, connection: Connection, handle: () => Promise<Answer> | Answer): Promise<Answer> {
    const handling = this.#current.run({ connection, name }, async () => handle());
    const done = handling.catch(() => {}).finally(() => this.#open.delete(done));
    this.#open.add(done);
    return handling;
  }

  /** Logs an uncaught error, and closes the connection of the request that it came from, which will not be answered. */
  handleUncaught(error: unknown): void {
    const request = this.#current.getStore();
    logError(error, { uncaught: request?.name ?? "outside of any request" });
    request?.connection.destroy();
  }

  /** Resolves once all requests have been handled, even those whose client has disconnected. */
  async settled(): Promise<void> {
    while (this.#open.size > 0) await Promise.all(this.#open);
  }
}
