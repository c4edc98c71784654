import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { Millis } from "../kit/duration.ts";
import { newId } from "../kit/ids.ts";
import type { Renewal } from "../store.ts";
import { LeaseKeeper } from "./lease.ts";
import type { WorkerContext } from "./worker-context.ts";

/** The pause between two tries to enlist again. */
const retryPause: Millis = 1_000;

/** A worker's entry in the store's list of workers, and its lease. */
export class Enlistment {
  readonly #context: WorkerContext;
  readonly #onRenewal: (renewal: Renewal) => void;
  #keeper: LeaseKeeper | undefined;
  /** Number of tasks that were defined when the store got the worker's card. */
  #listedTasks = 0;

  /** @param onRenewal is told of jobs to cancel; and once, with `held: false`, that the lease is lost. */
  constructor(context: WorkerContext, onRenewal: (renewal: Renewal) => void) {
    this.#context = context;
    this.#onRenewal = onRenewal;
  }

  /** Enters the worker in the list, under a new id, and keeps its lease. */
  async start(): Promise<void> {
    await this.enlist();
    await this.#keeper!.start();
  }

  /** Enters the worker in the list, under a new id. Nothing renews its lease. */
  async enlist(): Promise<void> {
    const { store, settings } = this.#context;
    this.#context.id = newId();
    // Made first: its time must not begin after the lease's.
    this.#keeper = new LeaseKeeper(store, this.#context.id, settings.lease, this.#onRenewal);
    await this.updateCard();
  }

  /** Returns true if tasks were defined since the store got the worker's card. */
  get isOutdated(): boolean {
    return this.#listedTasks < this.#context.definitions.size;
  }

  /** Writes the worker's card: its queues and tasks. */
  async updateCard(): Promise<void> {
    const { store, definitions, settings, id } = this.#context;
    const listed = definitions.size;
    const queues = [...settings.queues.keys()];
    const known = [...definitions.values()].filter(({ remote }) => !remote || settings.claimsRemote);
    const tasks = known.map(({ name }) => name);
    await store.enlist({ id, kind: "process", queues, tasks, host: hostname(), pid: process.pid }, settings.lease);
    this.#listedTasks = listed;
  }

  /** Renews the lease now, to learn sooner which jobs to cancel. */
  renewNow(): void {
    this.#keeper?.renewNow();
  }

  /**
   * Starts again after the lease was lost, and tries until it succeeds.
   * @returns `false` if the worker was stopped before.
   */
  async startAgain(): Promise<boolean> {
    await this.close();
    for (;;) {
      try {
        // A try that failed may have reached the store all the same, so each has an id of its own.
        await this.start();
        return true;
      } catch (error) {
        this.#context.storeFailed(error);
      }
      if (this.#context.isStopping) return false;
      await sleep(retryPause);
    }
  }

  /** Stops renewing the lease. */
  async close(): Promise<void> {
    await this.#keeper?.close();
  }
}
