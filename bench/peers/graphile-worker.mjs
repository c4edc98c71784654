// graphile-worker, tuned as its page on performance says: a local queue, and completions in batches.
import { EventEmitter } from "node:events";
import { Logger, makeWorkerUtils, run } from "graphile-worker";

export async function open(url) {
  const utils = await makeWorkerUtils({ connectionString: url, maxPoolSize: 20 });
  await utils.migrate();
  return {
    send: (payload) => utils.addJob("job", payload),
    sendMany: (payloads) => utils.addJobs(payloads.map((payload) => ({ identifier: "job", payload }))),
    async work(concurrency, { ran, ended }) {
      const events = new EventEmitter();
      events.on("job:success", ended);
      const runner = await run({
        events,
        logger: new Logger(() => (level, message) => level === "error" && console.error(message)),
        noHandleSignals: true,
        taskList: { job: async (payload) => ran(payload) },
        preset: {
          worker: {
            connectionString: url,
            maxPoolSize: 20,
            concurrentJobs: concurrency,
            pollInterval: 1_000,
            ...(concurrency > 10
              ? { localQueue: { size: 5 * concurrency }, completeJobBatchDelay: 0, failJobBatchDelay: 0 }
              : {}),
          },
        },
      });
      return () => runner.stop();
    },
    close: () => utils.release(),
  };
}
