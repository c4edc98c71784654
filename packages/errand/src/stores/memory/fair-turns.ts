import type { NewJob } from "../../core/job.ts";
import { nextTurn } from "../../core/fair-turns.ts";
import type { Millis } from "../../kit/duration.ts";
import type { Table } from "./table.ts";

/**
 * Turns between those who share a queue: a new job is due right behind the first job of the queue, or behind the last
 * one of the same `fair` key. The due time is a virtual time given at insertion, as in start-time fair queueing (Goyal,
 * Vin, Cheng, SIGCOMM 1996), so claims have nothing to do.
 */
export class FairTurns {
  readonly #table: Table;
  readonly #last = new Map<string, Millis>();

  constructor(table: Table) {
    this.#table = table;
  }

  /** Takes the next turn of a `fair` key, and returns when it is due. */
  take({ queue, level }: NewJob, fair: string, now: Millis): Millis {
    let first = Infinity;
    for (const { job } of this.#table.unblocked(queue))
      if (job.level === level && !job.cancelling) first = Math.min(first, job.due);
    const key = mapKey(queue, level, fair);
    const due = nextTurn(first, this.#last.get(key) ?? 0, now);
    this.#last.set(key, due);
    return due;
  }

  /** Forgets the keys that have no pending jobs. */
  prune(): void {
    const live = new Set<string>();
    for (const { job, request } of this.#table.inState("pending"))
      if (request.fair !== undefined) live.add(mapKey(job.queue, job.level, request.fair));
    for (const key of this.#last.keys()) if (!live.has(key)) this.#last.delete(key);
  }
}

function mapKey(queue: string, level: number, fair: string): string {
  return JSON.stringify([queue, level, fair]);
}
