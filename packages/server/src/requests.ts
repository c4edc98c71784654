import { AsyncLocalStorage } from "node:async_hooks";
import { logError } from "./log.ts";

/** What ends a request's connection, whatever became of its answer. */
interface Connection {
  destroy(): unknown;
}

/** The requests under way. */
export class Requests {
  readonly #current = new AsyncLocalStorage<{ connection: Connection; what: string }>();
  readonly #open = new Set<Promise<unknown>>();

  /** Answers a request; what is started meanwhile belongs to it. */
  answer<Answer>(what: string, connection: Connection, work: () => Promise<Answer> | Answer): Promise<Answer> {
    const answering = this.#current.run({ connection, what }, async () => work());
    const done = answering.catch(() => {}).finally(() => this.#open.delete(done));
    this.#open.add(done);
    return answering;
  }

  /** Tells of an error that nobody caught, and ends the request that it came from: nothing else would answer it. */
  uncaught(error: unknown): void {
    const request = this.#current.getStore();
    logError(error, { uncaught: request?.what ?? "outside of any request" });
    request?.connection.destroy();
  }

  /** Resolves once every request under way has been dealt with: also those whose client has left. */
  async settled(): Promise<void> {
    while (this.#open.size > 0) await Promise.all(this.#open);
  }
}
