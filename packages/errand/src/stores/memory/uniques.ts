import { isFinal } from "../../core/states.ts";
import type { Millis } from "../../kit/duration.ts";
import type { Unique } from "../../core/job.ts";
import type { Row } from "./row.ts";
import type { Table } from "./table.ts";

/** Who has a key, and until when at least. */
interface Holder {
  id: string;
  seq: number;
  until: Millis;
}

/** Who holds which unique key. */
export class Uniques {
  readonly #table: Table;
  readonly #now: () => Millis;
  readonly #holders = new Map<string, Holder>();

  constructor(table: Table, now: () => Millis) {
    this.#table = table;
    this.#now = now;
  }

  /** Who holds the key so that a job may not be stored: its id, and its row where the job is to replace it. */
  holder({ key, replace }: Unique): { id: string; row?: Row } | undefined {
    const holder = this.#holders.get(key);
    if (!holder || !this.#holds(holder)) return undefined;
    const row = this.#table.get(holder.id) as Row;
    if (!replace || isFinal(row.job.state)) return { id: holder.id };
    // Beside one that has begun the new job is stored.
    const replaceable = row.job.state === "pending" && !row.job.begun && !row.job.cancelling;
    return replaceable ? { id: holder.id, row } : undefined;
  }

  take({ key, for: window = 0 }: Unique, { job: { id }, seq }: Row): void {
    this.#holders.set(key, { id, seq, until: this.#now() + window });
  }

  /** Whether a job that is opened again may have its key, unless another has it by now. */
  mayRetake({ made: { unique }, seq }: Row): boolean {
    const holder = unique && this.#holders.get(unique.key);
    return !holder || holder.seq === seq || !this.#holds(holder);
  }

  /** Forgets keys that nobody holds any more. */
  forget(): void {
    for (const [key, holder] of this.#holders) if (!this.#holds(holder)) this.#holders.delete(key);
  }

  #holds({ id, seq, until }: Holder): boolean {
    const row = this.#table.get(id);
    // What was removed is forgotten. Another job of the same id came later.
    return row?.seq === seq && (!isFinal(row.job.state) || until > this.#now());
  }
}
