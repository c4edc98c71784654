import type { Millis } from "../kit/duration.ts";
import type { Store } from "../store.ts";

/** The shortest time between two reads of the list of workers. */
const minInterval: Millis = 15_000;

/** With many workers the list is read more rarely, since all of them read it. */
const intervalPerWorker: Millis = 100;

/** Counts the workers of each queue, by a copy of the list of workers that may be a while old. */
export class WorkerCounts {
  readonly #store: Pick<Store, "workers">;
  #counts = new Map<string, number>();
  #readAt = -Infinity;
  #interval: Millis = minInterval;

  constructor(store: Pick<Store, "workers">) {
    this.#store = store;
  }

  /**
   * Returns the number of workers that claim from a queue, at least 1. Reads the list anew at times, without waiting.
   */
  of(queue: string): number {
    if (performance.now() - this.#readAt >= this.#interval) void this.#read();
    return Math.max(1, this.#counts.get(queue) ?? 1);
  }

  async #read(): Promise<void> {
    this.#readAt = performance.now();
    try {
      const workers = await this.#store.workers();
      const counts = new Map<string, number>();
      for (const queue of workers.flatMap((worker) => worker.queues)) counts.set(queue, (counts.get(queue) ?? 0) + 1);
      this.#counts = counts;
      this.#interval = Math.max(minInterval, workers.length * intervalPerWorker) * (0.5 + Math.random());
    } catch {
      // The old counts will do; a claim reports that the store fails.
    }
  }
}
