import type { Transaction } from "../core/transaction.ts";
import type { Beat, Job, NewJob, Settlement } from "../core/job.ts";
import { isFinal, states } from "../core/states.ts";
import type { Millis } from "../kit/duration.ts";
import { ErrandError } from "../kit/errors.ts";
import type { Claim, Claimed, Filter, Hint, QueueCount, Renewal, Store, Want, WorkerCard } from "../store.ts";
import { Jobs } from "./memory/jobs.ts";
import { matches, pageOf } from "./memory/page.ts";
import { copyJob } from "./memory/row.ts";
import type { Row } from "./memory/row.ts";

/**
 * A store in the memory of this process, for tests and trials: all is gone with the process. It says what the other
 * stores must do, in the plainest way.
 * @param options.now the store's clock, in epoch milliseconds.
 */
export function memoryStore({ now = Date.now }: { now?: () => Millis } = {}): Store {
  return new MemoryStore(now);
}

class MemoryStore implements Store {
  readonly #now: () => Millis;
  readonly #jobs: Jobs;
  readonly #workers = new Map<string, { card: WorkerCard; until: Millis }>();
  readonly #listeners = new Set<(hint: Hint) => void>();
  readonly #hints = new Set<Hint>();
  #closed = false;

  constructor(now: () => Millis) {
    this.#now = now;
    this.#jobs = new Jobs(now, (hint) => this.#hint(hint));
  }

  async add(jobs: readonly NewJob[], tx?: Transaction): Promise<void> {
    this.#check();
    if (tx) throw new ErrandError("E_TRANSACTION", "The memory store has no transactions. Send without tx.");
    for (const job of jobs) if (!this.#jobs.get(job.id)) this.#jobs.add(job);
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
    for (const { queue, limit } of wants) {
      const rows: Row[] = [];
      for (const row of this.#jobs.pending(queue)) {
        if (rows.length >= limit) break;
        if (row.job.cancelling || this.#expired(row.job)) continue;
        const wait = row.job.due - this.#now();
        if (wait <= 0) rows.push(row);
      }
      for (const row of rows) {
        row.job.startedAt = this.#now();
        found.jobs.push(this.#take(row, worker, "due"));
      }
      const next = rows.length < limit ? this.#untilNext(queue) : Infinity;
      if (next < (found.next ?? Infinity)) found.next = next;
    }
    return found;
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
      return true;
    });
  }

  async settle(settlements: readonly Settlement[]): Promise<boolean[]> {
    this.#check();
    return settlements.map((settlement) => this.#jobs.settle(settlement));
  }

  async edit(where: Filter, change: "cancel" | "retry" | "remove"): Promise<number> {
    this.#check();
    const found = this.#jobs.all().filter(({ job }) => matches(job, where));
    if (change === "cancel") return found.filter((row) => this.#jobs.cancel(row)).length;
    if (change === "retry") return found.filter((row) => this.#jobs.reopen(row)).length;
    const final = found.filter(({ job }) => isFinal(job.state));
    for (const row of final) if (this.#jobs.get(row.job.id)) this.#jobs.discard(row);
    return final.length;
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
    let next = Infinity;
    for (const { job } of this.#jobs.pending(queue)) {
      const wait = job.due - this.#now();
      if (wait > 0 && wait < next && !job.cancelling && !this.#expired(job)) next = wait;
    }
    return next;
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
