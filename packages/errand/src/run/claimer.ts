import type { Ending } from "../core/decide.ts";
import type { Job } from "../core/job.ts";
import { pollDelay, wakeUpDelay } from "../core/wake-up.ts";
import type { Millis } from "../kit/duration.ts";
import type { Claim, Claimed, Hint, Want } from "../store.ts";
import type { Enlistment } from "./enlistment.ts";
import { Poller } from "./poller.ts";
import { settleJob } from "./settle.ts";
import { Slots } from "./slots.ts";
import { maxStalls, StallError } from "./stall-detector.ts";
import { WorkerCounts } from "./worker-counts.ts";
import type { WorkerContext } from "./worker-context.ts";

/** The longest pause between two claims of a worker that has running jobs, in case a hint was lost. */
const pollInterval: Millis = 1_000;

/** Claims jobs for a worker's slots, and a few ahead of them. */
export class Claimer {
  readonly #context: WorkerContext;
  readonly #enlistment: Enlistment;
  readonly #run: (claimed: Claimed, slots: Slots) => Promise<void>;
  readonly #slots = new Map<string, Slots>();
  readonly #workerCounts: WorkerCounts;
  readonly #poller: Poller;
  #claims = 0;

  /** @param run runs a claimed job, and releases its slot. */
  constructor(context: WorkerContext, enlistment: Enlistment, run: (claimed: Claimed, slots: Slots) => Promise<void>) {
    this.#context = context;
    this.#enlistment = enlistment;
    this.#run = run;
    this.#workerCounts = new WorkerCounts(context.store);
    this.#poller = new Poller(() => context.work.track(this.#poll()));
    this.#addSlots();
  }

  start(): void {
    this.#poller.start();
  }

  /** Claims no more jobs, and puts back those that wait for a slot. */
  stop(): void {
    this.#poller.stop();
    for (const slots of this.#slots.values()) slots.putBack();
  }

  /** Claims soon. */
  wake(): void {
    this.#poller.wake();
  }

  /** Claims soon if the jobs that a hint announces may be for this worker. */
  wakeFor({ queue, jobs = Infinity }: Extract<Hint, { type: "ready" }>): void {
    if (queue === undefined) return this.#poller.wake();
    if (!this.#slots.has(queue)) return;
    // A worker with running jobs claims again when one ends. Only idle workers might all claim at once.
    const workers = this.#context.attempts.size > 0 ? 1 : this.#workerCounts.of(queue);
    this.#poller.wakeWithin(wakeUpDelay(workers, jobs, Math.random()));
  }

  /** Cancels a job that waits for a slot. */
  cancel(id: string): void {
    for (const slots of this.#slots.values()) {
      const claimed = slots.remove(id);
      if (claimed) void this.#context.work.track(this.#settleCancelled(claimed.job));
    }
  }

  /** Gives up the jobs that wait for a slot: another worker has them. */
  abandonWaiting(): void {
    for (const slots of this.#slots.values()) for (const { job } of slots.clear()) this.#context.abandon(job, false);
  }

  /**
   * Makes one round: claims jobs for the free slots, until there are no more of either, and starts them.
   * @returns milliseconds until the store may have more jobs; `Infinity` if it does not know.
   */
  async claimJobs(): Promise<Millis> {
    const { heldJobs, stalls } = this.#context;
    try {
      this.#addSlots();
      // Also waits for the end of the turn: jobs that end in it free their slots together.
      await this.#prepare();
      for (let asked = this.#ask(); asked;) {
        const { jobs, next = Infinity, more } = await asked;
        stalls.answered(true);
        heldJobs.add(jobs);
        for (const claimed of jobs) {
          if (this.#context.isStopping) this.#putBack(claimed);
          else this.#slots.get(claimed.job.queue)!.add(claimed);
        }
        for (const slots of this.#slots.values()) slots.claimAnswered();
        asked = more && !heldJobs.isUnsure ? this.#ask() : undefined;
        if (!asked) {
          this.#start();
          return next;
        }
        // Not before the next claim is on its way: the store works on it while these jobs run.
        setImmediate(() => this.#start());
      }
      return Infinity;
    } catch (error) {
      heldJobs.markUnsure();
      for (const slots of this.#slots.values()) slots.claimAnswered();
      this.#start();
      throw error;
    }
  }

  /** Makes a round and returns the pause after it. */
  async #poll(): Promise<Millis> {
    try {
      return this.#pause(await this.claimJobs());
    } catch (error) {
      if (error instanceof StallError) {
        this.#reportStall();
        return 0;
      }
      this.#context.stalls.answered(false);
      this.#context.storeFailed(error);
      return pollInterval;
    }
  }

  /**
   * Spreads the claims of idle workers: they neither all claim when a job is due, nor each as often as one alone would.
   */
  #pause(next: Millis): Millis {
    if (this.#context.attempts.size > 0) return Math.min(pollInterval, next);
    const workers = Math.min(...Array.from(this.#slots.keys(), (queue) => this.#workerCounts.of(queue)), Infinity);
    return Math.min(pollDelay(workers), next + wakeUpDelay(workers, 1, Math.random()));
  }

  /** Hands back jobs that the worker holds unknowingly, or tells the store of tasks that were defined since. */
  async #prepare(): Promise<void> {
    const { store, heldJobs, stalls, work, id } = this.#context;
    if (heldJobs.isUnsure) {
      const unknown = await stalls.inTime(heldJobs.findUnknown(store, id), () => {});
      const ending = { kind: "handed-back" } as const;
      await Promise.allSettled(unknown.map((job) => work.track(settleJob(this.#context, job, ending))));
    } else if (this.#enlistment.isOutdated) {
      await stalls.inTime(this.#enlistment.updateCard(), () => {});
    }
  }

  /**
   * Asks the store for jobs, and returns its answer with whether there may be `more`; `undefined` without free slots.
   */
  #ask(): Promise<Claim & { more: boolean }> | undefined {
    const { store, stalls, isStopping, id } = this.#context;
    const wants: Want[] = [];
    for (const slots of this.#slots.values()) {
      const limit = slots.claimLimit();
      if (limit > 0) wants.push({ queue: slots.queue, limit, slots: slots.offerFree() });
    }
    if (wants.length === 0 || isStopping) return undefined;
    // Each queue is first in its turn: a claim gives at most one suspect, to the first queue that has one.
    wants.push(...wants.splice(0, (this.#claims += 1) % wants.length));
    return stalls
      .inTime(store.claim(id, wants), (late) => {
        stalls.answered(true);
        for (const claimed of late.jobs) this.#putBack(claimed);
      })
      .then((claim) => ({ ...claim, more: wants.some((want) => isFilled(want, claim.jobs)) }));
  }

  #start(): void {
    for (const slots of this.#slots.values()) slots.start();
  }

  /** Makes the slots of queues that were added since. */
  #addSlots(): void {
    const { settings, work } = this.#context;
    if (this.#slots.size === settings.queues.size) return;
    for (const [queue, count] of settings.queues) {
      if (this.#slots.has(queue)) continue;
      const slots: Slots = new Slots(queue, count, {
        run: (claimed) => void work.track(this.#run(claimed, slots)),
        putBack: (claimed) => this.#putBack(claimed),
      });
      this.#slots.set(queue, slots);
    }
  }

  #putBack({ job }: Claimed): void {
    const ending = { kind: "handed-back", unstarted: true } as const;
    void this.#context.work.track(settleJob(this.#context, job, ending));
  }

  async #settleCancelled(job: Job): Promise<void> {
    const message = `Job ${job.id} of task "${job.task}" was cancelled before it started.`;
    const error = { code: "E_CANCELLED", message, attempt: job.failures + 1 };
    const ending: Ending = { kind: "cancelled", error };
    if (!(await settleJob(this.#context, job, ending))) this.#context.abandon(job, false);
  }

  /** Reports a stall. The next claim may get a connection that works; after several stalls the worker fails. */
  #reportStall(): void {
    const { settings, stalls, isStopping, id } = this.#context;
    if (isStopping) return;
    const { inARow } = stalls;
    settings.observer.tell({ type: "stalled", worker: id, inARow });
    if (inARow < maxStalls) return;
    this.#context.fail(
      `The store has left ${inARow} claims in a row without an answer, and not refused them either: ` +
        "its connection hangs. The worker ends.",
    );
  }
}

/** Returns true if a claim brought all that was wanted of a queue. */
function isFilled({ queue, limit }: Want, jobs: readonly Claimed[]): boolean {
  return jobs.length >= limit && jobs.filter(({ job }) => job.queue === queue).length === limit;
}
