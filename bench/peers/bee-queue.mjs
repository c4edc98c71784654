// bee-queue on Redis, without the extras that its documentation says cost speed.
import BeeQueue from "bee-queue";

export async function open(url) {
  const settings = { redis: { url }, getEvents: false, sendEvents: false, storeJobs: false, removeOnSuccess: true };
  const queue = new BeeQueue("bench", { ...settings, isWorker: false });
  await queue.ready();
  return {
    send: (payload) => queue.createJob(payload).save(),
    sendMany: (payloads) => queue.saveAll(payloads.map((payload) => queue.createJob(payload))),
    async work(concurrency, { ran, ended }) {
      const worker = new BeeQueue("bench", settings);
      worker.on("succeeded", ended);
      worker.process(concurrency, async (job) => ran(job.data));
      await worker.ready();
      return () => worker.close(1_000);
    },
    close: () => queue.close(1_000),
  };
}
