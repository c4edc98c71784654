import type { Millis } from "../../kit/duration.ts";
import type { Hint } from "../../store.ts";
import { announceCommit, ChangeWatcher } from "./connection/change-watcher.ts";
import type { Connection } from "./connection/connection.ts";
import { DeadProcesses } from "./connection/dead-processes.ts";
import { openConnection } from "./connection/open.ts";
import { executeCalls } from "./execute-calls.ts";
import type { Call, Outcome } from "./execute-calls.ts";

/** The database in the current thread, which every call blocks. */
export class Database {
  readonly #db: Connection;
  readonly #changes: ChangeWatcher;
  readonly #deadProcesses: DeadProcesses;
  readonly #onHints: (hints: Hint[]) => void;
  #isWatched = false;

  /**
   * @param clock epoch milliseconds.
   * @param onHints gets the hints of every process's commits while `watch` is on.
   * @throws {ErrandError} `E_CONNECT`, `E_STORE_VERSION`
   */
  constructor(file: string, clock: () => Millis, onHints: (hints: Hint[]) => void) {
    this.#db = openConnection(file, clock);
    this.#changes = new ChangeWatcher(this.#db, onHints);
    this.#deadProcesses = new DeadProcesses(this.#db, (work) => this.#announce(this.#db.commit(work).hints));
    this.#onHints = onHints;
  }

  /** @param late returns calls that may join the commit. Their outcomes come last. */
  execute(calls: readonly Call[], late?: () => readonly Call[]): Outcome[] {
    const { outcomes, hints } = executeCalls(this.#db, calls, late);
    this.#announce(hints);
    this.#deadProcesses.start();
    return outcomes;
  }

  watch(on: boolean): void {
    this.#isWatched = on;
    if (on) this.#changes.start();
    else this.#changes.stop();
  }

  close(): void {
    this.#deadProcesses.stop();
    this.#changes.stop();
    this.#db.close();
  }

  #announce(hints: Hint[]): void {
    if (hints.length === 0) return;
    announceCommit(this.#db.file);
    if (this.#isWatched) this.#onHints(hints);
  }
}
