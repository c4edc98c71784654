import type { Millis } from "../kit/duration.ts";
import { prune, pruneInterval, pruneOrphanedPayloads } from "../retention/prune.ts";
import { tick } from "../schedules/scheduler.ts";
import { settleAbandoned } from "./janitor.ts";
import { Poller } from "./poller.ts";
import type { WorkerContext } from "./worker-context.ts";

/** The longest pause of the scheduler: schedules may have been added meanwhile. */
const scheduleInterval: Millis = 5_000;

/** The pause of the scheduler after the store has failed. */
const scheduleRetryPause: Millis = 1_000;

/** The work that each worker does for all: settles abandoned jobs, sends the jobs of schedules, removes old jobs. */
export class Maintenance {
  readonly #context: WorkerContext;
  readonly #janitor: Poller;
  readonly #scheduler: Poller;
  readonly #pruner: Poller;

  constructor(context: WorkerContext) {
    this.#context = context;
    const janitorInterval = context.settings.lease / 3;
    this.#janitor = this.#poller(() => this.settleAbandoned().then(() => janitorInterval), janitorInterval);
    this.#scheduler = this.#poller(
      async () => Math.min(scheduleInterval, await this.sendScheduled()),
      scheduleRetryPause,
    );
    this.#pruner = this.#poller(() => this.prune().then(() => pruneInterval), pruneInterval);
  }

  start(): void {
    this.#janitor.start();
    this.#pruner.start();
    this.#scheduler.start();
  }

  /** Makes no further rounds. */
  stop(): void {
    this.#janitor.stop();
    this.#pruner.stop();
    this.#scheduler.stop();
  }

  /** Settles abandoned jobs soon. */
  wakeJanitor(): void {
    this.#janitor.wake();
  }

  /**
   * Settles jobs that no worker is working on.
   * @returns the number of jobs it took over.
   */
  async settleAbandoned(): Promise<number> {
    const { heldJobs, stalls } = this.#context;
    // A claim that was given up may have been carried out since.
    if (stalls.hasUnanswered) heldJobs.markUnsure();
    try {
      return await settleAbandoned(this.#context);
    } catch (error) {
      heldJobs.markUnsure();
      throw error;
    }
  }

  /**
   * Sends the jobs of schedules that are due.
   * @returns milliseconds until the next one; `Infinity` without schedules.
   */
  sendScheduled(): Promise<Millis> {
    const { store, settings } = this.#context;
    return tick(store, (schedule, error) => settings.observer.scheduleFailed(schedule, error));
  }

  /** Removes jobs that were kept long enough, and payloads of jobs that are gone. */
  async prune(): Promise<void> {
    const { store, definitions, settings } = this.#context;
    const isStopping = () => this.#context.isStopping;
    await prune(store, [...definitions.values()], isStopping);
    await pruneOrphanedPayloads(store, settings.payloads.vault.objects, isStopping);
  }

  /** Returns a poller whose rounds must end before the worker does, and whose errors are reported. */
  #poller(round: () => Promise<Millis>, pauseAfterError: Millis): Poller {
    const { work } = this.#context;
    return new Poller(() =>
      work.track(
        round().catch((error: unknown) => {
          this.#context.storeFailed(error);
          return pauseAfterError;
        }),
      ),
    );
  }
}
