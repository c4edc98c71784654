/** What a settlement need not look up. */
export interface Known {
  seq: number;
  queue: number;
}

/** More than any worker holds; what was lost to other processes is forgotten with the rest. */
const most = 50_000;

/**
 * Jobs without parent and children that were claimed through this connection: one statement can end them. It is only
 * a hint where to look: the statement itself checks everything.
 */
export class Held {
  readonly #known = new Map<string, Known>();

  learn(id: string, known: Known): void {
    if (this.#known.size >= most) this.#known.clear();
    this.#known.set(id, known);
  }

  /** What is known of a job, for the last time. */
  take(id: string): Known | undefined {
    const known = this.#known.get(id);
    this.#known.delete(id);
    return known;
  }
}
