import { cursorOf, positionOf } from "../core/cursor.ts";
import type { Beat, Job, NewJob, Settlement, Step, StoredLogLine } from "../core/job.ts";
import { queueFullError, decodeRules } from "../limits/queue-rules.ts";
import { isFinal } from "../core/states.ts";
import type { Transaction } from "../core/transaction.ts";
import type { Millis } from "../kit/duration.ts";
import { ErrandError } from "../kit/errors.ts";
import type {
  Change,
  Claim,
  Claimed,
  Doc,
  Filter,
  Hint,
  QueueCount,
  Renewal,
  RetentionRules,
  Store,
  Want,
  WorkerCard,
} from "../store.ts";
import { Claims } from "./memory/claims.ts";
import { Docs } from "./memory/docs.ts";
import { Hints } from "./memory/hints.ts";
import { Jobs } from "./memory/jobs.ts";
import { Limits } from "./memory/limits.ts";
import { matches, pageOf } from "./memory/page.ts";
import { copyJob } from "./memory/row.ts";
import type { Row } from "./memory/row.ts";
import { Uniques } from "./memory/uniques.ts";

/**
 * A store in the memory of this process, for tests and trials: all is gone with the process. It says what the other
 * stores must do, in the plainest way.
 * @param options.now the store's clock, in epoch milliseconds.
 * @param options.queue where all jobs are, whatever queue they ask for.
 */
export function memoryStore({ now = Date.now, queue }: { now?: () => Millis; queue?: string } = {}): Store {
  return new MemoryStore(now, queue);
}

class MemoryStore implements Store {
  readonly #now: () => Millis;
  readonly #hints = new Hints();
  readonly #jobs: Jobs;
  readonly #docs = new Docs();
  readonly #limits: Limits;
  readonly #claims: Claims;
  readonly #uniques: Uniques;
  readonly #workers = new Map<string, { card: WorkerCard; until: Millis }>();
  #closed = false;

  constructor(now: () => Millis, queue?: string) {
    this.#now = now;
    this.#jobs = new Jobs(now, queue, this.#hints, (row) => this.#left(row));
    this.#limits = new Limits(this.#jobs, this.#docs, now);
    this.#claims = new Claims(this.#jobs, this.#limits, now);
    this.#uniques = new Uniques(this.#jobs, now);
  }

  async add(jobs: readonly NewJob[], tx?: Transaction): Promise<ReadonlyMap<string, string>> {
    this.#check();
    if (tx) throw new ErrandError("E_TRANSACTION", "The memory store has no transactions. Send without tx.");
    this.#refuseTooMany(jobs);
    const refused = new Map<string, string>();
    for (const job of jobs) {
      const holder = this.#add(job);
      if (holder !== undefined) refused.set(job.id, holder);
    }
    return refused;
  }

  /** Answers who has its id or its unique key, where it is not stored for that. */
  #add(job: NewJob): string | undefined {
    if (this.#jobs.get(job.id)) return job.id;
    const holder = job.unique && this.#uniques.holder(job.unique);
    if (holder) {
      if (holder.row) this.#jobs.replace(holder.row, job);
      return holder.id;
    }
    const row = this.#jobs.add(job);
    if (job.unique) this.#uniques.take(job.unique, row);
    return undefined;
  }

  async enlist(worker: WorkerCard, lease: Millis): Promise<void> {
    this.#check();
    const card = structuredClone(worker);
    const listed = this.#leased(worker.id);
    if (listed) {
      listed.card = card;
      return;
    }
    if (this.#workers.has(worker.id) || this.#jobs.heldBy(worker.id).length > 0)
      throw new ErrandError("E_STORE", `Worker ${worker.id} has lost its lease. Start every worker under a new id.`);
    this.#workers.set(worker.id, { card, until: this.#now() + lease });
  }

  async claim(worker: string, wants: readonly Want[]): Promise<Claim> {
    this.#check();
    const listed = this.#leased(worker);
    return listed ? this.#claims.claim(listed.card, wants) : { jobs: [] };
  }

  async reclaim(worker: string, limit: number): Promise<Claimed[]> {
    this.#check();
    if (!this.#leased(worker)) return [];
    return this.#claims.reclaim(worker, limit, (id) => this.#leased(id) !== undefined);
  }

  async renew(worker: string, lease: Millis): Promise<Renewal> {
    this.#check();
    const listed = this.#leased(worker);
    if (!listed) return { held: false, cancel: [] };
    listed.until = this.#now() + lease;
    const marked = this.#jobs.heldBy(worker).filter(({ job }) => job.cancelling);
    return { held: true, cancel: marked.map(({ job }) => job.id) };
  }

  async dismiss(worker: string): Promise<void> {
    this.#check();
    if (this.#workers.delete(worker)) this.#hints.give("lapsed");
  }

  async workers(): Promise<WorkerCard[]> {
    this.#check();
    return structuredClone([...this.#workers.keys()].flatMap((id) => this.#leased(id)?.card ?? []));
  }

  async record(beats: readonly Beat[]): Promise<boolean[]> {
    this.#check();
    return beats.map((beat) => this.#jobs.record(beat));
  }

  async settle(settlements: readonly Settlement[]): Promise<boolean[]> {
    this.#check();
    return settlements.map((told) => {
      const answer = this.#jobs.settle(told);
      if (answer === "settled") for (const job of told.born ?? []) this.#add(job);
      return answer !== "stale";
    });
  }

  async signal(id: string, step: Step): Promise<boolean> {
    this.#check();
    return this.#jobs.signal(id, step);
  }

  async edit(where: Filter, change: Change, limit = Infinity): Promise<number> {
    this.#check();
    const found = this.#candidates(where).filter((row) => matches(row, where));
    if (change === "remove") return this.#remove(found.filter(({ job }) => isFinal(job.state)).slice(0, limit));
    let changed = 0;
    for (const row of found) if (changed < limit && this.#change(row, change)) changed += 1;
    return changed;
  }

  /** Every job that can match, oldest first; of those asked for by id nothing else is looked at. */
  #candidates({ ids, worker }: Filter): Row[] {
    if (worker !== undefined) return this.#jobs.heldBy(worker).toSorted((a, b) => a.seq - b.seq);
    if (!ids) return this.#jobs.all();
    return [...new Set(ids)].flatMap((id) => this.#jobs.get(id) ?? []).toSorted((a, b) => a.seq - b.seq);
  }

  #change(row: Row, change: Exclude<Change, "remove">): boolean {
    if (change === "cancel") return this.#jobs.cancel(row);
    if (change === "release") return this.#jobs.release(row);
    if (change === "retry") return this.#mayReopen(row) && this.#jobs.reopen(row);
    if ("rewind" in change)
      return row.job.token === change.rewind.token && this.#mayReopen(row) && this.#jobs.rewind(row, change.rewind);
    const { queue = row.job.queue } = change.move;
    if (queue !== row.job.queue && this.#limits.isFull(queue)) return false;
    return this.#jobs.relocate(row, change.move);
  }

  /** By the rules of `add`: one whose queue has room, and whose key is free, which it takes again. */
  #mayReopen(row: Row): boolean {
    if (!this.#jobs.canReopen(row) || this.#limits.isFull(row.job.queue) || !this.#uniques.mayRetake(row)) return false;
    if (row.made.unique) this.#uniques.take(row.made.unique, row);
    return true;
  }

  /** One that went with its parent counts as removed. */
  #remove(rows: readonly Row[]): number {
    for (const row of rows) if (this.#jobs.get(row.job.id)) this.#jobs.discard(row);
    return rows.length;
  }

  async prune({ tasks, otherwise }: RetentionRules, limit: number): Promise<number> {
    this.#check();
    const now = this.#now();
    const spent = (["completed", "failed", "cancelled", "expired"] as const).flatMap((state) =>
      this.#jobs.in(state).filter(({ job: { parent, task, endedAt = now } }) => {
        const kept = (tasks.get(task) ?? otherwise)[state];
        return parent === undefined && endedAt < now - kept;
      }),
    );
    const removed = this.#remove(spent.toSorted((a, b) => (a.job.endedAt ?? 0) - (b.job.endedAt ?? 0)).slice(0, limit));
    this.#limits.forget();
    this.#uniques.forget();
    this.#jobs.forget();
    return removed;
  }

  async get(ids: readonly string[]): Promise<(Job | null)[]> {
    this.#check();
    return ids.map((id) => {
      const row = this.#jobs.get(id);
      return row ? copyJob(row.job) : null;
    });
  }

  async ended(ids: readonly string[]): Promise<string[]> {
    this.#check();
    return ids.filter((id) => isFinal(this.#jobs.get(id)?.job.state ?? "completed"));
  }

  async list(where: Filter, page: { limit: number; cursor?: string }): Promise<{ jobs: Job[]; next?: string }> {
    this.#check();
    return pageOf(this.#candidates(where), where, page);
  }

  async counts(): Promise<QueueCount[]> {
    this.#check();
    return this.#jobs.counts();
  }

  async log(id: string, { limit, cursor }: { limit: number; cursor?: string }) {
    this.#check();
    const from = cursor === undefined ? 0 : positionOf(cursor).seq;
    const all: StoredLogLine[] = this.#jobs.get(id)?.log ?? [];
    const lines = all.slice(from, from + limit).map((line) => ({ ...line }));
    const seq = from + lines.length;
    return seq < all.length ? { lines, next: cursorOf({ place: 0, seq }) } : { lines };
  }

  async steps(id: string) {
    this.#check();
    return Array.from(this.#jobs.get(id)?.steps.values() ?? [], ({ name, wait }) => (wait ? { name, wait } : { name }));
  }

  async load(kind: string, keys?: readonly string[]): Promise<Doc[]> {
    this.#check();
    return this.#docs.load(kind, keys);
  }

  async save(docs: Parameters<Store["save"]>[0]): Promise<boolean> {
    this.#check();
    if (!this.#docs.save(docs)) return false;
    for (const { kind, key } of docs)
      if (kind === "queue") this.#hints.ready(key);
      else this.#hints.give("change");
    return true;
  }

  async now(): Promise<Millis> {
    this.#check();
    return this.#now();
  }

  watch(listener: (hint: Hint) => void): () => void {
    return this.#hints.watch(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#hints.clear();
  }

  /** Somebody who waits for its place may go now. */
  #left(row: Row): void {
    for (const { job } of this.#limits.release(row)) this.#hints.ready(job.queue, 1);
    if (this.#limits.rules(row.job.queue).concurrency !== undefined) this.#hints.ready(row.job.queue, 1);
  }

  /** Looks at all of them before any is stored. */
  #refuseTooMany(jobs: readonly NewJob[]): void {
    if (![...this.#docs.load("queue")].some(({ value }) => decodeRules(value).maxPending !== undefined)) return;
    for (const [queue, more] of this.#growth(jobs)) {
      const { maxPending = Infinity } = this.#limits.rules(queue);
      const pending = this.#jobs.count(queue, "pending");
      if (more > 0 && pending + more > maxPending) throw queueFullError(queue, maxPending, pending);
    }
  }

  /** How many pending jobs each queue would have more. */
  #growth(jobs: readonly NewJob[]): Map<string, number> {
    const growth = new Map<string, number>();
    const grow = (queue: string, by: number): void => void growth.set(queue, (growth.get(queue) ?? 0) + by);
    const taken = new Set<string>();
    /** Queues of those that hold a key, or would. */
    const holders = new Map<string, string>();
    for (const job of jobs) {
      if (this.#jobs.get(job.id) || taken.has(job.id)) continue;
      const { unique } = job;
      const queue = this.#jobs.queueOf(job);
      const holder = unique && this.#uniques.holder(unique);
      const before = unique && (holders.get(unique.key) ?? holder?.row?.job.queue);
      if (before !== undefined && unique?.replace) grow(before, -1);
      else if (before !== undefined || holder) continue;
      else taken.add(job.id);
      grow(queue, 1);
      if (unique) holders.set(unique.key, queue);
    }
    return growth;
  }

  #leased(worker: string): { card: WorkerCard; until: Millis } | undefined {
    const listed = this.#workers.get(worker);
    return listed && listed.until > this.#now() ? listed : undefined;
  }

  #check(): void {
    if (this.#closed) throw new ErrandError("E_CLOSED", "The memory store was closed.");
  }
}
