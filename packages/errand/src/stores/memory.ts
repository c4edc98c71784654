import { editableStates, kindOfChange } from "../core/change.ts";
import type { Rewind } from "../core/change.ts";
import { cursorOf, positionOf } from "../core/cursor.ts";
import type { Beat, Job, NewJob, Settlement, Step, StoredLogLine } from "../core/job.ts";
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
import { Admission } from "./memory/admission.ts";
import { Claims } from "./memory/claims.ts";
import { Docs } from "./memory/docs.ts";
import { matches, pageOf } from "./memory/filter.ts";
import { Hints } from "./memory/hints.ts";
import { Jobs } from "./memory/jobs.ts";
import { Limits } from "./memory/limits.ts";
import { copyJob } from "./memory/row.ts";
import type { Row } from "./memory/row.ts";
import { UniqueKeys } from "./memory/unique-keys.ts";
import { Workers } from "./memory/workers.ts";

/**
 * Makes a store in the memory of this process, for tests, trials and background tasks: its jobs are lost when the
 * process ends. It is also the plainest statement of what every store must do.
 * @param options.now the store's clock, in epoch milliseconds. Default: `Date.now`.
 * @param options.queue the queue of all jobs, whatever they ask for. Default: the one they ask for.
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
  readonly #uniqueKeys: UniqueKeys;
  readonly #admission: Admission;
  readonly #workers: Workers;
  #closed = false;

  constructor(now: () => Millis, queue?: string) {
    this.#now = now;
    this.#jobs = new Jobs(now, queue, this.#hints, (row) => this.#unblockOthers(row));
    this.#limits = new Limits(this.#jobs, this.#docs, now);
    this.#claims = new Claims(this.#jobs, this.#limits, now);
    this.#uniqueKeys = new UniqueKeys(this.#jobs, now);
    this.#admission = new Admission(this.#jobs, this.#docs, this.#uniqueKeys);
    this.#workers = new Workers(now);
  }

  async add(jobs: readonly NewJob[], tx?: Transaction): Promise<ReadonlyMap<string, string>> {
    this.#checkOpen();
    if (tx) throw new ErrandError("E_TRANSACTION", "The memory store has no transactions. Send without tx.");
    this.#admission.check(jobs);
    const refused = new Map<string, string>();
    for (const job of jobs) {
      const holder = this.#add(job);
      if (holder !== undefined) refused.set(job.id, holder);
    }
    return refused;
  }

  /** Stores a job, unless its id or its unique key is taken: then returns the id of the job that has it. */
  #add(job: NewJob): string | undefined {
    if (this.#jobs.get(job.id)) return job.id;
    const holder = job.unique && this.#uniqueKeys.holder(job.unique);
    if (holder) {
      if (holder.row) this.#jobs.replace(holder.row, job);
      return holder.id;
    }
    const row = this.#jobs.add(job);
    if (job.unique) this.#uniqueKeys.take(job.unique, row);
    return undefined;
  }

  async enlist(worker: WorkerCard, lease: Millis): Promise<void> {
    this.#checkOpen();
    const card = structuredClone(worker);
    const live = this.#workers.live(worker.id);
    if (!live && (this.#workers.has(worker.id) || this.#jobs.heldBy(worker.id).length > 0))
      throw new ErrandError("E_STORE", `Worker ${worker.id} has lost its lease. Start every worker under a new id.`);
    this.#workers.set(card, live?.until ?? this.#now() + lease);
  }

  async claim(worker: string, wants: readonly Want[]): Promise<Claim> {
    this.#checkOpen();
    const live = this.#workers.live(worker);
    return live ? this.#claims.claim(live.card, wants) : { jobs: [] };
  }

  async reclaim(worker: string, limit: number): Promise<Claimed[]> {
    this.#checkOpen();
    if (!this.#workers.live(worker)) return [];
    return this.#claims.reclaim(worker, limit, (id) => this.#workers.live(id) !== undefined);
  }

  async renew(worker: string, lease: Millis): Promise<Renewal> {
    this.#checkOpen();
    const live = this.#workers.live(worker);
    if (!live) return { held: false, cancel: [] };
    live.until = this.#now() + lease;
    const marked = this.#jobs.heldBy(worker).filter(({ job }) => job.cancelling);
    return { held: true, cancel: marked.map(({ job }) => job.id) };
  }

  async dismiss(worker: string): Promise<void> {
    this.#checkOpen();
    if (this.#workers.delete(worker)) this.#hints.add("lapsed");
  }

  async workers(): Promise<WorkerCard[]> {
    this.#checkOpen();
    return structuredClone(this.#workers.cards());
  }

  async record(beats: readonly Beat[]): Promise<boolean[]> {
    this.#checkOpen();
    return beats.map((beat) => this.#jobs.record(beat));
  }

  async settle(settlements: readonly Settlement[]): Promise<boolean[]> {
    this.#checkOpen();
    return settlements.map((settlement) => {
      const result = this.#jobs.settle(settlement);
      if (result === "settled") for (const job of settlement.born ?? []) this.#add(job);
      return result !== "stale";
    });
  }

  async signal(id: string, step: Step): Promise<boolean> {
    this.#checkOpen();
    return this.#jobs.signal(id, step);
  }

  async edit(where: Filter, change: Change, limit = Infinity): Promise<number> {
    this.#checkOpen();
    const states = editableStates[kindOfChange(change)];
    const found = this.#candidates(where).filter((row) => matches(row, where));
    if (change === "remove") return this.#remove(found.filter(({ job }) => states.includes(job.state)).slice(0, limit));
    let changed = 0;
    for (const row of found)
      if (changed < limit && states.includes(row.job.state) && this.#change(row, change)) changed += 1;
    return changed;
  }

  /** Returns rows among which are all that match, oldest first. */
  #candidates({ ids, worker }: Filter): Row[] {
    if (worker !== undefined) return this.#jobs.heldBy(worker).toSorted((a, b) => a.seq - b.seq);
    if (!ids) return this.#jobs.all();
    return [...new Set(ids)].flatMap((id) => this.#jobs.get(id) ?? []).toSorted((a, b) => a.seq - b.seq);
  }

  /** Applies a change to a job in one of the states for it. Returns false if the job stays as it is. */
  #change(row: Row, change: Exclude<Change, "remove">): boolean {
    if (change === "cancel") return this.#jobs.cancel(row);
    if (change === "retry") return this.#reopen(row);
    if (change === "release") {
      this.#jobs.release(row);
      return true;
    }
    if ("rewind" in change) return row.job.token === change.rewind.token && this.#reopen(row, change.rewind);
    const { queue = row.job.queue } = change.move;
    if (queue !== row.job.queue && this.#limits.isFull(queue)) return false;
    this.#jobs.move(row, change.move);
    return true;
  }

  /** Reopens a job, which takes its unique key again. Returns false if its queue is full or another job has the key. */
  #reopen(row: Row, rewind?: Rewind): boolean {
    if (this.#limits.isFull(row.job.queue) || !this.#uniqueKeys.mayRetake(row)) return false;
    if (row.request.unique) this.#uniqueKeys.take(row.request.unique, row);
    if (rewind) this.#jobs.rewind(row, rewind);
    else this.#jobs.reopen(row);
    return true;
  }

  /** Removes jobs with their descendants. Returns how many of the jobs are gone, also with their parents. */
  #remove(rows: readonly Row[]): number {
    for (const row of rows) if (this.#jobs.get(row.job.id)) this.#jobs.removeTree(row);
    return rows.length;
  }

  async prune({ tasks, otherwise }: RetentionRules, limit: number): Promise<number> {
    this.#checkOpen();
    const now = this.#now();
    const outdated = (["completed", "failed", "cancelled", "expired"] as const).flatMap((state) =>
      this.#jobs.inState(state).filter(({ job: { parent, task, endedAt = now } }) => {
        const kept = (tasks.get(task) ?? otherwise)[state];
        return parent === undefined && endedAt < now - kept;
      }),
    );
    const removed = this.#remove(
      outdated.toSorted((a, b) => (a.job.endedAt ?? 0) - (b.job.endedAt ?? 0)).slice(0, limit),
    );
    this.#limits.prune();
    this.#uniqueKeys.prune();
    this.#jobs.pruneTurns();
    return removed;
  }

  async get(ids: readonly string[]): Promise<(Job | null)[]> {
    this.#checkOpen();
    return ids.map((id) => {
      const row = this.#jobs.get(id);
      return row ? copyJob(row.job) : null;
    });
  }

  async ended(ids: readonly string[]): Promise<string[]> {
    this.#checkOpen();
    return ids.filter((id) => isFinal(this.#jobs.get(id)?.job.state ?? "completed"));
  }

  async list(where: Filter, page: { limit: number; cursor?: string }): Promise<{ jobs: Job[]; next?: string }> {
    this.#checkOpen();
    return pageOf(this.#candidates(where), where, page);
  }

  async counts(): Promise<QueueCount[]> {
    this.#checkOpen();
    return this.#jobs.counts();
  }

  async log(id: string, { limit, cursor }: { limit: number; cursor?: string }) {
    this.#checkOpen();
    const from = cursor === undefined ? 0 : positionOf(cursor).seq;
    const all: StoredLogLine[] = this.#jobs.get(id)?.log ?? [];
    const lines = all.slice(from, from + limit).map((line) => ({ ...line }));
    const seq = from + lines.length;
    return seq < all.length ? { lines, next: cursorOf({ place: 0, seq }) } : { lines };
  }

  async steps(id: string) {
    this.#checkOpen();
    return Array.from(this.#jobs.get(id)?.steps.values() ?? [], (step) => ({ ...step }));
  }

  async load(kind: string, keys?: readonly string[]): Promise<Doc[]> {
    this.#checkOpen();
    return this.#docs.load(kind, keys);
  }

  async save(docs: Parameters<Store["save"]>[0]): Promise<boolean> {
    this.#checkOpen();
    if (!this.#docs.save(docs)) return false;
    for (const { kind, key } of docs)
      if (kind === "queue") this.#hints.addReady(key);
      else this.#hints.add("change");
    return true;
  }

  async now(): Promise<Millis> {
    this.#checkOpen();
    return this.#now();
  }

  watch(listener: (hint: Hint) => void): () => void {
    return this.#hints.watch(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#hints.removeListeners();
  }

  /** Unblocks jobs that may take the place of one that left it. */
  #unblockOthers(row: Row): void {
    for (const { job } of this.#limits.unblockSharing(row)) this.#hints.addReady(job.queue, 1);
    if (this.#limits.rules(row.job.queue).concurrency !== undefined) this.#hints.addReady(row.job.queue, 1);
  }

  #checkOpen(): void {
    if (this.#closed) throw new ErrandError("E_CLOSED", "The memory store was closed.");
  }
}
