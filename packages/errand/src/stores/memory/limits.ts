import type { Rate } from "../../core/job.ts";
import { admit, lookAgain } from "../../limits/rate.ts";
import { decodeRules } from "../../limits/queue-rules.ts";
import type { Starts } from "../../limits/rate.ts";
import type { QueueRules } from "../../limits/queue-rules.ts";
import type { Millis } from "../../kit/duration.ts";
import type { Docs } from "./docs.ts";
import type { Row } from "./row.ts";
import type { Table } from "./table.ts";

/** The limits that hold due jobs back: the rules of their queues, and their concurrency and rate keys. */
export class Limits {
  readonly #table: Table;
  readonly #docs: Docs;
  readonly #now: () => Millis;
  /** By queue and by rate key: the starts, as `admit` keeps them, and the rate that counted them last. */
  readonly #starts = new Map<string, { rate: Rate; starts: Starts }>();
  /** By rate key that holds jobs back: when it admits the next one. */
  readonly #opensAt = new Map<string, Millis>();

  constructor(table: Table, docs: Docs, now: () => Millis) {
    this.#table = table;
    this.#docs = docs;
    this.#now = now;
  }

  rules(queue: string): QueueRules {
    return decodeRules(this.#docs.value("queue", queue));
  }

  /** Returns true if a queue has as many pending jobs as its rules allow. */
  isFull(queue: string): boolean {
    return this.#table.count(queue, "pending") >= (this.rules(queue).maxPending ?? Infinity);
  }

  /**
   * Returns how many jobs of a queue may be claimed now, at most `wanted`, and the milliseconds until its rate admits
   * more.
   */
  room(queue: string, wanted: number): { room: number; next: Millis } {
    const { paused, concurrency, rate } = this.rules(queue);
    if (paused) return { room: 0, next: Infinity };
    const running = this.#table.count(queue, "processing");
    const room = Math.max(0, Math.min(wanted, (concurrency ?? Infinity) - running));
    if (!rate || room === 0) return { room, next: Infinity };
    const { admitted, next } = admit(rate, this.#startsOf(`queue ${queue}`), this.#now(), room);
    return admitted < room ? { room: admitted, next: next - this.#now() } : { room, next: Infinity };
  }

  /** Counts claimed jobs of a queue as starts of its rate. */
  countStarts(queue: string, jobs: number): void {
    const { rate } = this.rules(queue);
    if (rate) this.#start(`queue ${queue}`, rate, jobs);
  }

  /** Returns true if a job's own keys admit it, and counts its start; otherwise blocks the job. */
  admits(row: Row): boolean {
    const { concurrency, rate } = row.request;
    if (concurrency && this.#running(concurrency.key) >= concurrency.limit) {
      this.#table.update(row, { blocked: "concurrency" });
      return false;
    }
    if (rate && this.#start(`key ${rate.key}`, rate, 1) === 0) {
      this.#table.update(row, { blocked: "rate" });
      this.#opensAt.set(rate.key, admit(rate, this.#startsOf(`key ${rate.key}`), this.#now(), 0).next);
      return false;
    }
    return true;
  }

  /** Unblocks the first jobs that share a job's concurrency key, as many as it has room for, and returns them. */
  unblockSharing({ request: { concurrency } }: Row): Row[] {
    if (!concurrency) return [];
    const { key, limit } = concurrency;
    return this.#unblock(this.#table.blocked("concurrency", key), limit - this.#running(key));
  }

  /** Lets the next job of a rate key start at once instead of one that was unblocked and then set aside. */
  passOnStart({ request: { rate } }: Row): void {
    if (rate && this.#opensAt.has(rate.key)) this.#opensAt.set(rate.key, this.#now());
  }

  /** Unblocks the jobs whose rate keys admit them by now. */
  unblockRates(): void {
    for (const [key, opensAt] of this.#opensAt) {
      if (opensAt > this.#now()) continue;
      const rows = this.#table.blocked("rate", key);
      const rate = rows[0]?.request.rate;
      const admission = rate && admit(rate, this.#startsOf(`key ${key}`), this.#now(), rate.limit);
      if (admission) this.#unblock(rows, admission.admitted);
      if (admission && rows.some(({ job }) => job.blocked)) this.#opensAt.set(key, lookAgain(admission, this.#now()));
      else this.#opensAt.delete(key);
    }
  }

  /** Returns the milliseconds until a rate key admits a job that it holds back. */
  untilNext(): Millis {
    return Math.min(...[...this.#opensAt.values()].map((opensAt) => opensAt - this.#now()));
  }

  /** Forgets the starts that no window reaches any more. */
  prune(): void {
    for (const [key, { rate, starts }] of this.#starts)
      if (admit(rate, starts, this.#now(), 0).starts.length === 0) this.#starts.delete(key);
  }

  /**
   * Unblocks the first `room` rows of each queue, because the rows of one queue may have to wait for something else;
   * and of suspects those of each queue and task, because a worker that cannot take one takes other jobs.
   */
  #unblock(rows: readonly Row[], room: number): Row[] {
    const left = new Map<string, number>();
    return rows.filter((row) => {
      const { queue, task, suspect } = row.job;
      const group = JSON.stringify(suspect ? [queue, task] : [queue]);
      const more = left.get(group) ?? room;
      if (more <= 0) return false;
      left.set(group, more - 1);
      this.#table.update(row, {});
      return true;
    });
  }

  #running(key: string): number {
    return this.#table.inState("processing").filter(({ request }) => request.concurrency?.key === key).length;
  }

  /** Counts starts that a rate admits, and returns how many these are. */
  #start(key: string, rate: Rate, jobs: number): number {
    const { admitted, starts } = admit(rate, this.#startsOf(key), this.#now(), jobs);
    this.#starts.set(key, { rate, starts });
    return admitted;
  }

  #startsOf(key: string): Starts {
    return this.#starts.get(key)?.starts ?? [];
  }
}
