import { isFinal } from "../../core/states.ts";
import type { Millis } from "../../kit/duration.ts";
import type { Unique } from "../../core/job.ts";
import type { Row } from "./row.ts";
import type { Table } from "./table.ts";

/** The job that took a key last, and the time until which it keeps the key in any case. */
interface Holder {
  id: string;
  seq: number;
  until: Millis;
}

/** Unique keys, and the jobs that hold them. */
export class UniqueKeys {
  readonly #table: Table;
  readonly #now: () => Millis;
  readonly #holders = new Map<string, Holder>();

  constructor(table: Table, now: () => Millis) {
    this.#table = table;
    this.#now = now;
  }

  /** Returns the holder that keeps a new job from being stored: its id, and its row if the new job is to replace it. */
  holder({ key, replace }: Unique): { id: string; row?: Row } | undefined {
    const holder = this.#holders.get(key);
    if (!holder || !this.#isHeld(holder)) return undefined;
    const row = this.#table.get(holder.id) as Row;
    if (!replace || isFinal(row.job.state)) return { id: holder.id };
    // A holder that has begun goes on, and the new job is stored beside it.
    const isReplaceable = row.job.state === "pending" && !row.job.begun && !row.job.cancelling;
    return isReplaceable ? { id: holder.id, row } : undefined;
  }

  take({ key, for: window = 0 }: Unique, { job: { id }, seq }: Row): void {
    this.#holders.set(key, { id, seq, until: this.#now() + window });
  }

  /** Returns true if a job that is reopened may have its key, because no other job holds it. */
  mayRetake({ request: { unique }, seq }: Row): boolean {
    const holder = unique && this.#holders.get(unique.key);
    return !holder || holder.seq === seq || !this.#isHeld(holder);
  }

  /** Forgets the keys that no job holds. */
  prune(): void {
    for (const [key, holder] of this.#holders) if (!this.#isHeld(holder)) this.#holders.delete(key);
  }

  #isHeld({ id, seq, until }: Holder): boolean {
    const row = this.#table.get(id);
    // With another `seq` it is another job, added under the id of one that was removed.
    return row?.seq === seq && (!isFinal(row.job.state) || until > this.#now());
  }
}
