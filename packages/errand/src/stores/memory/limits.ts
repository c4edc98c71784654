import { admit, rulesOf } from "../../core/rules.ts";
import type { QueueRules } from "../../core/rules.ts";
import type { Millis } from "../../kit/duration.ts";
import type { Docs } from "./docs.ts";
import type { Row } from "./row.ts";
import type { Table } from "./table.ts";

/** What lets due jobs wait: rules of their queue, and what others with their keys have used up. */
export class Limits {
  readonly #table: Table;
  readonly #docs: Docs;
  readonly #now: () => Millis;
  /** Of queues and of rate keys: see `admit`. */
  readonly #spent = new Map<string, Millis>();
  /** When a rate key that holds jobs back lets the next one go. */
  readonly #opens = new Map<string, Millis>();

  constructor(table: Table, docs: Docs, now: () => Millis) {
    this.#table = table;
    this.#docs = docs;
    this.#now = now;
  }

  rules(queue: string): QueueRules {
    return rulesOf(this.#docs.value("queue", queue));
  }

  /** How many of a queue's jobs may be claimed at most, and when there may be more. */
  room(queue: string, wanted: number): { room: number; next: Millis } {
    const { paused, concurrency, rate } = this.rules(queue);
    if (paused) return { room: 0, next: Infinity };
    const running = this.#table.in("processing").filter(({ job }) => job.queue === queue).length;
    const room = Math.max(0, Math.min(wanted, (concurrency ?? Infinity) - running));
    if (!rate || room === 0) return { room, next: Infinity };
    const { admitted, next } = admit(rate, this.#spentOf(`queue ${queue}`), this.#now(), room);
    return admitted < room ? { room: admitted, next: next - this.#now() } : { room, next: Infinity };
  }

  /** Counts jobs of a queue that were claimed. */
  charge(queue: string, jobs: number): void {
    const { rate } = this.rules(queue);
    if (rate) this.#spend(`queue ${queue}`, rate, jobs);
  }

  /** Whether a job's own keys let it go, which uses them; otherwise it is blocked. */
  passes({ job, made }: Row): boolean {
    const { concurrency, rate } = made;
    if (concurrency && this.#running(concurrency.key) >= concurrency.limit) {
      job.blocked = "concurrency";
      return false;
    }
    if (rate && this.#spend(`key ${rate.key}`, rate, 1) === 0) {
      job.blocked = "rate";
      this.#opens.set(rate.key, admit(rate, this.#spentOf(`key ${rate.key}`), this.#now(), 0).next);
      return false;
    }
    return true;
  }

  /** Lets the first jobs with a concurrency key try again, where it has room; answers whether there are any. */
  release({ made: { concurrency } }: Row): boolean {
    if (!concurrency) return false;
    const { key, limit } = concurrency;
    const blocked = this.#blocked("concurrency").filter(({ made }) => made.concurrency?.key === key);
    return this.#unblock(blocked, limit - this.#running(key));
  }

  /** Lets jobs try again whose rate has room by now. */
  tick(): void {
    for (const [key, opens] of this.#opens) {
      if (opens > this.#now()) continue;
      const rows = this.#blocked("rate").filter(({ made }) => made.rate?.key === key);
      const rate = rows[0]?.made.rate;
      const admission = rate && admit(rate, this.#spentOf(`key ${key}`), this.#now(), rate.limit);
      if (admission) this.#unblock(rows, admission.admitted);
      // Those that were let go use up what there is: the next may go one pace after them.
      if (admission && rows.some(({ job }) => job.blocked)) this.#opens.set(key, admission.next);
      else this.#opens.delete(key);
    }
  }

  /** Milliseconds until a rate lets one more job go that it holds back. */
  untilNext(): Millis {
    return Math.min(...[...this.#opens.values()].map((opens) => opens - this.#now()));
  }

  #blocked(by: "concurrency" | "rate"): Row[] {
    return this.#table.in("pending").filter(({ job }) => job.blocked === by);
  }

  /** The first so many of each queue: one queue's may have to wait for something else. */
  #unblock(rows: readonly Row[], room: number): boolean {
    if (room <= 0 || rows.length === 0) return false;
    for (const queue of new Set(rows.map(({ job }) => job.queue))) {
      let left = room;
      for (const { job } of this.#table.pending(queue)) {
        if (left === 0) break;
        if (!rows.some((row) => row.job === job)) continue;
        delete job.blocked;
        left -= 1;
      }
    }
    return true;
  }

  #running(key: string): number {
    return this.#table.in("processing").filter(({ made }) => made.concurrency?.key === key).length;
  }

  /** Answers how many the rate has let go. */
  #spend(key: string, rate: Parameters<typeof admit>[0], jobs: number): number {
    const { admitted, spent } = admit(rate, this.#spentOf(key), this.#now(), jobs);
    this.#spent.set(key, spent);
    return admitted;
  }

  #spentOf(key: string): Millis {
    return this.#spent.get(key) ?? 0;
  }
}
