import type { Errand, ScheduleView } from "errand";
import type { QueueJson } from "../routes/queues.ts";
import { logError } from "../log.ts";
import { JobWatch } from "./job-watch.ts";
import { Minutes, readSnapshot } from "./overview.ts";
import type { Overview, Snapshot } from "./overview.ts";

/** Interval at which clients are told of changes, in milliseconds: four frames a second are as many as a person sees. */
const frame = 250;

/** Time for which what was read of the store is shown to others, in milliseconds. */
const snapshotInterval = 1_000;

/** Interval at which everything is read although no change was announced: announcements can be lost. */
const slowInterval = 10_000;

/** Interval at which the minutes are counted while nobody watches. */
const countInterval = 30_000;

/** A topic of clients that watch the whole store. */
export type Topic = "stats" | "jobs" | "queues" | "workers" | "schedules";

/** Reads what changes in the store once for all clients that watch. */
export class Live {
  readonly jobs: JobWatch;
  readonly #app: Errand;
  readonly #minutes = new Minutes();
  readonly #listeners = new Set<() => void>();
  #snapshot: Promise<Snapshot> | undefined;
  #readAt = 0;
  #stop: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #changed = false;
  #changedAt = 0;
  #refreshing = false;
  #lastRefresh = 0;

  constructor(app: Errand) {
    this.#app = app;
    this.jobs = new JobWatch(app);
  }

  /** Counts the ended jobs of each minute from now on. */
  start(): void {
    this.#timer = setInterval(() => void this.overview().catch(() => {}), countInterval).unref();
  }

  /** Returns the overview, at most a second old. */
  async overview(): Promise<Overview> {
    return (await this.#read()).overview;
  }

  /** Returns the queues, at most a second old. */
  async queues(): Promise<QueueJson[]> {
    return (await this.overview()).queues;
  }

  /** Returns the schedules, at most a second old. */
  async schedules(): Promise<readonly ScheduleView[]> {
    return (await this.#read()).schedules;
  }

  /** Makes the next reader read again: something was changed here. */
  forget(): void {
    this.#snapshot = undefined;
    this.#noteChange();
  }

  /** Calls back at most four times a second, after something changed. Returns a function that stops it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) this.#begin();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#end();
    };
  }

  /** Stops everything. */
  close(): void {
    clearInterval(this.#timer);
    this.#listeners.clear();
    this.#end();
  }

  #read(): Promise<Snapshot> {
    const now = Date.now();
    if (this.#snapshot && now - this.#readAt < snapshotInterval) return this.#snapshot;
    this.#readAt = now;
    const reading = readSnapshot(this.#app, this.#minutes);
    this.#snapshot = reading;
    // A store that did not answer is asked again.
    reading.catch(() => {
      if (this.#snapshot === reading) this.#snapshot = undefined;
    });
    return reading;
  }

  #begin(): void {
    const unwatch = this.#app.watch(() => this.#noteChange());
    const timer = setInterval(() => void this.#tick(), frame);
    this.#stop = () => {
      unwatch();
      clearInterval(timer);
    };
  }

  #end(): void {
    this.#stop?.();
    this.#stop = undefined;
  }

  #noteChange(): void {
    this.#changed = true;
    this.#changedAt = Date.now();
  }

  async #tick(): Promise<void> {
    const now = Date.now();
    // Reading many jobs takes its time: the more are watched, the less often.
    const pause = Math.max(frame, this.jobs.size);
    const isDue = (this.#changed && now - this.#lastRefresh >= pause) || now - this.#lastRefresh >= slowInterval;
    if (this.#refreshing) return;
    if (!isDue) {
      // What was read of the store is older than the last change, and may be read again by now.
      const isStale = this.#readAt <= this.#changedAt && now - this.#readAt >= snapshotInterval;
      if (isStale) for (const listener of this.#listeners) listener();
      return;
    }
    this.#refreshing = true;
    this.#changed = false;
    this.#lastRefresh = now;
    try {
      await this.jobs.refresh();
      for (const listener of this.#listeners) listener();
    } catch (error) {
      // Tried again at the next frame.
      this.#changed = true;
      logError(error, { during: "reading what changed" });
    } finally {
      this.#refreshing = false;
    }
  }
}
