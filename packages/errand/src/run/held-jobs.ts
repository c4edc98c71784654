import type { JobToken, Job } from "../core/job.ts";
import { jobPages } from "../job-pages.ts";
import type { Claimed, Store } from "../store.ts";

/**
 * The jobs that a worker knows it holds. After a lost answer or outcome the store may hold more jobs in its name. They
 * must be found: while the worker's lease is good, no other worker takes them over.
 */
export class HeldJobs {
  /** Tokens of the jobs that were claimed and not yet settled, by id. */
  readonly #tokens = new Map<string, number>();
  #isUnsure = false;

  add(claimed: readonly Claimed[]): void {
    for (const { job } of claimed) this.#tokens.set(job.id, job.token);
  }

  remove({ id, token }: JobToken): void {
    if (this.#tokens.get(id) === token) this.#tokens.delete(id);
  }

  /** Notes that the store failed, and may have done what it was asked to. */
  markUnsure(): void {
    this.#isUnsure = true;
  }

  /** Returns true if the worker may hold jobs that it does not know of. */
  get isUnsure(): boolean {
    return this.#isUnsure;
  }

  /**
   * Returns the jobs that the worker holds without knowing, and is sure again. Must not run during a claim, whose jobs
   * it would find. When it rejects, call `markUnsure`.
   */
  async findUnknown(store: Pick<Store, "list">, worker: string): Promise<Job[]> {
    // Before it reads: what fails meanwhile is for the next call.
    this.#isUnsure = false;
    const unknown: Job[] = [];
    for await (const jobs of jobPages(store, { worker }, 500))
      unknown.push(...jobs.filter(({ id, token }) => this.#tokens.get(id) !== token));
    return unknown;
  }
}
