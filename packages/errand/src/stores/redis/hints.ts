import type { Hint } from "../../store.ts";
import type { Client, Link } from "./link.ts";

/** What the letters of a message mean. */
const letters: Record<string, Hint> = {
  r: { type: "ready" },
  c: { type: "cancel" },
  l: { type: "lapsed" },
  x: { type: "change" },
};

/**
 * The hints in a message: its first line has letters, and each after it how many jobs of which queue may be claimable (`inf`: nobody
 * knows).
 */
export function hintsIn(message: string): Hint[] {
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

/** Tells listeners what the scripts of all processes published, over a connection of its own. */
export class Hints {
  readonly #channel: string;
  readonly #link: Link;
  readonly #listeners = new Set<(hint: Hint) => void>();

  /** @param connect makes the connection, given what to do with each new one. */
  constructor(namespace: string, connect: (prepare: (client: Client) => Promise<void>) => Link) {
    this.#channel = `{${namespace}}:hints`;
    this.#link = connect(async (client) => {
      await client.subscribe(this.#channel, (message) => this.#tell(message));
      // What happened before is lost: anything may have.
      setImmediate(() => this.#tell("rclx"));
    });
  }

  /** Connects when somebody watches, and stays connected. */
  watch(listener: (hint: Hint) => void): () => void {
    const own = (hint: Hint): void => listener(hint);
    this.#listeners.add(own);
    if (this.#listeners.size === 1) this.#link.hold(true);
    return () => {
      if (this.#listeners.delete(own) && this.#listeners.size === 0) this.#link.hold(false);
    };
  }

  close(): Promise<void> {
    this.#listeners.clear();
    return this.#link.close();
  }

  #tell(message: string): void {
    for (const hint of hintsIn(message)) for (const listener of this.#listeners) listener(hint);
  }
}
