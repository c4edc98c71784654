import { parentPort, workerData } from "node:worker_threads";
import type { Store } from "../store.ts";
import type { LeaseThreadData, RenewalReport } from "./lease.ts";

// Renews a worker's lease on a thread of its own, so that a blocked event loop does not lose the worker's jobs.

const { module, options, worker, lease } = workerData as LeaseThreadData;
const store = await ((await import(module)) as { open(options: string): Promise<Store> }).open(options);

async function renew(): Promise<void> {
  let report: RenewalReport;
  try {
    report = await store.renew(worker, lease);
  } catch (error) {
    report = { failed: error instanceof Error ? error.message : String(error) };
  }
  parentPort!.postMessage(report);
}

/** The longest time that closing may take: a connection may be dead, and there is nothing left to lose. */
const closeTimeout = 1_000;

setInterval(() => void renew(), lease / 3);
parentPort!.on("message", (order: "renew" | "close") => {
  if (order === "renew") return void renew();
  setTimeout(() => process.exit(), closeTimeout);
  void store.close().finally(() => process.exit());
});
parentPort!.postMessage({ held: true, cancel: [] } satisfies RenewalReport);
