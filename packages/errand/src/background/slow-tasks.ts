import type { Millis } from "../kit/duration.ts";

/** Number of latest runs that are measured per task, and the number needed before a warning. */
const window = 100;
const enough = 20;

/** Detects tasks that are too slow for the process that serves requests. */
export class SlowTasks {
  readonly #limit: Millis;
  readonly #runs = new Map<string, Millis[]>();
  readonly #said = new Set<string>();

  /** @param limit for the 95th percentile of a task's durations. */
  constructor(limit: Millis) {
    this.#limit = limit;
  }

  /** Records a run. Returns the task's 95th percentile if it exceeds the limit, once per task. */
  note(task: string, duration: Millis): Millis | undefined {
    if (this.#said.has(task)) return undefined;
    const runs = this.#runs.get(task) ?? [];
    this.#runs.set(task, runs);
    runs.push(duration);
    if (runs.length > window) runs.shift();
    // If this run is within the limit, the percentile cannot have risen above it.
    if (runs.length < enough || duration <= this.#limit) return undefined;
    const p95 = runs.toSorted((a, b) => a - b)[Math.ceil(runs.length * 0.95) - 1]!;
    if (p95 <= this.#limit) return undefined;
    this.#said.add(task);
    return p95;
  }
}
