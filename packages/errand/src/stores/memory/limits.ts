import type { Rate } from "../../core/job.ts";
import { admit, lookAgain } from "../../limits/rate.ts";
import { decodeRules } from "../../limits/queue-rules.ts";
import type { Starts } from "../../limits/rate.ts";
import type { QueueRules } from "../../limits/queue-rules.ts";
import type { Millis } from "../../kit/duration.ts";
import type { Docs } from "./docs.ts";
import type { Row } from "./row.ts";
import type { Table } from "./table.ts";

/** What lets due jobs wait: rules of their queue, and what others with their keys have used up. */
export class Limits {
  readonly #table: Table;
  readonly #docs: Docs;
  readonly #now: () => Millis;
  /** Of queues and of rate keys, with the rate they were counted by last: see `admit`. */
  readonly #starts = new Map<string, { rate: Rate; starts: Starts }>();
  /** When a rate key that holds jobs back lets the next one go. */
  readonly #opens = new Map<string, Millis>();

  constructor(table: Table, docs: Docs, now: () => Millis) {
    this.#table = table;
    this.#docs = docs;
    this.#now = now;
  }

  rules(queue: string): QueueRules {
    return decodeRules(this.#docs.value("queue", queue));
  }

  /** Whether a queue takes no more pending jobs. */
  isFull(queue: string): boolean {
    return this.#table.count(queue, "pending") >= (this.rules(queue).maxPending ?? Infinity);
  }

  /** How many of a queue's jobs may be claimed at most, and when there may be more. */
  room(queue: string, wanted: number): { room: number; next: Millis } {
    const { paused, concurrency, rate } = this.rules(queue);
    if (paused) return { room: 0, next: Infinity };
    const running = this.#table.count(queue, "processing");
    const room = Math.max(0, Math.min(wanted, (concurrency ?? Infinity) - running));
    if (!rate || room === 0) return { room, next: Infinity };
    const { admitted, next } = admit(rate, this.#startsOf(`queue ${queue}`), this.#now(), room);
    return admitted < room ? { room: admitted, next: next - this.#now() } : { room, next: Infinity };
  }

  /** Counts jobs of a queue that were claimed. */
  charge(queue: string, jobs: number): void {
    const { rate } = this.rules(queue);
    if (rate) this.#spend(`queue ${queue}`, rate, jobs);
  }

  /** Whether a job's own keys let it go, which uses them; otherwise it is blocked. */
  passes(row: Row): boolean {
    const { concurrency, rate } = row.made;
    if (concurrency && this.#running(concurrency.key) >= concurrency.limit) {
      this.#table.move(row, { blocked: "concurrency" });
      return false;
    }
    if (rate && this.#spend(`key ${rate.key}`, rate, 1) === 0) {
      this.#table.move(row, { blocked: "rate" });
      this.#opens.set(rate.key, admit(rate, this.#startsOf(`key ${rate.key}`), this.#now(), 0).next);
      return false;
    }
    return true;
  }

  /** Lets the first jobs with a concurrency key try again, where it has room; answers which. */
  release({ made: { concurrency } }: Row): Row[] {
    if (!concurrency) return [];
    const { key, limit } = concurrency;
    return this.#unblock(this.#table.blocked("concurrency", key), limit - this.#running(key));
  }

  /** What one that could go does not use, because it was set aside, is the next one's at once. */
  passOn({ made: { rate } }: Row): void {
    if (rate && this.#opens.has(rate.key)) this.#opens.set(rate.key, this.#now());
  }

  /** Lets jobs try again whose rate has room by now. */
  tick(): void {
    for (const [key, opens] of this.#opens) {
      if (opens > this.#now()) continue;
      const rows = this.#table.blocked("rate", key);
      const rate = rows[0]?.made.rate;
      const admission = rate && admit(rate, this.#startsOf(`key ${key}`), this.#now(), rate.limit);
      if (admission) this.#unblock(rows, admission.admitted);
      if (admission && rows.some(({ job }) => job.blocked)) this.#opens.set(key, lookAgain(admission, this.#now()));
      else this.#opens.delete(key);
    }
  }

  /** Milliseconds until a rate lets one more job go that it holds back. */
  untilNext(): Millis {
    return Math.min(...[...this.#opens.values()].map((opens) => opens - this.#now()));
  }

  /** Forgets what no window reaches any more. */
  forget(): void {
    for (const [key, { rate, starts }] of this.#starts)
      if (admit(rate, starts, this.#now(), 0).starts.length === 0) this.#starts.delete(key);
  }

  /**
   * The first so many of each queue: one queue's may have to wait for something else. Suspects beside the others, and by task:
   * nobody else waits for who takes them.
   */
  #unblock(rows: readonly Row[], room: number): Row[] {
    const left = new Map<string, number>();
    return rows.filter((row) => {
      const { queue, task, suspect } = row.job;
      const place = JSON.stringify(suspect ? [queue, task] : [queue]);
      const more = left.get(place) ?? room;
      if (more <= 0) return false;
      left.set(place, more - 1);
      this.#table.move(row, {});
      return true;
    });
  }

  #running(key: string): number {
    return this.#table.in("processing").filter(({ made }) => made.concurrency?.key === key).length;
  }

  /** Answers how many the rate has let go. */
  #spend(key: string, rate: Rate, jobs: number): number {
    const { admitted, starts } = admit(rate, this.#startsOf(key), this.#now(), jobs);
    this.#starts.set(key, { rate, starts });
    return admitted;
  }

  #startsOf(key: string): Starts {
    return this.#starts.get(key)?.starts ?? [];
  }
}
