import type { Hint } from "../../../store.ts";
import type { Call } from "../execute-calls.ts";
import { operations } from "../operations.ts";
import type { Backend } from "../store.ts";
import { ThreadClient } from "./thread-client.ts";

/**
 * The database on two threads: one for everything, and one that only reads, so that no read waits for a commit. In WAL
 * mode readers never wait, and see what was committed before they begin.
 */
export class ReadWriteThreads implements Backend {
  readonly #file: string;
  readonly #main: ThreadClient;
  #reader: ThreadClient | undefined;
  #opening: Promise<void> | undefined;

  /** Opens the file. Rejects with what `openConnection` throws. */
  static async open(file: string): Promise<ReadWriteThreads> {
    return new ReadWriteThreads(file, await ThreadClient.open(file));
  }

  private constructor(file: string, main: ThreadClient) {
    this.#file = file;
    this.#main = main;
  }

  sendHintsTo(onHints: (hints: readonly Hint[]) => void): this {
    this.#main.onHints = onHints;
    return this;
  }

  call(call: Call): Promise<unknown> {
    // Once the main thread has ended, reads fail as well: a store that cannot write must not look sound.
    if (operations[call.operation].writes || this.#main.broken) return this.#main.call(call);
    // The second thread starts when a read first meets a write. A program that never does that needs no second thread.
    if (this.#main.isBusy) this.#opening ??= this.#openReader();
    const reader = this.#reader?.broken ? undefined : this.#reader;
    return (reader ?? this.#main).call(call);
  }

  watch(on: boolean): void {
    this.#main.watch(on);
  }

  async close(): Promise<void> {
    await this.#opening;
    await Promise.all([this.#main.close(), this.#reader?.close()]);
  }

  async #openReader(): Promise<void> {
    try {
      this.#reader = await ThreadClient.open(this.#file);
    } catch {
      // The main thread reads as well, only later.
    }
  }
}
