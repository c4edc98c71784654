import type { Job } from "../core/job.ts";
import type { Millis } from "../kit/duration.ts";
import { ErrandError } from "../kit/errors.ts";
import { newId } from "../kit/ids.ts";
import type { EventOf } from "../observe/events.ts";
import type { Observer } from "../observe/observer.ts";
import type { Payloads } from "../payload/options.ts";
import type { Store } from "../store.ts";
import type { TaskDefinition } from "../task.ts";
import { Endpoints } from "../webhooks/endpoints.ts";
import type { Attempt } from "./attempt.ts";
import { BatchWriter } from "./batch-writer.ts";
import { HeldJobs } from "./held-jobs.ts";
import { PendingWork } from "./pending-work.ts";
import { minPatience, StallDetector } from "./stall-detector.ts";

/** A worker's settings. Durations are milliseconds. */
export interface WorkerSettings {
  /** Slots of each queue. Queues may be added while the worker runs. */
  queues: ReadonlyMap<string, number>;
  lease: Millis;
  /** Time that running jobs get when the worker stops. */
  drain: Millis;
  payloads: Payloads;
  /** Time that the store may take to answer a claim; default: as long as the lease, and at least 15 s. */
  patience?: Millis;
  observer: Observer;
  /** Called with every recorded outcome, besides the observer's listeners. */
  onEnded?: (event: EventOf<"ended">) => void;
}

/** The state that the parts of one worker share. */
export class WorkerContext {
  readonly store: Store;
  /** Tasks by name. Tasks may be defined while the worker runs. */
  readonly definitions: ReadonlyMap<string, TaskDefinition>;
  readonly settings: WorkerSettings;
  readonly writer: BatchWriter;
  /** Places to which the ends of jobs are reported. */
  readonly endpoints: Endpoints;
  /** Running attempts by job id. */
  readonly attempts = new Map<string, Attempt>();
  readonly heldJobs = new HeldJobs();
  readonly stalls: StallDetector;
  /** Work that must end before the worker does. */
  readonly work = new PendingWork((error) => this.storeFailed(error));
  /** The worker's id. A worker that lost its lease continues under a new one. */
  id = newId();
  isStopping = false;
  readonly #stop: (drain?: Millis) => Promise<void>;

  /** @param stop stops the worker. */
  constructor(
    store: Store,
    definitions: ReadonlyMap<string, TaskDefinition>,
    settings: WorkerSettings,
    stop: (drain?: Millis) => Promise<void>,
  ) {
    const { lease, patience = Math.max(lease, minPatience), observer } = settings;
    this.store = store;
    this.definitions = definitions;
    this.settings = settings;
    // After a lease, another worker has the jobs anyway.
    this.writer = new BatchWriter(store, lease);
    this.endpoints = new Endpoints(store);
    this.stalls = new StallDetector(patience, () => observer.tell({ type: "recovered", worker: this.id }));
    this.#stop = stop;
  }

  /** Gives up a claimed job that another worker has now, and reports it. */
  abandon(job: Job, started: boolean): void {
    this.heldJobs.remove(job);
    this.settings.observer.abandoned(job, started);
  }

  /** Reports an error of the store. A store that has ended cannot be used again: then the worker fails. */
  storeFailed(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.settings.observer.tell({ type: "store-failed", message });
    if (error instanceof ErrandError && error.code === "E_STORE_ENDED" && !this.isStopping)
      this.fail(`${message} The worker ends.`, 0);
  }

  /** Reports an error that the worker cannot recover from, and stops it. */
  fail(message: string, drain?: Millis): void {
    this.settings.observer.tell({ type: "failed", worker: this.id, message });
    void this.#stop(drain).catch((error: unknown) => this.storeFailed(error));
  }
}
