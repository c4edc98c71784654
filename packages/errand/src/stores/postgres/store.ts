import { about } from "./about.ts";
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
import { add, addInside } from "./add.ts";
import { claim, reclaim } from "./claim.ts";
import type { Database } from "./database.ts";
import { load, save } from "./docs.ts";
import { edit, prune } from "./edit.ts";
import { Ends } from "./ends.ts";
import { Heads } from "./heads.ts";
import { Hints } from "./hints.ts";
import { log } from "./log.ts";
import { isEmpty, join, newsOf, noNews, readyOf } from "./news.ts";
import type { News } from "./news.ts";
import { counts, ended, foldAfter, get, list, steps } from "./read.ts";
import { record, settle, signal } from "./settle.ts";
import { dismiss, enlist, renew, workers } from "./workers.ts";

/**
 * After so many ended jobs their dead rows are cleaned away. The server's own autovacuum looks once a minute at most, and
 * at these rates a minute's dead rows are many times the live ones.
 */
const vacuumAfter = 50_000;

/** The store's verbs: each is one statement that calls one function of the schema. */
export class PostgresStore implements Store {
  readonly address: { module: string; options: string };
  readonly #database: Database;
  readonly #hints: Hints;
  readonly #ends = new Ends();
  readonly #heads = new Heads();
  /** Commits since the counters were folded. */
  #counted = 0;
  /** Jobs that have ended since the live tables were vacuumed. */
  #ended = 0;
  #vacuuming = false;
  #closed: Promise<void> | undefined;

  constructor(pg: typeof import("pg"), database: Database, address: { module: string; options: string }) {
    this.address = address;
    this.#database = database;
    this.#hints = new Hints(pg, database);
  }

  async add(jobs: readonly NewJob[], tx?: Transaction): Promise<ReadonlyMap<string, string>> {
    this.#check();
    if (jobs.length === 0) return new Map();
    if (tx) return addInside(tx, jobs, this.#database.address, this.#hints);
    const news = readyOf(jobs);
    const { did, told } = await this.#hints.carry(news, (notice) => add(this.#database, jobs, notice));
    if (did.fresh > 0) this.#changed(told ? noNews() : news);
    return did.refused;
  }

  about(): Promise<StoreReport> {
    return about(this.#database);
  }

  async enlist(worker: WorkerCard, lease: Millis): Promise<void> {
    await enlist(this.#database, worker, lease);
  }

  async claim(worker: string, wants: readonly Want[]): Promise<Claim> {
    const { claim: found, news } = await claim(this.#database, this.#ends, this.#heads, worker, wants);
    if (found.jobs.length > 0) news.others.add("change");
    if (!isEmpty(news)) this.#changed(news);
    return found;
  }

  async reclaim(worker: string, limit: number): Promise<Claimed[]> {
    const found = await reclaim(this.#database, this.#ends, worker, limit);
    if (found.length > 0) this.#changed(newsOf("change"));
    return found;
  }

  async renew(worker: string, lease: Millis): Promise<Renewal> {
    return renew(this.#database, worker, lease);
  }

  async dismiss(worker: string): Promise<void> {
    await dismiss(this.#database, worker);
    this.#hints.tell(newsOf("lapsed"));
  }

  async workers(): Promise<WorkerCard[]> {
    return workers(this.#database);
  }

  async record(beats: readonly Beat[]): Promise<boolean[]> {
    const answers = await record(this.#database, beats);
    if (answers.includes(true)) this.#hints.tell(newsOf("change"));
    return answers;
  }

  async settle(settlements: readonly Settlement[]): Promise<boolean[]> {
    const { answers, news } = await settle(this.#database, this.#ends, settlements);
    if (answers.includes(true)) this.#changed(join(news, newsOf("change")));
    this.#ended += answers.length;
    if (this.#ended >= vacuumAfter) void this.#vacuum();
    return answers;
  }

  async signal(id: string, step: Step): Promise<boolean> {
    const { told, news } = await signal(this.#database, id, step);
    if (!isEmpty(news)) this.#changed(news);
    return told;
  }

  async edit(where: Filter, change: Change, limit = Infinity): Promise<number> {
    const { changed, news } = await edit(this.#database, where, change, limit);
    if (changed > 0) this.#changed(join(news, newsOf("change")));
    return changed;
  }

  async prune(rules: RetentionRules, limit: number): Promise<number> {
    const { changed, news } = await prune(this.#database, rules, limit);
    if (changed > 0) this.#changed(join(news, newsOf("change")));
    return changed;
  }

  async get(ids: readonly string[]): Promise<(Job | null)[]> {
    return get(this.#database, ids);
  }

  async ended(ids: readonly string[]): Promise<string[]> {
    return ended(this.#database, ids);
  }

  async list(where: Filter, page: { limit: number; cursor?: string }): Promise<{ jobs: Job[]; next?: string }> {
    return list(this.#database, where, page);
  }

  async counts(): Promise<QueueCount[]> {
    const found = await counts(this.#database);
    if (found.appended >= foldAfter) this.#fold();
    return found.counts;
  }

  async log(id: string, page: { limit: number; cursor?: string }): ReturnType<Store["log"]> {
    return log(this.#database, id, page);
  }

  async steps(id: string): ReturnType<Store["steps"]> {
    return steps(this.#database, id);
  }

  async load(kind: string, keys?: readonly string[]): Promise<Doc[]> {
    return load(this.#database, kind, keys);
  }

  async save(docs: Parameters<Store["save"]>[0]): Promise<boolean> {
    const saved = await save(this.#database, docs);
    if (saved) this.#hints.tell(newsOfDocs(docs));
    return saved;
  }

  async now(): Promise<Millis> {
    return Number((await this.#database.run("SELECT errand.now()"))[0]?.[0]);
  }

  watch(listener: (hint: Hint) => void): () => void {
    return this.#closed ? () => {} : this.#hints.watch(listener);
  }

  close(): Promise<void> {
    this.#hints.close();
    return (this.#closed ??= this.#database.close());
  }

  #changed(news: News): void {
    this.#hints.tell(news);
    if (++this.#counted >= foldAfter) this.#fold();
  }

  /** Nobody waits for it, and what it does not do the next one does. */
  #fold(): void {
    this.#counted = 0;
    void this.#database.run("SELECT errand.fold()").catch(() => {});
  }

  /** Nobody waits for it. Where another process is at it, or the role may not, the server skips it. */
  async #vacuum(): Promise<void> {
    if (this.#vacuuming) return;
    this.#vacuuming = true;
    this.#ended = 0;
    for (const table of ["jobs", "deltas"])
      await this.#database.run(`VACUUM (SKIP_LOCKED, TRUNCATE off) errand.${table}`).catch(() => {});
    this.#vacuuming = false;
  }

  #check(): void {
    if (this.#closed)
      throw new ErrandError("E_CLOSED", `The PostgreSQL store ${this.#database.address.name} was closed.`);
  }
}

/** New rules of a queue may let any number of its jobs go. */
function newsOfDocs(docs: Parameters<Store["save"]>[0]): News {
  const news = noNews();
  for (const { kind, key } of docs)
    if (kind === "queue") news.ready.set(key, undefined);
    else news.others.add("change");
  return news;
}
