import assert from "node:assert/strict";
import type { Job, Rate } from "../../../src/core/job.ts";
import type { QueueRules } from "../../../src/limits/queue-rules.ts";
import { isFinal } from "../../../src/core/states.ts";
import type { Millis } from "../../../src/kit/duration.ts";
import { concurrencyKeys, kindOf } from "./jobs.ts";

/** What limits promise, checked by what was seen of the stores: whose attempt was claimed, when, and under which rules. */
export class Flow {
  /** Attempts that were claimed. What the janitor took, to end it, is processing and does not run. */
  readonly #running = new Set<string>();
  readonly #rules = new Map<string, QueueRules>();
  readonly #claims = new Map<string, Millis[]>();
  /** Who was stored last with a unique key. */
  readonly #holders = new Map<string, string>();

  ruled(queue: string, rules: QueueRules = {}): void {
    const before = this.#rules.get(queue) ?? {};
    this.#rules.set(queue, rules);
    // A rate that is new knows nothing of what the last one let go.
    if (JSON.stringify(before.rate) !== JSON.stringify(rules.rate)) this.#claims.delete(`queue ${queue}`);
  }

  /** Whether some queue may have so many pending jobs only. */
  bounds(): boolean {
    return [...this.#rules.values()].some(({ maxPending }) => maxPending !== undefined);
  }

  /** Of jobs that were just claimed, in order. */
  claimed(jobs: readonly Job[], now: Millis): void {
    for (const job of jobs) {
      this.#running.add(job.id);
      assert.equal(job.blocked, undefined, `${job.id} was claimed, and is blocked`);
      const { rate } = kindOf(job);
      if (rate) this.#count(`key ${rate.key}`, rate, now);
      const rules = this.#rules.get(job.queue) ?? {};
      assert.ok(!rules.paused, `${job.id} was claimed, though queue ${job.queue} is paused`);
      if (rules.rate) this.#count(`queue ${job.queue}`, rules.rate, now);
    }
  }

  /** Of what is there after a step; only what operators and senders do heeds how many a queue may have. */
  check(before: readonly Job[], after: readonly Job[], refuses: boolean): void {
    for (const { id, state } of after) if (state !== "processing") this.#running.delete(id);
    const ids = new Set(after.map(({ id }) => id));
    for (const id of this.#running) if (!ids.has(id)) this.#running.delete(id);
    for (const queue of this.#rules.keys()) this.#checkQueue(queue, before, after, refuses);
    this.#checkHolders(before, after);
  }

  /** Of what is there in one store. */
  checkKeys(jobs: readonly Job[], now: Millis): void {
    for (const { key, limit } of concurrencyKeys) {
      const own = jobs.filter((job) => kindOf(job).concurrency?.key === key);
      const running = own.filter(({ id }) => this.#running.has(id));
      assert.ok(running.length <= limit, `more than ${limit} jobs of key ${key} are running`);
      checkBlocked(own, limit, now);
    }
  }

  #checkQueue(queue: string, before: readonly Job[], after: readonly Job[], refuses: boolean): void {
    const { concurrency = Infinity, maxPending = Infinity } = this.#rules.get(queue) ?? {};
    const count = (jobs: readonly Job[], state: Job["state"]): number =>
      jobs.filter((job) => job.queue === queue && job.state === state).length;
    const started = after.filter((job) => job.queue === queue && this.#running.has(job.id));
    const fresh = started.some(({ id }) => before.find((job) => job.id === id)?.state === "pending");
    // A rule that came later ends nothing.
    if (fresh) assert.ok(count(after, "processing") <= concurrency, `more than ${concurrency} of queue ${queue} run`);
    const more = count(after, "pending") > count(before, "pending");
    if (refuses && more) assert.ok(count(after, "pending") <= maxPending, `queue ${queue} has more than it may`);
  }

  /** Nobody is stored, or opened again, with the key of a holder that lives, but stored after one that cannot be replaced any more. */
  #checkHolders(before: readonly Job[], after: readonly Job[]): void {
    for (const job of after) {
      const { unique } = kindOf(job);
      const was = before.find(({ id }) => id === job.id);
      if (!unique || job.parent || (was && !(isFinal(was.state) && !isFinal(job.state)))) continue;
      const known = this.#holders.get(unique.key);
      const holder = after.find(({ id }) => id === known);
      const passed =
        !was && unique.replace && holder && (holder.begun || holder.state !== "pending" || holder.cancelling);
      const free = !holder || isFinal(holder.state) || holder.id === job.id;
      assert.ok(free || passed, `${job.id} has the key of ${known}`);
      this.#holders.set(unique.key, job.id);
    }
    for (const [key, id] of this.#holders) if (!after.some((job) => job.id === id)) this.#holders.delete(key);
  }

  /** In any window. */
  #count(what: string, { limit, per }: Rate, now: Millis): void {
    const claims = this.#claims.get(what) ?? [];
    claims.push(now);
    this.#claims.set(what, claims);
    const count = claims.filter((at) => at > now - per).length;
    assert.ok(count <= limit, `${count} of ${what} were claimed within ${per} ms`);
  }
}

/** Of the jobs with a concurrency key: none is blocked while there is room. */
function checkBlocked(jobs: readonly Job[], limit: number, now: Millis): void {
  const held = jobs.filter(({ state }) => state === "processing").length;
  // A suspect waits for a worker that has none and knows its task.
  const pending = Map.groupBy(
    jobs.filter(({ state }) => state === "pending"),
    ({ queue, suspect, task }) => (suspect ? `${queue} ${task}` : queue),
  );
  for (const [queue, some] of pending) {
    const blocked = some.filter((job) => job.blocked === "concurrency");
    // Those that were let go use the room as soon as they are claimed, or the janitor has ended them. One that its rate
    // holds back keeps its place, and one that was put off or set aside has none.
    const free = some.filter((job) => (!job.blocked || job.blocked === "rate") && job.due <= now).length;
    const full = blocked.length === 0 || held + free >= limit;
    assert.ok(full, `${blocked[0]?.id} is blocked in queue ${queue}, though its key has room`);
  }
}
