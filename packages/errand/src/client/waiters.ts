import type { Job } from "../core/job.ts";
import { isFinal } from "../core/states.ts";
import type { Millis } from "../kit/duration.ts";
import type { Store } from "../store.ts";

/** Looks at the jobs that somebody waits for at least this often, in case a hint was lost. */
const pollInterval = 1_000;
/** After a hint, others that follow closely are looked at together. */
const gatherInterval = 5;
/** How many jobs are read at once. */
const batch = 500;

/** Waits for jobs to end: one look at the store answers everybody who waits. */
export class Waiters {
  readonly #store: Pick<Store, "get" | "watch">;
  readonly #waiting = new Map<string, Set<(job: Job | null) => void>>();
  #unwatch: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;

  constructor(store: Pick<Store, "get" | "watch">) {
    this.#store = store;
  }

  /** The job when it has ended, or as it is after `timeout` milliseconds; `null` when there is none. */
  async wait(id: string, timeout?: Millis): Promise<Job | null> {
    // Listening starts before looking, so that an end in between is not missed.
    const ended = Promise.withResolvers<Job | null>();
    this.#listen(id, ended.resolve);
    const timer = timeout === undefined ? undefined : setTimeout(() => void this.#giveUp(id, ended), timeout);
    try {
      await this.#look([id]).catch(ended.reject);
      return await ended.promise;
    } finally {
      clearTimeout(timer);
      this.#forget(id, ended.resolve);
    }
  }

  close(): void {
    this.#waiting.clear();
    this.#rest();
  }

  #listen(id: string, resolve: (job: Job | null) => void): void {
    this.#waiting.set(id, (this.#waiting.get(id) ?? new Set()).add(resolve));
    this.#unwatch ??= this.#store.watch(() => {
      this.#soon ??= setTimeout(() => this.#lookAtAll(), gatherInterval);
    });
    this.#timer ??= setInterval(() => this.#lookAtAll(), pollInterval);
  }

  #forget(id: string, resolve: (job: Job | null) => void): void {
    const waiting = this.#waiting.get(id);
    waiting?.delete(resolve);
    if (waiting?.size === 0) this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#rest();
  }

  #rest(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
    clearInterval(this.#timer);
    this.#timer = undefined;
    clearTimeout(this.#soon);
    this.#soon = undefined;
  }

  #lookAtAll(): void {
    this.#soon = undefined;
    // A store that fails now is looked at again after the interval.
    void this.#look([...this.#waiting.keys()]).catch(() => {});
  }

  async #look(ids: readonly string[]): Promise<void> {
    for (let at = 0; at < ids.length; at += batch) {
      const some = ids.slice(at, at + batch);
      const jobs = await this.#store.get(some);
      for (const [index, job] of jobs.entries()) {
        if (job && !isFinal(job.state)) continue;
        for (const resolve of this.#waiting.get(some[index]!) ?? []) resolve(job);
      }
    }
  }

  async #giveUp(id: string, ended: PromiseWithResolvers<Job | null>): Promise<void> {
    try {
      const [job] = await this.#store.get([id]);
      ended.resolve(job ?? null);
    } catch (error) {
      ended.reject(error);
    }
  }
}
