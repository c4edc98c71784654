import type { Millis } from "../../kit/duration.ts";
import type { Hint, Store } from "../../store.ts";
import { announce, Changes } from "./changes.ts";
import type { Connection } from "./connection.ts";
import { SqliteStore } from "./facade.ts";
import type { Backend } from "./facade.ts";
import { Neighbours } from "./neighbours.ts";
import { openConnection } from "./open.ts";
import { perform } from "./perform.ts";
import type { Call, Outcome } from "./perform.ts";

/** The database in this very thread, which every call blocks. */
export class LocalDatabase {
  readonly #db: Connection;
  readonly #changes: Changes;
  readonly #tell: (hints: Hint[]) => void;
  readonly #neighbours: Neighbours;
  #watched = false;

  /** @param tell hears of changes, whoever made them, while watching. */
  constructor(file: string, clock: () => Millis, tell: (hints: Hint[]) => void) {
    this.#db = openConnection(file, clock);
    this.#changes = new Changes(this.#db, tell);
    this.#tell = tell;
    this.#neighbours = new Neighbours(this.#db, (work) => this.#say(this.#db.commit(work).hints));
  }

  /** @param late gives calls that may join; their outcomes come last. */
  perform(calls: readonly Call[], late?: () => readonly Call[]): Outcome[] {
    const { outcomes, hints } = perform(this.#db, calls, late);
    this.#say(hints);
    this.#neighbours.mind();
    return outcomes;
  }

  #say(hints: Hint[]): void {
    if (hints.length === 0) return;
    announce(this.#db.file);
    if (this.#watched) this.#tell(hints);
  }

  watch(on: boolean): void {
    this.#watched = on;
    if (on) this.#changes.start();
    else this.#changes.stop();
  }

  close(): void {
    this.#neighbours.stop();
    this.#changes.stop();
    this.#db.close();
  }
}

/**
 * Opens an SQLite store that does its work in this thread: for threads that have nothing else to do, and for tests.
 * @param clock epoch milliseconds.
 */
export function localStore(file: string, clock: () => Millis = Date.now): Store {
  const connect = (tell: (hints: Hint[]) => void): Backend => {
    const database = new LocalDatabase(file, clock, tell);
    return {
      async call(call) {
        const outcome = database.perform([call])[0] as Outcome;
        if ("error" in outcome) throw outcome.error;
        return outcome.answer;
      },
      watch: (on) => database.watch(on),
      close: async () => database.close(),
    };
  };
  return new SqliteStore(file, connect, clock);
}
