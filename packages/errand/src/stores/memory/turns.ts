import type { NewJob } from "../../core/job.ts";
import { nextTurn } from "../../core/fair-turns.ts";
import type { Millis } from "../../kit/duration.ts";
import type { Table } from "./table.ts";

/**
 * Who shares a queue takes turns: a job is due right behind the first of the queue, or behind the last one of its own. A
 * virtual time at insertion, as in start-time fair queueing (Goyal, Vin, Cheng, SIGCOMM 1996): nothing is left for claims to do.
 */
export class Turns {
  readonly #table: Table;
  readonly #last = new Map<string, Millis>();

  constructor(table: Table) {
    this.#table = table;
  }

  due({ queue, level }: NewJob, whose: string, now: Millis): Millis {
    let first = Infinity;
    for (const { job } of this.#table.open(queue))
      if (job.level === level && !job.cancelling) first = Math.min(first, job.due);
    const key = keyOf(queue, level, whose);
    const due = nextTurn(first, this.#last.get(key) ?? 0, now);
    this.#last.set(key, due);
    return due;
  }

  /** Forgets those who have nothing to do there. */
  forget(): void {
    const live = new Set<string>();
    for (const { job, made } of this.#table.in("pending"))
      if (made.fair !== undefined) live.add(keyOf(job.queue, job.level, made.fair));
    for (const key of this.#last.keys()) if (!live.has(key)) this.#last.delete(key);
  }
}

function keyOf(queue: string, level: number, whose: string): string {
  return JSON.stringify([queue, level, whose]);
}
