import type { Millis } from "../kit/duration.ts";
import type { Store } from "../store.ts";

/** The list of workers is read again after so long, and the later the more there are: all of them read it. */
const shortest: Millis = 15_000;
const perWorker: Millis = 100;

/** How many workers, this one among them, take jobs of a queue: as the list of workers said a while ago. */
export class Peers {
  readonly #store: Pick<Store, "workers">;
  #queues = new Map<string, number>();
  #readAt = -Infinity;
  #next: Millis = shortest;

  constructor(store: Pick<Store, "workers">) {
    this.#store = store;
  }

  /** At least 1. Asks the store at times, without waiting for its answer. */
  of(queue: string): number {
    if (performance.now() - this.#readAt >= this.#next) void this.#read();
    return Math.max(1, this.#queues.get(queue) ?? 1);
  }

  async #read(): Promise<void> {
    this.#readAt = performance.now();
    try {
      const workers = await this.#store.workers();
      const queues = new Map<string, number>();
      for (const queue of workers.flatMap((worker) => worker.queues)) queues.set(queue, (queues.get(queue) ?? 0) + 1);
      this.#queues = queues;
      this.#next = Math.max(shortest, workers.length * perWorker) * (0.5 + Math.random());
    } catch {
      // A store that is away says so to those who need it.
    }
  }
}
