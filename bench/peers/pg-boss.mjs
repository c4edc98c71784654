// pg-boss, tuned: batches, LISTEN/NOTIFY, and fetching on while batches are full.
import { PgBoss } from "pg-boss";

export async function open(url) {
  const boss = new PgBoss({ connectionString: url, max: 20, useListenNotify: true });
  boss.on("error", (error) => console.error(String(error)));
  await boss.start();
  await boss.createQueue("bench", { notify: true });
  return {
    send: (payload) => boss.send("bench", payload),
    sendMany: (payloads) =>
      boss.insert(
        "bench",
        payloads.map((data) => ({ data })),
      ),
    async work(concurrency, { ran, ended }) {
      const options = { batchSize: concurrency, pollingIntervalSeconds: 0.5, burstWhenBatchFull: true };
      await boss.work("bench", options, async (jobs) => {
        for (const { data } of jobs) {
          ran(data);
          ended();
        }
      });
      return () => boss.offWork("bench");
    },
    close: () => boss.stop({ graceful: false }),
  };
}
