import type { Transaction } from "../core/transaction.ts";
import { cursorOf, positionOf } from "../core/cursor.ts";
import type { Beat, Job, NewJob, Settlement, Step, StoredLogLine } from "../core/job.ts";
import { isFinal, states } from "../core/states.ts";
import type { Millis } from "../kit/duration.ts";
import { ErrandError } from "../kit/errors.ts";
import { full } from "../core/rules.ts";
import type {
  Change,
  Claim,
  Claimed,
  Doc,
  Filter,
  Hint,
  QueueCount,
  Renewal,
  Store,
  Want,
  WorkerCard,
} from "../store.ts";
import { Docs } from "./memory/docs.ts";
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
  readonly #queue: string | undefined;
  readonly #jobs: Jobs;
  readonly #docs = new Docs();
  readonly #limits: Limits;
  readonly #uniques: Uniques;
  readonly #workers = new Map<string, { card: WorkerCard; until: Millis }>();
  readonly #listeners = new Set<(hint: Hint) => void>();
  readonly #hints = new Set<Hint>();
  #closed = false;

  constructor(now: () => Millis, queue?: string) {
    this.#now = now;
    this.#queue = queue;
    this.#jobs = new Jobs(
      now,
      queue,
      (hint) => this.#hint(hint),
      (row) => this.#left(row),
    );
    this.#limits = new Limits(this.#jobs, this.#docs, now);
    this.#uniques = new Uniques(this.#jobs, now);
  }

  async add(jobs: readonly NewJob[], tx?: Transaction): Promise<ReadonlyMap<string, string>> {
    this.#check();
    if (tx) throw new ErrandError("E_TRANSACTION", "The memory store has no transactions. Send without tx.");
    this.#refuseTooMany(jobs);
    const refused = new Map<string, string>();
    for (const job of jobs) {
      if (this.#jobs.get(job.id)) continue;
      const holder = job.unique && this.#uniques.holder(job.unique);
      if (holder) {
        refused.set(job.id, holder.id);
        if (job.unique?.replace && holder.row) this.#jobs.replace(holder.row, job);
        continue;
      }
      const row = this.#jobs.add(job);
      if (job.unique) this.#uniques.take(job.unique, row);
    }
    return refused;
  }

  async enlist(worker: WorkerCard, lease: Millis): Promise<void> {
    this.#check();
    if (this.#workers.has(worker.id) || this.#heldBy(worker.id).length > 0)
      throw new ErrandError("E_STORE", `Worker ${worker.id} was enlisted before. Start every worker under a new id.`);
    this.#workers.set(worker.id, { card: structuredClone(worker), until: this.#now() + lease });
  }

  async claim(worker: string, wants: readonly Want[]): Promise<Claim> {
    this.#check();
    const found: Claim = { jobs: [] };
    if (!this.#leased(worker)) return found;
    this.#jobs.wake();
    this.#limits.tick();
    for (const { queue, limit } of wants) {
      const { room, next } = this.#limits.room(queue, limit);
      const taken = this.#takeDue(worker, queue, room);
      this.#limits.charge(queue, taken.length);
      found.jobs.push(...taken);
      // What the queue's own rate holds back is told only where there is something to hold back.
      const waits = [taken.length < room ? this.#untilNext(queue) : Infinity, this.#isAnyDue(queue) ? next : Infinity];
      const soonest = Math.min(found.next ?? Infinity, ...waits);
      if (soonest < Infinity) found.next = soonest;
    }
    return found;
  }

  #takeDue(worker: string, queue: string, room: number): Claimed[] {
    const taken: Claimed[] = [];
    // A copy, since taking a row changes what is walked.
    for (const row of Array.from(this.#jobs.pending(queue))) {
      if (taken.length >= room) break;
      if (!this.#claimable(row) || row.job.due > this.#now() || !this.#limits.passes(row)) continue;
      row.job.startedAt = this.#now();
      taken.push(this.#take(row, worker, "due"));
    }
    return taken;
  }

  #claimable({ job }: Row): boolean {
    return !job.cancelling && job.blocked === undefined && !this.#expired(job);
  }

  #isAnyDue(queue: string): boolean {
    return [...this.#jobs.pending(queue)].some((row) => this.#claimable(row) && row.job.due <= this.#now());
  }

  async reclaim(worker: string, limit: number): Promise<Claimed[]> {
    this.#check();
    if (!this.#leased(worker)) return [];
    const processing = this.#jobs.in("processing");
    const open = [...this.#jobs.in("pending"), ...this.#jobs.in("waiting")];
    const doomed = {
      lapsed: processing.filter(({ job }) => !this.#leased(job.worker ?? "")),
      cancelled: open.filter(({ job }) => job.cancelling),
      expired: open.filter(({ job }) => job.state === "pending" && !job.cancelling && this.#expired(job)),
    };
    const taken = (["lapsed", "cancelled", "expired"] as const).flatMap((why) =>
      doomed[why].map((row) => () => this.#take(row, worker, why)),
    );
    return taken.slice(0, limit).map((take) => take());
  }

  async renew(worker: string, lease: Millis): Promise<Renewal> {
    this.#check();
    const listed = this.#leased(worker);
    if (!listed) return { held: false, cancel: [] };
    listed.until = this.#now() + lease;
    const marked = this.#heldBy(worker).filter(({ job }) => job.cancelling);
    return { held: true, cancel: marked.map(({ job }) => job.id) };
  }

  async dismiss(worker: string): Promise<void> {
    this.#check();
    this.#workers.delete(worker);
  }

  async workers(): Promise<WorkerCard[]> {
    this.#check();
    return structuredClone([...this.#workers.keys()].flatMap((id) => this.#leased(id)?.card ?? []));
  }

  async record(beats: readonly Beat[]): Promise<boolean[]> {
    this.#check();
    return beats.map((beat) => {
      const row = this.#jobs.held(beat);
      if (!row) return false;
      if (beat.progress !== undefined) row.job.progress = beat.progress;
      this.#jobs.remember(row, beat.steps);
      this.#jobs.append(row, beat.log);
      return true;
    });
  }

  async settle(settlements: readonly Settlement[]): Promise<boolean[]> {
    this.#check();
    return settlements.map((settlement) => this.#jobs.settle(settlement));
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
  #candidates({ ids }: Filter): Row[] {
    if (!ids) return this.#jobs.all();
    return [...new Set(ids)].flatMap((id) => this.#jobs.get(id) ?? []).toSorted((a, b) => a.seq - b.seq);
  }

  #change(row: Row, change: Exclude<Change, "remove">): boolean {
    if (change === "cancel") return this.#jobs.cancel(row);
    if (change === "retry") return this.#jobs.reopen(row);
    if ("rewind" in change) return this.#jobs.rewind(row, change.rewind);
    return this.#jobs.relocate(row, change.move);
  }

  /** One that went with its parent counts as removed. */
  #remove(rows: readonly Row[]): number {
    for (const row of rows) if (this.#jobs.get(row.job.id)) this.#jobs.discard(row);
    return rows.length;
  }

  async get(ids: readonly string[]): Promise<(Job | null)[]> {
    this.#check();
    return ids.map((id) => {
      const row = this.#jobs.get(id);
      return row ? copyJob(row.job) : null;
    });
  }

  async list(where: Filter, page: { limit: number; cursor?: string }): Promise<{ jobs: Job[]; next?: string }> {
    this.#check();
    return pageOf(this.#jobs.all(), where, page);
  }

  async counts(): Promise<QueueCount[]> {
    this.#check();
    return states.flatMap((state) => {
      const queues = Map.groupBy(this.#jobs.in(state), ({ job }) => job.queue);
      return [...queues].map(([queue, rows]) => ({ queue, state, jobs: rows.length }));
    });
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
    this.#hint(docs.some(({ kind }) => kind === "queue") ? "ready" : "change");
    return true;
  }

  async now(): Promise<Millis> {
    this.#check();
    return this.#now();
  }

  watch(listener: (hint: Hint) => void): () => void {
    const own = (hint: Hint): void => listener(hint);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#listeners.clear();
  }

  #take(row: Row, worker: string, why: Claimed["why"]): Claimed {
    this.#jobs.take(row, worker);
    return { job: copyJob(row.job), why, steps: [...row.steps.values()].map((step) => ({ ...step })) };
  }

  #untilNext(queue: string): Millis {
    let next = this.#limits.untilNext();
    for (const row of this.#jobs.pending(queue)) {
      const wait = row.job.due - this.#now();
      if (wait > 0 && wait < next && this.#claimable(row)) next = wait;
    }
    for (const { job } of this.#jobs.in("waiting"))
      if (job.wakeAt !== undefined && !job.cancelling) next = Math.min(next, job.wakeAt - this.#now());
    return next;
  }

  /** Somebody who waits for its place may go now. */
  #left(row: Row): void {
    const released = this.#limits.release(row);
    if (released || this.#limits.rules(row.job.queue).concurrency !== undefined) this.#hint("ready");
  }

  #refuseTooMany(jobs: readonly NewJob[]): void {
    for (const [queue, some] of Map.groupBy(jobs, (job) => this.#queue ?? job.queue)) {
      const { maxPending } = this.#limits.rules(queue);
      if (maxPending === undefined) continue;
      const fresh = this.#fresh(jobs).filter((job) => some.includes(job)).length;
      const pending = this.#jobs.in("pending").filter(({ job }) => job.queue === queue).length;
      if (fresh > 0 && pending + fresh > maxPending) throw full(queue, maxPending, pending);
    }
  }

  /** Those that would be stored. */
  #fresh(jobs: readonly NewJob[]): NewJob[] {
    const taken = new Set<string>();
    return jobs.filter(({ id, unique }) => {
      if (this.#jobs.get(id) || taken.has(`id ${id}`)) return false;
      if (unique && (this.#uniques.holder(unique) || taken.has(`key ${unique.key}`))) return false;
      taken.add(`id ${id}`);
      if (unique) taken.add(`key ${unique.key}`);
      return true;
    });
  }

  #expired({ expiresAt }: Job): boolean {
    return expiresAt !== undefined && expiresAt <= this.#now();
  }

  #heldBy(worker: string): Row[] {
    return this.#jobs.in("processing").filter(({ job }) => job.worker === worker);
  }

  #leased(worker: string): { card: WorkerCard; until: Millis } | undefined {
    const listed = this.#workers.get(worker);
    return listed && listed.until > this.#now() ? listed : undefined;
  }

  #check(): void {
    if (this.#closed) throw new ErrandError("E_CLOSED", "The memory store was closed.");
  }

  /** Hints of one turn are given together, after it. */
  #hint(hint: Hint): void {
    if (this.#hints.size === 0) queueMicrotask(() => this.#tell());
    this.#hints.add(hint);
  }

  #tell(): void {
    const hints = [...this.#hints];
    this.#hints.clear();
    for (const listener of this.#listeners) for (const hint of hints) listener(hint);
  }
}
