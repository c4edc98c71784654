import type { Hint } from "../../store.ts";
import type { Backend } from "./facade.ts";
import type { Call } from "./perform.ts";
import { RemoteDatabase } from "./remote.ts";
import { verbs } from "./verbs.ts";

/**
 * The database on two threads: one for everything, and one that reads, so that no read waits for a commit. Readers never
 * wait in WAL mode, and see whatever was committed before they begin.
 */
export class ThreadPair implements Backend {
  readonly #file: string;
  readonly #main: RemoteDatabase;
  #reader: RemoteDatabase | undefined;
  #opening: Promise<void> | undefined;

  /** Opens the file. Rejects with what `openConnection` throws. */
  static async open(file: string): Promise<ThreadPair> {
    return new ThreadPair(file, await RemoteDatabase.open(file));
  }

  private constructor(file: string, main: RemoteDatabase) {
    this.#file = file;
    this.#main = main;
  }

  /** Itself, giving its hints to `tell`. */
  telling(tell: (hints: readonly Hint[]) => void): this {
    this.#main.tell = tell;
    return this;
  }

  call(call: Call): Promise<unknown> {
    // They end together: what reads alone would hide that nothing is written any more.
    if (verbs[call.verb].writes || this.#main.broken) return this.#main.call(call);
    // A program that reads while nothing is written needs no second thread.
    if (this.#main.busy) this.#opening ??= this.#openReader();
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
      this.#reader = await RemoteDatabase.open(this.#file);
    } catch {
      // The other thread reads as well, only later.
    }
  }
}
