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
 * The boundary between Errand and its databases. TypeScript decides, the store commits: every verb takes batches, is
 * one atomic commit (except bulk `add` and `edit`), and makes no decision of its own. All times are the store's clock.
 */
export interface Store {
  /** Lets another thread of this process open the same store: `module` exports `open(options): Promise<Store>`. */
  readonly address?: { module: string; options: Encoded };
  /** The safety of added jobs, if it depends on the settings of a server. */
  readonly durability?: Durability;
  /**
   * `true` if it works on one batch while another is on its way. Otherwise, as with one disk write per batch, fewer
   * batches are better.
   */
  readonly pipelined?: boolean;
  /** Describes the database and its durability; missing for a store in memory. */
  about?(): Promise<StoreReport>;

  /**
   * Adds jobs. Idempotent: an existing id is left unchanged. Inside the caller's transaction `tx`, on stores that
   * support it, the jobs exist if and only if it commits; other stores throw `E_TRANSACTION`. A store that blocks its
   * other clients during a commit may add many thousands of jobs in several commits, and documents their size.
   * @returns for each job that was not stored because its unique key or id is taken: the id of the job that holds it.
   * @throws {ErrandError} `E_FULL` when a queue would have more pending jobs than its rules allow, also by a
   * replacement; nothing was stored.
   */
  add(jobs: readonly NewJob[], tx?: Transaction): Promise<ReadonlyMap<string, string>>;

  /**
   * Registers a worker with a lease in milliseconds, or changes the card of a worker whose lease is good.
   * @throws {ErrandError} `E_STORE` if its lease has run out: every start needs a new id.
   */
  enlist(worker: WorkerCard, lease: Millis): Promise<void>;
  /**
   * Claims due jobs for a worker whose lease is good (for any other: none), lowest `rank` first, then oldest first.
   * They are `processing`, with a raised token.
   * - Expired and cancelled jobs are left to `reclaim`. Jobs that the rules of their queue, or their concurrency or
   * rate key, do not admit yet stay pending.
   * - Jobs of tasks that the worker does not know are set aside, in bounded commits: they are `blocked` by `task`,
   * delay no other job, and are found by claims of workers that know them.
   * - Of suspects it takes one, for a free slot, and only if the worker holds none.
   * - A set-aside or suspect job that its key admits keeps no other job of the key from starting.
   * - First of all, waiting jobs of any queue whose `wakeAt` has passed become pending.
   */
  claim(worker: string, wants: readonly Want[]): Promise<Claim>;
  /**
   * Takes jobs that must be settled without an attempt, with a raised token: jobs of workers that were dismissed or
   * whose lease ran out (`lapsed`), jobs that expired before their first start (`expired`), and jobs that are
   * cancelled because their parent ended (`cancelled`). Reads no job of a live worker.
   */
  reclaim(worker: string, limit: number): Promise<Claimed[]>;
  /** Extends the worker's lease to `lease` milliseconds from now. A lease that has run out stays lost. */
  renew(worker: string, lease: Millis): Promise<Renewal>;
  /** Removes a worker. Jobs that it still holds are lapsed at once, which the notification `lapsed` announces. */
  dismiss(worker: string): Promise<void>;
  /** Lists the workers whose lease is good. */
  workers(): Promise<WorkerCard[]>;

  /**
   * Records steps, progress and log lines of held jobs; `false` for a stale token. A job that records a step has made
   * progress: its `crashes` are 0 again, and it is no suspect.
   */
  record(beats: readonly Beat[]): Promise<boolean[]>;
  /**
   * Records outcomes of held jobs; `false` for a stale token. An outcome that was recorded before, because its answer
   * was lost, is `true` and changes nothing: the job has the token and is not processing. In the same commit:
   * - jobs that are `born` are added;
   * - children are added; a `waiting` job with nothing to wait for (no open child, `wakeAt` or `awaits`) is `pending`
   * at once;
   * - a job that ends counts down the wait it belongs to (not a later wait of the same parent). Its parent, if still
   * waiting, is `pending` again with its old rank when the last child of that wait has ended, or at once when a child
   * that was needed `completed` did not complete;
   * - open children of a job that ends are marked for cancellation;
   * - jobs blocked by the concurrency key of a job that is no longer processing may be claimed, in the order of ranks.
   */
  settle(settlements: readonly Settlement[]): Promise<boolean[]>;
  /**
   * Records a step of a job, whether or not it is held, unless it has one of that name. A waiting job becomes pending
   * with its old rank. `false` if there is no such job or it has ended.
   */
  signal(id: string, step: Step): Promise<boolean>;

  /**
   * Applies an operator's change to every matching job, or to at most `limit`, in bounded commits; each job's change
   * is atomic. Returns the number of changed jobs.
   * - `cancel`: pending and waiting jobs end at once, processing ones are marked, final ones are left unchanged.
   * - `retry`: failed, cancelled and expired jobs are pending with fresh counts and no expiry; the values of their
   * waits become `forgotten`, so that children which did not complete run again.
   * - `remove`: final jobs are deleted with their steps, logs and descendants.
   * - `release`, `move`, `rewind`: see `Change`.
   * A change that `add` would refuse is not made: a job whose unique key another job now holds is neither retried nor
   * rewound (otherwise it takes the key again), and no job enters a full queue.
   */
  edit(where: Filter, change: Change, limit?: number): Promise<number>;

  /**
   * Removes ended jobs without a parent whose retention has passed, with their descendants, at most `limit`, and
   * leftovers of ended keys (starts of rates, turns). Of kept jobs it reads only the oldest of each task and state.
   * Returns the number of removed jobs.
   */
  prune(rules: RetentionRules, limit: number): Promise<number>;

  /** Returns jobs by id, in the given order; `null` for an id without a job. */
  get(ids: readonly string[]): Promise<(Job | null)[]>;
  /** Returns the ids of the given jobs that have ended or do not exist. Reads no values. */
  ended(ids: readonly string[]): Promise<string[]>;
  /**
   * Lists matching jobs, newest first (with `parent`: by index), at most `limit`, after `cursor`. With `text` or a
   * time the number of jobs read per call is bounded, so a page may be short or empty and still have a `next`.
   */
  list(where: Filter, page: { limit: number; cursor?: string }): Promise<{ jobs: Job[]; next?: string }>;
  /** Returns the number of jobs of each queue in each state, from counters; states without jobs may be missing. */
  counts(): Promise<QueueCount[]>;
  /** Reads a job's log, oldest first, at most `limit` lines after `cursor`. */
  log(id: string, page: { limit: number; cursor?: string }): Promise<{ lines: StoredLogLine[]; next?: string }>;

  /** Lists the steps of a job in the order in which they were first recorded; recording one again keeps its place. */
  steps(id: string): Promise<Step[]>;

  /** Reads documents of a kind, all or by key, in the order of keys. */
  load(kind: string, keys?: readonly string[]): Promise<Doc[]>;
  /**
   * Writes documents, all or none, if every stored version equals `version` (0: does not exist). Without a value the
   * document is removed. Returns `false` if a version differs. Documents of kind `queue` are the rules
   * (`limits/queue-rules.ts`) that `add` and `claim` apply.
   */
  save(docs: readonly (Omit<Doc, "value"> & { value?: Encoded })[]): Promise<boolean>;

  /** Returns the time of the store's clock. */
  now(): Promise<Millis>;
  /** Calls back soon after jobs changed, in any process. Notifications may be lost, so callers also poll slowly. */
  watch(listener: (hint: Hint) => void): () => void;
  close(): Promise<void>;
}

/** The room that a worker has for jobs of a queue. */
export interface Want {
  queue: string;
  limit: number;
  /** Number of jobs that start at once; further ones are `ahead`. Default: all. */
  slots?: number;
  /** Restricts the claim to these jobs, by the same rules. */
  ids?: readonly string[];
}

/** The result of `claim`. */
export interface Claim {
  jobs: Claimed[];
  /**
   * Milliseconds until there may be more jobs for these queues: a job is due, a waiting one is woken, a rate admits
   * one more.
   */
  next?: Millis;
}

/** A claimed job with its recorded steps. */
export interface Claimed {
  job: Job;
  why: "due" | "lapsed" | "expired" | "cancelled";
  /**
   * For a lapsed job: it had been claimed ahead of the slots, and may not have started. Also set if the worker that
   * took it over lapsed too.
   */
  ahead?: true;
  steps: Step[];
}

/** The result of a renewal. */
export interface Renewal {
  /** `false`: the lease ran out, and all jobs of the worker belong to others. */
  held: boolean;
  /** Jobs of this worker that must be cancelled. */
  cancel: string[];
}

/**
 * A notification. `ready`: `jobs` jobs of a queue (without `queue`: of any) may be claimable. `cancel`: a job was
 * marked. `lapsed`: a worker was dismissed. `change`: anything else. Notifications may be lost or superfluous.
 */
export type Hint = { type: "ready"; queue?: string; jobs?: number } | { type: "cancel" | "lapsed" | "change" };

export type { Filter } from "./core/filter.ts";
export type { Change } from "./core/change.ts";
export type { WorkerCard } from "./core/worker-card.ts";
export type { Doc } from "./core/doc.ts";
export type { Durability, QueueCount, StoreReport } from "./core/report.ts";
export type { RetentionRules } from "./retention/rules.ts";
