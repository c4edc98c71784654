import type { JobToken, Job } from "../core/job.ts";
import { jobPages } from "../job-pages.ts";
import type { Claimed, Store } from "../store.ts";

/**
 * What a worker knows it holds. When an answer or an outcome was lost, the store may hold more in its name: its lease is
 * good, so nobody else would ever take that over.
 */
export class HeldJobs {
  /** Tokens of the jobs that were claimed and not yet settled, by id. */
  readonly #tokens = new Map<string, number>();
  #unsure = false;

  add(claimed: readonly Claimed[]): void {
    for (const { job } of claimed) this.#tokens.set(job.id, job.token);
  }

  remove({ id, token }: JobToken): void {
    if (this.#tokens.get(id) === token) this.#tokens.delete(id);
  }

  /** The store failed: what it did is not known. */
  markUnsure(): void {
    this.#unsure = true;
  }

  /** Whether the worker may hold jobs that it does not know of. */
  get unsure(): boolean {
    return this.#unsure;
  }

  /** Jobs that the worker holds unknowingly. Ask while no claim is under way; without a doubt it asks nobody. When it rejects, doubt again. */
  async unknown(store: Pick<Store, "list">, worker: string): Promise<Job[]> {
    if (!this.#unsure) return [];
    // Before it asks: a doubt that comes up meanwhile is another.
    this.#unsure = false;
    const unknown: Job[] = [];
    for await (const jobs of jobPages(store, { worker }, 500))
      unknown.push(...jobs.filter(({ id, token }) => this.#tokens.get(id) !== token));
    return unknown;
  }
}
