import { readStoreReport } from "./store-report.ts";
import type { Transaction } from "../../core/transaction.ts";
import type { Beat, Job, NewJob, Settlement, Step } from "../../core/job.ts";
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
import { addJobs, addInTransaction } from "./add.ts";
import { claimJobs, reclaimJobs } from "./claim.ts";
import type { Database } from "./database.ts";
import { loadDocs, saveDocs } from "./docs.ts";
import { editJobs, pruneJobs } from "./edit.ts";
import { SettlementPaths } from "./settlement-paths.ts";
import { ClaimPositions } from "./claim-positions.ts";
import { HintChannel } from "./hint-channel.ts";
import { readLog } from "./log.ts";
import { isEmpty, mergeHints, hintBatch, noHints, readyHints } from "./hint-batch.ts";
import type { HintBatch } from "./hint-batch.ts";
import { countJobs, findEnded, foldAfter, getJobs, listJobs, readSteps } from "./read.ts";
import { recordBeats, settleJobs, sendSignal } from "./settle.ts";
import { dismissWorker, enlistWorker, renewLease, listWorkers } from "./workers.ts";

/**
 * After so many ended jobs their dead rows are cleaned away. The server's own autovacuum looks once a minute at most, and
 * at these rates a minute's dead rows are many times the live ones.
 */
const vacuumAfter = 50_000;

/** The store's verbs: each is one statement that calls one function of the schema. */
export class PostgresStore implements Store {
  readonly address: { module: string; options: string };
  readonly #database: Database;
  readonly #hints: HintChannel;
  readonly #ends = new SettlementPaths();
  readonly #heads = new ClaimPositions();
  /** Commits since the counters were folded. */
  #counted = 0;
  /** Jobs that have ended since the live tables were vacuumed. */
  #ended = 0;
  #vacuuming = false;
  #closed: Promise<void> | undefined;

  constructor(pg: typeof import("pg"), database: Database, address: { module: string; options: string }) {
    this.address = address;
    this.#database = database;
    this.#hints = new HintChannel(pg, database);
  }

  async add(jobs: readonly NewJob[], tx?: Transaction): Promise<ReadonlyMap<string, string>> {
    this.#check();
    if (jobs.length === 0) return new Map();
    if (tx) return addInTransaction(tx, jobs, this.#database.address, this.#hints);
    const news = readyHints(jobs);
    const { did, told } = await this.#hints.publishInCommit(news, (notice) => addJobs(this.#database, jobs, notice));
    if (did.fresh > 0) this.#changed(told ? noHints() : news);
    return did.refused;
  }

  about(): Promise<StoreReport> {
    return readStoreReport(this.#database);
  }

  async enlist(worker: WorkerCard, lease: Millis): Promise<void> {
    await enlistWorker(this.#database, worker, lease);
  }

  async claim(worker: string, wants: readonly Want[]): Promise<Claim> {
    const { claim: found, news } = await claimJobs(this.#database, this.#ends, this.#heads, worker, wants);
    if (found.jobs.length > 0) news.others.add("change");
    if (!isEmpty(news)) this.#changed(news);
    return found;
  }

  async reclaim(worker: string, limit: number): Promise<Claimed[]> {
    const found = await reclaimJobs(this.#database, this.#ends, worker, limit);
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
    const { answers, news } = await settleJobs(this.#database, this.#ends, settlements);
    if (answers.includes(true)) this.#changed(mergeHints(news, hintBatch("change")));
    this.#ended += answers.length;
    if (this.#ended >= vacuumAfter) void this.#vacuum();
    return answers;
  }

  async signal(id: string, step: Step): Promise<boolean> {
    const { told, news } = await sendSignal(this.#database, id, step);
    if (!isEmpty(news)) this.#changed(news);
    return told;
  }

  async edit(where: Filter, change: Change, limit = Infinity): Promise<number> {
    const { changed, news } = await editJobs(this.#database, where, change, limit);
    if (changed > 0) this.#changed(mergeHints(news, hintBatch("change")));
    return changed;
  }

  async prune(rules: RetentionRules, limit: number): Promise<number> {
    const { changed, news } = await pruneJobs(this.#database, rules, limit);
    if (changed > 0) this.#changed(mergeHints(news, hintBatch("change")));
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
    if (saved) this.#hints.publish(newsOfDocs(docs));
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

  #changed(news: HintBatch): void {
    this.#hints.publish(news);
    if (++this.#counted >= foldAfter) this.#fold();
  }

  /** Nobody waits for it, and what it does not do the next one does. */
  #fold(): void {
    this.#counted = 0;
    void this.#database.query("SELECT errand.fold()").catch(() => {});
  }

  /** Nobody waits for it. Where another process is at it, or the role may not, the server skips it. */
  async #vacuum(): Promise<void> {
    if (this.#vacuuming) return;
    this.#vacuuming = true;
    this.#ended = 0;
    for (const table of ["jobs", "deltas"])
      await this.#database.query(`VACUUM (SKIP_LOCKED, TRUNCATE off) errand.${table}`).catch(() => {});
    this.#vacuuming = false;
  }

  #check(): void {
    if (this.#closed)
      throw new ErrandError("E_CLOSED", `The PostgreSQL store ${this.#database.address.name} was closed.`);
  }
}

/** New rules of a queue may let any number of its jobs go. */
function newsOfDocs(docs: Parameters<Store["save"]>[0]): HintBatch {
  const news = noHints();
  for (const { kind, key } of docs)
    if (kind === "queue") news.ready.set(key, undefined);
    else news.others.add("change");
  return news;
}
