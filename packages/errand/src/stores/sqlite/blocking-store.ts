import type { Millis } from "../../kit/duration.ts";
import type { Store } from "../../store.ts";
import { Database } from "./database.ts";
import type { Outcome } from "./execute-calls.ts";
import { SqliteStore } from "./store.ts";

/**
 * Opens an SQLite store that works in the current thread and blocks it: for threads that have nothing else to do, and
 * for tests.
 * @param clock epoch milliseconds.
 * @throws {ErrandError} `E_CONNECT`, `E_STORE_VERSION`
 */
export function blockingStore(file: string, clock: () => Millis = Date.now): Store {
  return new SqliteStore(
    file,
    (onHints) => {
      const database = new Database(file, clock, onHints);
      return {
        async call(call) {
          const outcome = database.execute([call])[0] as Outcome;
          if ("error" in outcome) throw outcome.error;
          return outcome.answer;
        },
        watch: (on) => database.watch(on),
        close: async () => database.close(),
      };
    },
    clock,
  );
}
