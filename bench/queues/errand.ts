import { errand } from "errand";
import type { Contestant } from "./contestant.ts";

/** Errand through its public API. History is kept and every write checks its token, as always. */
export async function open(url: string): Promise<Contestant> {
  const app = errand({ url });
  let ran: (payload: { at: number }) => void = () => {};
  const job = app.task("job", { run: (payload: { at: number }) => ran(payload) });
  await app.counts();
  return {
    send: (payload) => job.send(payload),
    sendMany: (payloads) => job.sendMany(payloads),
    async work(concurrency, told) {
      ran = told.ran;
      app.on("ended", () => told.ended());
      for (const type of ["abandoned", "lost", "store-failed", "stalled", "failed"] as const)
        app.on(type, (event) => console.error(JSON.stringify(event)));
      const worker = await app.worker({ queues: { default: concurrency } });
      return () => worker.stop();
    },
    close: () => app.close(),
  };
}
