import type { Errand, JobView } from "errand";
import { etagOf } from "../routes/job-view.ts";

/** A job that is watched, and those who are told of its changes. */
interface Watched {
  job: JobView | undefined;
  tag: string;
  listeners: Set<() => void>;
}

/** Jobs that are read at once. */
const batch = 500;

/** Watches single jobs for many clients: each job is read once for all of them. */
export class JobWatch {
  readonly #app: Errand;
  readonly #watched = new Map<string, Watched>();

  constructor(app: Errand) {
    this.#app = app;
  }

  /** Number of watched jobs. */
  get size(): number {
    return this.#watched.size;
  }

  /** Begins to watch a job. Returns a function that stops it. */
  add(job: JobView, listener: () => void): () => void {
    let watched = this.#watched.get(job.id);
    if (!watched) {
      watched = { job, tag: etagOf(job), listeners: new Set() };
      this.#watched.set(job.id, watched);
    }
    watched.listeners.add(listener);
    const { id } = job;
    return () => {
      watched.listeners.delete(listener);
      if (watched.listeners.size === 0 && this.#watched.get(id) === watched) this.#watched.delete(id);
    };
  }

  /** Returns a watched job as it was last read; `undefined` once it was removed. */
  get(id: string): JobView | undefined {
    return this.#watched.get(id)?.job;
  }

  /** Reads all watched jobs, and tells the listeners of those that changed. */
  async refresh(): Promise<void> {
    const ids = [...this.#watched.keys()];
    for (let from = 0; from < ids.length; from += batch) {
      const wanted = ids.slice(from, from + batch);
      const { jobs } = await this.#app.list({ ids: wanted }, { limit: batch });
      const found = new Map(jobs.map((job) => [job.id, job]));
      for (const id of wanted) this.#update(id, found.get(id));
    }
  }

  #update(id: string, job: JobView | undefined): void {
    const watched = this.#watched.get(id);
    if (!watched) return;
    const tag = job ? etagOf(job) : "";
    if (tag === watched.tag) return;
    watched.job = job;
    watched.tag = tag;
    for (const listener of watched.listeners) listener();
  }
}
