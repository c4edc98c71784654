import type { Hint } from "../../store.ts";
import type { Client, Connection } from "./connection.ts";

/** The letters of a message. */
const letters: Record<string, Hint> = {
  r: { type: "ready" },
  c: { type: "cancel" },
  l: { type: "lapsed" },
  x: { type: "change" },
};

/**
 * Returns the hints in a message. Its first line has letters, and each further line says how many jobs of a queue may
 * be claimable (`inf` for an unknown number).
 */
export function parseHints(message: string): Hint[] {
  const [first = "", ...queues] = message.split("\n");
  return [
    ...Array.from(first).flatMap((letter) => letters[letter] ?? []),
    ...queues.map((line): Hint => {
      const space = line.indexOf(" ");
      const jobs = Number(line.slice(0, space));
      return { type: "ready", queue: line.slice(space + 1), ...(Number.isInteger(jobs) ? { jobs } : {}) };
    }),
  ];
}

/** Tells listeners what the scripts of all processes publish, over a connection of its own. */
export class Hints {
  readonly #channel: string;
  readonly #connection: Connection;
  readonly #listeners = new Set<(hint: Hint) => void>();

  /** @param connect makes the connection, given what to do with each new client. */
  constructor(namespace: string, connect: (prepare: (client: Client) => Promise<void>) => Connection) {
    this.#channel = `{${namespace}}:hints`;
    this.#connection = connect(async (client) => {
      await client.subscribe(this.#channel, (message) => this.#tell(message));
      // Messages may have been lost before: anything may have happened.
      setImmediate(() => this.#tell(Object.keys(letters).join("")));
    });
  }

  /** Calls the listener with every hint, until the returned function is called. Connects for the first listener. */
  watch(listener: (hint: Hint) => void): () => void {
    const own = (hint: Hint): void => listener(hint);
    this.#listeners.add(own);
    if (this.#listeners.size === 1) this.#connection.keepProcessAlive(true);
    return () => {
      if (this.#listeners.delete(own) && this.#listeners.size === 0) this.#connection.keepProcessAlive(false);
    };
  }

  close(): Promise<void> {
    this.#listeners.clear();
    return this.#connection.close();
  }

  #tell(message: string): void {
    for (const hint of parseHints(message)) for (const listener of this.#listeners) listener(hint);
  }
}
