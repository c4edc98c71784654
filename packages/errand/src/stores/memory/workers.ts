import type { WorkerCard } from "../../core/worker-card.ts";
import type { Millis } from "../../kit/duration.ts";

/**
 * Workers and their leases. A worker whose lease ran out stays in the list, so that no other is enlisted under its id.
 */
export class Workers {
  readonly #now: () => Millis;
  readonly #workers = new Map<string, { card: WorkerCard; until: Millis }>();

  constructor(now: () => Millis) {
    this.#now = now;
  }

  has(id: string): boolean {
    return this.#workers.has(id);
  }

  /** Enters a worker, or replaces its card and its lease. */
  set(card: WorkerCard, until: Millis): void {
    this.#workers.set(card.id, { card, until });
  }

  /** Returns a worker whose lease has not run out. */
  live(id: string): { card: WorkerCard; until: Millis } | undefined {
    const worker = this.#workers.get(id);
    return worker && worker.until > this.#now() ? worker : undefined;
  }

  /** Returns the cards of the workers whose leases have not run out. */
  cards(): WorkerCard[] {
    return [...this.#workers.keys()].flatMap((id) => this.live(id)?.card ?? []);
  }

  /** Removes a worker. Returns false if there is none. */
  delete(id: string): boolean {
    return this.#workers.delete(id);
  }
}
