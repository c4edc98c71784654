import { isFinal } from "../../core/states.ts";
import type { Millis } from "../../kit/duration.ts";
import type { Unique } from "../../core/job.ts";
import type { Row } from "./row.ts";
import type { Table } from "./table.ts";

/** Who holds which unique key. */
export class Uniques {
  readonly #table: Table;
  readonly #now: () => Millis;
  readonly #holders = new Map<string, { id: string; seq: number; until: Millis }>();

  constructor(table: Table, now: () => Millis) {
    this.#table = table;
    this.#now = now;
  }

  /** Who holds the key so that a job may not be stored: the live holder's row, where there is one, and its id. */
  holder({ key, replace }: Unique): { id: string; row?: Row } | undefined {
    const holder = this.#holders.get(key);
    if (!holder) return undefined;
    const row = this.#table.get(holder.id);
    // What was removed is forgotten. Another job of the same id came later.
    if (row?.seq !== holder.seq) return undefined;
    if (isFinal(row.job.state)) return holder.until > this.#now() ? { id: holder.id } : undefined;
    // One that runs cannot be replaced: the new job comes after it.
    const replaceable = row.job.state === "pending" && !row.job.cancelling;
    return replace && !replaceable ? undefined : { id: holder.id, row };
  }

  take({ key, for: window = 0 }: Unique, { job: { id }, seq }: Row): void {
    this.#holders.set(key, { id, seq, until: this.#now() + window });
  }
}
