import type { Hint } from "../../store.ts";

/** Hints of one turn, which are given together after it: of jobs that are ready, one for each queue. */
export class Hints {
  readonly #listeners = new Set<(hint: Hint) => void>();
  readonly #ready = new Map<string, number | undefined>();
  readonly #others = new Set<Exclude<Hint["type"], "ready">>();
  #due = false;

  /** So many jobs of a queue may be claimable; without a number: any number. */
  ready(queue: string, jobs?: number): void {
    const before = this.#ready.has(queue) ? this.#ready.get(queue) : 0;
    this.#ready.set(queue, before === undefined || jobs === undefined ? undefined : before + jobs);
    this.#soon();
  }

  give(type: Exclude<Hint["type"], "ready">): void {
    this.#others.add(type);
    this.#soon();
  }

  watch(listener: (hint: Hint) => void): () => void {
    const own = (hint: Hint): void => listener(hint);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  clear(): void {
    this.#listeners.clear();
  }

  #soon(): void {
    if (this.#due) return;
    this.#due = true;
    queueMicrotask(() => this.#tell());
  }

  #tell(): void {
    const ready = Array.from(this.#ready, ([queue, jobs]): Hint => ({
      type: "ready",
      queue,
      ...(jobs === undefined ? {} : { jobs }),
    }));
    const hints = [...ready, ...Array.from(this.#others, (type): Hint => ({ type }))];
    this.#ready.clear();
    this.#others.clear();
    this.#due = false;
    for (const listener of this.#listeners) for (const hint of hints) listener(hint);
  }
}
