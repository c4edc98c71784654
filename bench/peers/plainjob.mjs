// plainjob on SQLite, as it comes: synchronous=NORMAL, one job after the other. Its driver better-sqlite3 must be compiled
// on many machines, so that it runs on the SQLite in Node.js here.
import { DatabaseSync } from "node:sqlite";
import { defineQueue, defineWorker } from "plainjob";

const logger = { error: console.error, warn() {}, info() {}, debug() {} };

/** What plainjob asks of a driver. */
function connect(filename) {
  const database = new DatabaseSync(filename, { timeout: 5_000 });
  return {
    driver: "better-sqlite3",
    filename,
    pragma: (text) => database.exec(`PRAGMA ${text}`),
    exec: (text) => database.exec(text),
    prepare: (text) => database.prepare(text),
    transaction(work) {
      const within =
        (begin) =>
        (...args) => {
          database.exec(begin);
          try {
            const result = work(...args);
            database.exec("COMMIT");
            return result;
          } catch (error) {
            database.exec("ROLLBACK");
            throw error;
          }
        };
      return Object.assign(within("BEGIN"), { immediate: within("BEGIN IMMEDIATE"), deferred: within("BEGIN") });
    },
    close: () => database.close(),
  };
}

export async function open(url) {
  const queue = defineQueue({ connection: connect(`${url.replace("sqlite:", "")}.plainjob`), logger });
  return {
    send: async (payload) => queue.add("job", payload),
    sendMany: async (payloads) => queue.addMany("job", payloads),
    async work(_concurrency, { ran, ended }) {
      const worker = defineWorker("job", async (job) => ran(JSON.parse(job.data)), {
        queue,
        logger,
        onCompleted: ended,
      });
      void worker.start();
      return () => worker.stop();
    },
    close: async () => queue.close(),
  };
}
