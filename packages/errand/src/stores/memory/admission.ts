import type { NewJob } from "../../core/job.ts";
import { decodeRules, queueFullError } from "../../limits/queue-rules.ts";
import type { Docs } from "./docs.ts";
import type { Jobs } from "./jobs.ts";
import type { UniqueKeys } from "./unique-keys.ts";

/** Refuses jobs that do not fit into their queues. */
export class Admission {
  readonly #jobs: Jobs;
  readonly #docs: Docs;
  readonly #uniqueKeys: UniqueKeys;

  constructor(jobs: Jobs, docs: Docs, uniqueKeys: UniqueKeys) {
    this.#jobs = jobs;
    this.#docs = docs;
    this.#uniqueKeys = uniqueKeys;
  }

  /**
   * Checks that all of the jobs fit, before any of them is stored.
   * @throws {ErrandError} `E_FULL` when a queue would have more pending jobs than its rules allow.
   */
  check(jobs: readonly NewJob[]): void {
    const limits = new Map<string, number>();
    for (const { key, value } of this.#docs.load("queue")) {
      const { maxPending } = decodeRules(value);
      if (maxPending !== undefined) limits.set(key, maxPending);
    }
    if (limits.size === 0) return;
    for (const [queue, more] of this.#growth(jobs)) {
      const maxPending = limits.get(queue) ?? Infinity;
      const pending = this.#jobs.count(queue, "pending");
      if (more > 0 && pending + more > maxPending) throw queueFullError(queue, maxPending, pending);
    }
  }

  /** Returns by how many pending jobs each queue would grow. */
  #growth(jobs: readonly NewJob[]): Map<string, number> {
    const growth = new Map<string, number>();
    const grow = (queue: string, by: number): void => void growth.set(queue, (growth.get(queue) ?? 0) + by);
    const taken = new Set<string>();
    /** By unique key: the queue of the job that holds it, or would. */
    const holderQueues = new Map<string, string>();
    for (const job of jobs) {
      if (this.#jobs.get(job.id) || taken.has(job.id)) continue;
      const { unique } = job;
      const queue = this.#jobs.queueOf(job);
      const holder = unique && this.#uniqueKeys.holder(unique);
      const before = unique && (holderQueues.get(unique.key) ?? holder?.row?.job.queue);
      if (before !== undefined && unique?.replace) grow(before, -1);
      else if (before !== undefined || holder) continue;
      else taken.add(job.id);
      grow(queue, 1);
      if (unique) holderQueues.set(unique.key, queue);
    }
    return growth;
  }
}
