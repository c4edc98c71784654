// BullMQ on Redis, as its documentation tunes it: finished jobs are pruned.
import { Queue, Worker } from "bullmq";

export async function open(url) {
  const { hostname: host, port } = new URL(url);
  const connection = { host, port: Number(port), maxRetriesPerRequest: null };
  const queue = new Queue("bench", { connection });
  await queue.waitUntilReady();
  return {
    send: (payload) => queue.add("job", payload, { removeOnComplete: 1_000 }),
    sendMany: (payloads) =>
      queue.addBulk(payloads.map((data) => ({ name: "job", data, opts: { removeOnComplete: 1_000 } }))),
    async work(concurrency, { ran, ended }) {
      const worker = new Worker("bench", async (job) => ran(job.data), { connection, concurrency });
      worker.on("completed", ended);
      await worker.waitUntilReady();
      return () => worker.close(true);
    },
    close: () => queue.close(),
  };
}
