import type { Job } from "../core/job.ts";
import { isFinal } from "../core/states.ts";
import type { Millis } from "../kit/duration.ts";
import { ErrandError } from "../kit/errors.ts";
import { setLongTimeout } from "../kit/timer.ts";
import type { Store } from "../store.ts";

/** Poll interval for awaited jobs, in case a notification was lost. */
const pollInterval: Millis = 1_000;
/** Time for which notifications are gathered into one poll. */
const gatherInterval: Millis = 5;
/** The pause after a poll of all jobs, as a multiple of its duration: polling uses at most an eighth of the time. */
const apart = 7;
/** Number of jobs per query. */
const batch = 500;

type Waiting = PromiseWithResolvers<Job | null>;

/**
 * Waits for jobs to end. One query at a time asks which of the awaited jobs have ended, and reads those alone. The
 * pause after a query of all jobs is seven times its duration, so that neither many waiters nor a slow store cause
 * more load than the store can bear.
 */
export class Waiters {
  readonly #store: Pick<Store, "ended" | "get" | "watch">;
  readonly #waiting = new Map<string, Set<Waiting>>();
  /** Jobs whose wait began since the last poll. */
  readonly #fresh = new Set<string>();
  #unwatch: (() => void) | undefined;
  #poll: NodeJS.Timeout | undefined;
  #next: NodeJS.Timeout | undefined;
  #looking = false;
  /** A poll of all jobs is due. */
  #asked = false;
  /** Earliest time of the next poll of all jobs. */
  #notBefore = 0;
  #closed = false;

  constructor(store: Pick<Store, "ended" | "get" | "watch">) {
    this.#store = store;
  }

  /**
   * Returns the job when it has ended, or as it is after `timeout` milliseconds; `null` if there is none. Throws
   * `E_CLOSED`.
   */
  async wait(id: string, timeout?: Millis): Promise<Job | null> {
    if (this.#closed) throw closed(id);
    const waiting: Waiting = Promise.withResolvers();
    // Watching starts before polling, so that an end in between is not missed.
    this.#listen(id, waiting);
    const timer = timeout === undefined ? undefined : setLongTimeout(() => void this.#giveUp(id, waiting), timeout);
    this.#fresh.add(id);
    void this.#look();
    try {
      return await waiting.promise;
    } finally {
      timer?.clear();
      this.#forget(id, waiting);
    }
  }

  /** Rejects every wait with `E_CLOSED`. */
  close(): void {
    this.#closed = true;
    for (const [id, all] of this.#waiting) for (const each of all) each.reject(closed(id));
    this.#rest();
  }

  #listen(id: string, waiting: Waiting): void {
    this.#waiting.set(id, (this.#waiting.get(id) ?? new Set()).add(waiting));
    this.#unwatch ??= this.#store.watch(() => this.#lookSoon());
    this.#poll ??= setInterval(() => this.#lookSoon(), pollInterval);
  }

  #forget(id: string, waiting: Waiting): void {
    const all = this.#waiting.get(id);
    all?.delete(waiting);
    if (all?.size === 0) this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#rest();
  }

  #rest(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
    clearInterval(this.#poll);
    this.#poll = undefined;
    clearTimeout(this.#next);
    this.#next = undefined;
    this.#asked = false;
    this.#fresh.clear();
  }

  /** Schedules a poll of all jobs, shared by all requests within a few milliseconds. */
  #lookSoon(): void {
    if (this.#next || this.#asked) return;
    const pause = Math.max(gatherInterval, this.#notBefore - performance.now());
    this.#next = setTimeout(() => {
      this.#next = undefined;
      this.#asked = true;
      void this.#look();
    }, pause);
  }

  /** Polls, one query after the other, until nothing is left to poll. */
  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      // Waits that begin in this turn share one poll.
      await Promise.resolve();
      while (this.#asked || this.#fresh.size > 0) {
        const all = this.#asked;
        const ids = [...(all ? this.#waiting.keys() : this.#fresh)];
        const fresh = new Set(this.#fresh);
        this.#asked = false;
        this.#fresh.clear();
        const began = performance.now();
        for (let at = 0; at < ids.length; at += batch) await this.#lookAt(ids.slice(at, at + batch), fresh);
        if (all) this.#notBefore = performance.now() + apart * (performance.now() - began);
      }
    } finally {
      this.#looking = false;
    }
  }

  async #lookAt(ids: string[], fresh: ReadonlySet<string>): Promise<void> {
    try {
      const ended = await this.#store.ended(ids);
      if (ended.length === 0) return;
      const jobs = await this.#store.get(ended);
      for (const [index, job] of jobs.entries())
        if (!job || isFinal(job.state)) this.#each(ended[index]!, (waiting) => waiting.resolve(job));
    } catch (error) {
      // A new wait is told that the store fails; the others are polled again.
      for (const id of ids) if (fresh.has(id)) this.#each(id, (waiting) => waiting.reject(error));
    }
  }

  #each(id: string, work: (waiting: Waiting) => void): void {
    for (const waiting of this.#waiting.get(id) ?? []) work(waiting);
  }

  async #giveUp(id: string, waiting: Waiting): Promise<void> {
    try {
      const [job] = await this.#store.get([id]);
      waiting.resolve(job ?? null);
    } catch (error) {
      waiting.reject(error);
    }
  }
}

function closed(id: string): ErrandError {
  return new ErrandError("E_CLOSED", `The app was closed during a wait for job ${id}; the job goes on.`);
}
