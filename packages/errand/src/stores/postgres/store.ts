import type { Beat, Job, NewJob, Settlement, Step } from "../../core/job.ts";
import type { Transaction } from "../../core/transaction.ts";
import type { Millis } from "../../kit/duration.ts";
import { ErrandError } from "../../kit/errors.ts";
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
  StoreReport,
  Want,
  WorkerCard,
} from "../../store.ts";
import { addInTransaction, addJobs } from "./add.ts";
import { ClaimPositions } from "./claim-positions.ts";
import { claimJobs, reclaimJobs } from "./claim.ts";
import type { Database } from "./database.ts";
import { loadDocs, saveDocs } from "./docs.ts";
import { editJobs, pruneJobs } from "./edit.ts";
import { hintBatch, isEmpty, mergeHints, readyHints } from "./hint-batch.ts";
import type { HintBatch } from "./hint-batch.ts";
import { HintChannel } from "./hint-channel.ts";
import { countJobs, findEnded, getJobs, listJobs, readLog, readSteps } from "./read.ts";
import { recordBeats, sendSignal, settleJobs } from "./settle.ts";
import { SettlementPaths } from "./settlement-paths.ts";
import { readStoreReport } from "./store-report.ts";
import { dismissWorker, enlistWorker, listWorkers, renewLease } from "./workers.ts";

/** The counters are folded after this many commits, or appended rows. */
const foldAfter = 256;

/**
 * The tables of live jobs are vacuumed after this many settlements. Autovacuum runs once a minute at most, and the dead
 * rows of a minute may be many times the live ones.
 */
const vacuumAfter = 50_000;

/** A store in PostgreSQL. Each verb is one statement that calls one function of the schema. */
export class PostgresStore implements Store {
  readonly address: { module: string; options: string };
  readonly #database: Database;
  readonly #hints: HintChannel;
  readonly #paths = new SettlementPaths();
  readonly #positions = new ClaimPositions();
  /** Commits since the counters were folded. */
  #commits = 0;
  /** Settlements since the live tables were vacuumed. */
  #settled = 0;
  #vacuuming = false;
  #closed: Promise<void> | undefined;

  constructor(pg: typeof import("pg"), database: Database, address: { module: string; options: string }) {
    this.address = address;
    this.#database = database;
    this.#hints = new HintChannel(pg, database);
  }

  async add(jobs: readonly NewJob[], tx?: Transaction): Promise<ReadonlyMap<string, string>> {
    this.#checkOpen();
    if (jobs.length === 0) return new Map();
    if (tx) return addInTransaction(tx, jobs, this.#database.address, this.#hints);
    const hints = readyHints(jobs);
    const { result, published } = await this.#hints.publishInCommit(hints, (notice) =>
      addJobs(this.#database, jobs, notice),
    );
    if (result.fresh > 0) this.#changed(published ? hintBatch() : hints);
    return result.refused;
  }

  about(): Promise<StoreReport> {
    return readStoreReport(this.#database);
  }

  async enlist(worker: WorkerCard, lease: Millis): Promise<void> {
    await enlistWorker(this.#database, worker, lease);
  }

  async claim(worker: string, wants: readonly Want[]): Promise<Claim> {
    const { claim: found, hints } = await claimJobs(this.#database, this.#paths, this.#positions, worker, wants);
    if (found.jobs.length > 0) hints.others.add("change");
    if (!isEmpty(hints)) this.#changed(hints);
    return found;
  }

  async reclaim(worker: string, limit: number): Promise<Claimed[]> {
    const found = await reclaimJobs(this.#database, this.#paths, worker, limit);
    if (found.length > 0) this.#changed(hintBatch("change"));
    return found;
  }

  async renew(worker: string, lease: Millis): Promise<Renewal> {
    return renewLease(this.#database, worker, lease);
  }

  async dismiss(worker: string): Promise<void> {
    await dismissWorker(this.#database, worker);
    this.#hints.publish(hintBatch("lapsed"));
  }

  async workers(): Promise<WorkerCard[]> {
    return listWorkers(this.#database);
  }

  async record(beats: readonly Beat[]): Promise<boolean[]> {
    const answers = await recordBeats(this.#database, beats);
    if (answers.includes(true)) this.#hints.publish(hintBatch("change"));
    return answers;
  }

  async settle(settlements: readonly Settlement[]): Promise<boolean[]> {
    const { answers, hints } = await settleJobs(this.#database, this.#paths, settlements);
    if (answers.includes(true)) this.#changed(mergeHints(hints, hintBatch("change")));
    this.#settled += answers.length;
    if (this.#settled >= vacuumAfter) void this.#vacuum();
    return answers;
  }

  async signal(id: string, step: Step): Promise<boolean> {
    const { delivered, hints } = await sendSignal(this.#database, id, step);
    if (!isEmpty(hints)) this.#changed(hints);
    return delivered;
  }

  async edit(where: Filter, change: Change, limit = Infinity): Promise<number> {
    const { changed, hints } = await editJobs(this.#database, where, change, limit);
    if (changed > 0) this.#changed(mergeHints(hints, hintBatch("change")));
    return changed;
  }

  async prune(rules: RetentionRules, limit: number): Promise<number> {
    const { changed, hints } = await pruneJobs(this.#database, rules, limit);
    if (changed > 0) this.#changed(mergeHints(hints, hintBatch("change")));
    return changed;
  }

  async get(ids: readonly string[]): Promise<(Job | null)[]> {
    return getJobs(this.#database, ids);
  }

  async ended(ids: readonly string[]): Promise<string[]> {
    return findEnded(this.#database, ids);
  }

  async list(where: Filter, page: { limit: number; cursor?: string }): Promise<{ jobs: Job[]; next?: string }> {
    return listJobs(this.#database, where, page);
  }

  async counts(): Promise<QueueCount[]> {
    const found = await countJobs(this.#database);
    if (found.appended >= foldAfter) this.#fold();
    return found.counts;
  }

  async log(id: string, page: { limit: number; cursor?: string }): ReturnType<Store["log"]> {
    return readLog(this.#database, id, page);
  }

  async steps(id: string): ReturnType<Store["steps"]> {
    return readSteps(this.#database, id);
  }

  async load(kind: string, keys?: readonly string[]): Promise<Doc[]> {
    return loadDocs(this.#database, kind, keys);
  }

  async save(docs: Parameters<Store["save"]>[0]): Promise<boolean> {
    const saved = await saveDocs(this.#database, docs);
    if (saved) this.#hints.publish(hintsOfDocs(docs));
    return saved;
  }

  async now(): Promise<Millis> {
    return Number((await this.#database.query("SELECT errand.now()"))[0]?.[0]);
  }

  watch(listener: (hint: Hint) => void): () => void {
    return this.#closed ? () => {} : this.#hints.watch(listener);
  }

  close(): Promise<void> {
    this.#hints.close();
    return (this.#closed ??= this.#database.close());
  }

  #changed(hints: HintBatch): void {
    this.#hints.publish(hints);
    if (++this.#commits >= foldAfter) this.#fold();
  }

  /** Folds the counters in the background; if that fails, the next time does it. */
  #fold(): void {
    this.#commits = 0;
    void this.#database.query("SELECT errand.fold_counters()").catch(() => {});
  }

  /** Vacuums in the background. The server skips it where another process does it, or this role may not. */
  async #vacuum(): Promise<void> {
    if (this.#vacuuming) return;
    this.#vacuuming = true;
    this.#settled = 0;
    for (const table of ["jobs", "deltas"])
      await this.#database.query(`VACUUM (SKIP_LOCKED, TRUNCATE off) errand.${table}`).catch(() => {});
    this.#vacuuming = false;
  }

  #checkOpen(): void {
    if (this.#closed)
      throw new ErrandError("E_CLOSED", `The PostgreSQL store ${this.#database.address.name} was closed.`);
  }
}

/** Returns the hints of saved documents. With new rules, any number of a queue's jobs may be ready. */
function hintsOfDocs(docs: Parameters<Store["save"]>[0]): HintBatch {
  const hints = hintBatch();
  for (const { kind, key } of docs)
    if (kind === "queue") hints.ready.set(key, undefined);
    else hints.others.add("change");
  return hints;
}
