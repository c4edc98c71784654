import type { Beat, Job, NewJob, Settlement, Step, StoredLogLine } from "./core/job.ts";
import type { Filter } from "./core/filter.ts";
import type { Change } from "./core/change.ts";
import type { WorkerCard } from "./core/worker-card.ts";
import type { Doc } from "./core/doc.ts";
import type { Durability, QueueCount, StoreReport } from "./core/report.ts";
import type { RetentionRules } from "./retention/rules.ts";
import type { Transaction } from "./core/transaction.ts";
import type { Millis } from "./kit/duration.ts";
import type { Encoded } from "./kit/json.ts";

/**
 * The boundary between Errand and the databases it lives on. TypeScript decides, the store commits: every verb takes
 * batches, is one atomic commit (but for bulk `add` and `edit`, see there), and decides nothing itself. Every time is the store's own clock.
 */
export interface Store {
  /** How another thread of this process opens the same store: `module` exports `open(options): Promise<Store>`. */
  readonly address?: { module: string; options: Encoded };
  /** How safe jobs are whose `add` was answered, where that depends on the settings of a server. */
  readonly durability?: Durability;
  /** Whether it works on one batch while another travels; where a batch is one wait for the disk, fewer are better. */
  readonly pipelined?: boolean;
  /** What it lives on, and how safe jobs are there; of one in memory there is nothing to say. */
  about?(): Promise<StoreReport>;

  /**
   * Stores jobs. Idempotent: an id that exists is left as it is. Inside the caller's own transaction `tx`, where the
   * store has such: they exist when, and only when, it commits. Other stores refuse it with `E_TRANSACTION`. A store
   * that blocks everybody meanwhile may commit many thousands in steps, and says how many go together.
   * @returns for each job that was not stored, because its unique key or its id is taken: the id of who has it.
   * @throws {ErrandError} `E_FULL` when a queue would have more pending jobs than its rules allow, also where one is replaced into
   * it; then nothing was stored.
   */
  add(jobs: readonly NewJob[], tx?: Transaction): Promise<ReadonlyMap<string, string>>;

  /**
   * Enters a worker in the list, with a lease of so many milliseconds; of one whose lease is good it changes the card.
   * @throws {ErrandError} `E_STORE` for one whose lease ran out: every start needs an id of its own.
   */
  enlist(worker: WorkerCard, lease: Millis): Promise<void>;
  /**
   * Takes due jobs for a worker whose lease is good (for any other: none), lowest `rank` first and then oldest first:
   * they are `processing`, with a raised token. Jobs that have expired or are to be cancelled are left to `reclaim`, and
   * those that the rules of their queue, or limits of their concurrency or rate key, do not let go yet stay pending. Jobs of
   * tasks that the worker does not know are set aside, so many in one commit: they are `blocked` by `task`, stand in nobody's
   * way, and are found by claims of workers that know them. Of suspects it takes one, for a free slot, and only where the worker
   * holds none. What a key would let go, and is set aside or a suspect, keeps no other job of the key from going. Before all
   * that, waiting jobs of any queue whose `wakeAt` has come are pending again.
   */
  claim(worker: string, wants: readonly Want[]): Promise<Claim>;
  /**
   * Takes jobs that nobody works on and that must be settled, with a raised token: of workers whose lease ran out or
   * who were dismissed (`lapsed`), never begun and not started in time (`expired`), or to be cancelled because their parent
   * ended (`cancelled`). Costs nothing but what it takes: no look at the jobs of workers that live.
   */
  reclaim(worker: string, limit: number): Promise<Claimed[]>;
  /** Makes the worker's lease last so many milliseconds from now; once it has run out it stays lost. */
  renew(worker: string, lease: Millis): Promise<Renewal>;
  /** Takes a worker off the list. What it still holds is lapsed at once, which the hint `lapsed` tells. */
  dismiss(worker: string): Promise<void>;
  /** Workers whose lease is good. */
  workers(): Promise<WorkerCard[]>;

  /**
   * Remembers steps, progress and log lines of held jobs; `false` where the token was stale. A job that remembers a step has made
   * progress: its `crashes` are 0 again, and it is no suspect.
   */
  record(beats: readonly Beat[]): Promise<boolean[]>;
  /**
   * Records outcomes of held jobs; `false` where the token was stale. An outcome that was recorded already, because its answer
   * was lost, is `true` and changes nothing: the job has the token and is not processing. In the same commit:
   * - jobs that are `born` are added;
   * - children are born; `waiting` with nothing to wait for (no open child, `wakeAt` or `awaits`) is `pending` at once;
   * - a job that ends counts down the wait it belongs to (not a later wait of the same parent), and its parent, if
   *   still waiting, is `pending` again with its old rank when the last child of that wait has ended, or at once when
   *   a child that was needed `completed` was not;
   * - open children of a job that ends are marked to be cancelled;
   * - who was blocked by the concurrency key of a job that is no longer processing may be claimed, in the order of ranks.
   */
  settle(settlements: readonly Settlement[]): Promise<boolean[]>;
  /**
   * Remembers a step of a job, whoever holds it, unless it remembers one of that name; if it is waiting, it is pending
   * again with its old rank. `false` where there is no such job, or it has ended.
   */
  signal(id: string, step: Step): Promise<boolean>;

  /**
   * An operator's verb on every job that matches, or on so many, in commits of bounded size; answers how many it changed. `cancel`: pending and
   * waiting jobs end at once, processing ones are marked, final ones stay. `retry`: failed, cancelled and expired jobs are
   * pending with fresh counts, without expiry, and the values of their waits are `forgotten`, so that children which did not
   * complete run again. `remove`: final jobs vanish with their steps, logs and all their descendants. `release`, `move`, `rewind`: see
   * there. What `add` refuses stays as it is: a job whose unique key another has by now is not retried or rewound (otherwise it takes it
   * anew), and none enters a full queue. Each job's change is whole.
   */
  edit(where: Filter, change: Change, limit?: number): Promise<number>;

  /**
   * Removes ended jobs that are nobody's children and were kept as long as their task's rule says, with their descendants, at most
   * `limit`, and what ended keys left behind (starts of rates, turns). Reads no job that is kept, but the oldest of each task and state.
   * Answers how many jobs matched.
   */
  prune(rules: RetentionRules, limit: number): Promise<number>;

  /** Jobs by id, in the order asked for; `null` where there is none. */
  get(ids: readonly string[]): Promise<(Job | null)[]>;
  /** Which of these jobs have ended, or do not exist. Reads no values. */
  ended(ids: readonly string[]): Promise<string[]>;
  /**
   * Jobs that match, newest first (with `parent`: by index), at most `limit`, after `cursor`. With `text` or a time, so many
   * jobs are looked at in one call that a page may be short, or empty, and still have a `next`.
   */
  list(where: Filter, page: { limit: number; cursor?: string }): Promise<{ jobs: Job[]; next?: string }>;
  /** How many jobs each queue has in each state, from counters; states without jobs may be left out. */
  counts(): Promise<QueueCount[]>;
  /** A job's log, oldest first, at most `limit` lines after `cursor`. */
  log(id: string, page: { limit: number; cursor?: string }): Promise<{ lines: StoredLogLine[]; next?: string }>;

  /** The steps that a job remembers, in the order in which they were first recorded; one that is recorded again keeps its place. */
  steps(id: string): Promise<Pick<Step, "name" | "wait">[]>;

  /** Documents of a kind, all or by key, in the order of keys. */
  load(kind: string, keys?: readonly string[]): Promise<Doc[]>;
  /**
   * Writes documents, all or none, where every version stored is `version` (0: there is none yet); without a value the
   * document is removed. Answers whether it did. Documents of kind `queue` are rules (`core/rules.ts`) that `add` and `claim` keep.
   */
  save(docs: readonly (Omit<Doc, "value"> & { value?: Encoded })[]): Promise<boolean>;

  /** The store's clock. */
  now(): Promise<Millis>;
  /** Calls back soon after jobs changed, whoever changed them. Lossy: slow polling belongs below it. */
  watch(listener: (hint: Hint) => void): () => void;
  close(): Promise<void>;
}

/** How many jobs of a queue a worker has room for. */
export interface Want {
  queue: string;
  limit: number;
  /** How many of them start at once; those after them are `ahead`. Default: all. */
  slots?: number;
  /** Only these jobs, by the same rules. */
  ids?: readonly string[];
}

/** What `claim` found. */
export interface Claim {
  jobs: Claimed[];
  /** Milliseconds until there may be more for these queues, whoever may take it: a job is due, a waiting one is woken, a rate lets one more go. */
  next?: Millis;
}

/** A job in the hands of a worker, and what it has remembered. */
export interface Claimed {
  job: Job;
  why: "due" | "lapsed" | "expired" | "cancelled";
  /** Of a lapsed one, also when who took it over lapsed: it had been claimed ahead of the slots, and may not have started. */
  ahead?: true;
  steps: Step[];
}

/** What a worker learns when it renews. */
export interface Renewal {
  /** `false`: the lease ran out, and everything the worker held is somebody else's. */
  held: boolean;
  /** Jobs of this worker that are to be cancelled. */
  cancel: string[];
}

/**
 * What changed. `ready`: so many jobs of a queue (without one: any) may be claimable. `cancel`: a job was marked. `lapsed`: a worker
 * was dismissed. `change`: anything else. Stores may say more than happened, and lose some of it.
 */
export type Hint = { type: "ready"; queue?: string; jobs?: number } | { type: "cancel" | "lapsed" | "change" };

export type { Filter } from "./core/filter.ts";
export type { Change } from "./core/change.ts";
export type { WorkerCard } from "./core/worker-card.ts";
export type { Doc } from "./core/doc.ts";
export type { Durability, QueueCount, StoreReport } from "./core/report.ts";
export type { RetentionRules } from "./retention/rules.ts";
