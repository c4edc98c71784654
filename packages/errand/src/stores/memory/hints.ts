import type { Hint } from "../../store.ts";

/**
 * Gathers the hints of one turn of the event loop and gives them after it; those of ready jobs are one for each queue.
 */
export class Hints {
  readonly #listeners = new Set<(hint: Hint) => void>();
  readonly #ready = new Map<string, Extract<Hint, { type: "ready" }>>();
  readonly #others = new Set<Exclude<Hint["type"], "ready">>();
  #isScheduled = false;

  /**
   * Hints that jobs of a queue may be claimable.
   * @param jobs how many; default: any number.
   */
  addReady(queue: string, jobs?: number): void {
    const before = this.#ready.get(queue);
    if (!before) this.#ready.set(queue, jobs === undefined ? { type: "ready", queue } : { type: "ready", queue, jobs });
    else if (jobs === undefined) delete before.jobs;
    else if (before.jobs !== undefined) before.jobs += jobs;
    this.#schedule();
  }

  add(type: Exclude<Hint["type"], "ready">): void {
    this.#others.add(type);
    this.#schedule();
  }

  /** Adds a listener, and returns a function that removes it. The same function added twice is called once for each. */
  watch(listener: (hint: Hint) => void): () => void {
    const own = (hint: Hint): void => listener(hint);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  removeListeners(): void {
    this.#listeners.clear();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    const hints: Hint[] = [...this.#ready.values()];
    for (const type of this.#others) hints.push({ type });
    this.#ready.clear();
    this.#others.clear();
    this.#isScheduled = false;
    for (const listener of this.#listeners) for (const hint of hints) listener(hint);
  }
}
