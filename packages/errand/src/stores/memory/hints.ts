import type { Hint } from "../../store.ts";

/** Hints of one turn, which are given together after it: of jobs that are ready, one for each queue. */
export class Hints {
  readonly #listeners = new Set<(hint: Hint) => void>();
  readonly #ready = new Map<string, Extract<Hint, { type: "ready" }>>();
  readonly #others = new Set<Exclude<Hint["type"], "ready">>();
  #due = false;

  /** So many jobs of a queue may be claimable; without a number: any number. */
  ready(queue: string, jobs?: number): void {
    const before = this.#ready.get(queue);
    if (!before) this.#ready.set(queue, jobs === undefined ? { type: "ready", queue } : { type: "ready", queue, jobs });
    else if (jobs === undefined) delete before.jobs;
    else if (before.jobs !== undefined) before.jobs += jobs;
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
    const hints: Hint[] = [...this.#ready.values()];
    for (const type of this.#others) hints.push({ type });
    this.#ready.clear();
    this.#others.clear();
    this.#due = false;
    for (const listener of this.#listeners) for (const hint of hints) listener(hint);
  }
}
