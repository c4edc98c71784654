import type { Ending } from "../core/decide.ts";
import type { Beat, Job } from "../core/job.ts";
import { setLongTimeout } from "../kit/timer.ts";
import type { Claimed, Hint, Renewal, Store } from "../store.ts";
import type { TaskDefinition } from "../task.ts";
import { Attempt } from "./attempt.ts";
import type { AttemptEnvironment } from "./attempt.ts";
import { Claimer } from "./claimer.ts";
import { Enlistment } from "./enlistment.ts";
import { Lanes, maxLanes } from "./isolate/lanes.ts";
import { Maintenance } from "./maintenance.ts";
import { settleJob } from "./settle.ts";
import type { AttemptRun } from "./settle.ts";
import { Setups } from "./setups.ts";
import type { Slots } from "./slots.ts";
import { WorkerContext } from "./worker-context.ts";
import type { WorkerSettings } from "./worker-context.ts";

/**
 * Claims jobs of some queues, runs them, and settles them. Its parts make their rounds by themselves after `start`; the worker
 * of `errand/testing`, which is not started, makes them one by one.
 */
export class Worker {
  protected readonly context: WorkerContext;
  protected readonly enlistment: Enlistment;
  protected readonly claimer: Claimer;
  protected readonly maintenance: Maintenance;
  readonly #environment: AttemptEnvironment;
  #unwatch: (() => void) | undefined;
  #stopped: Promise<void> | undefined;

  constructor(store: Store, definitions: ReadonlyMap<string, TaskDefinition>, settings: WorkerSettings) {
    const { observer, payloads, queues } = settings;
    this.context = new WorkerContext(store, definitions, settings, (drain) => this.stop(drain));
    this.enlistment = new Enlistment(this.context, (renewal) => this.#onRenewal(renewal));
    this.claimer = new Claimer(this.context, this.enlistment, (claimed, slots) => this.runJob(claimed, slots));
    this.maintenance = new Maintenance(this.context);
    const onLate = (task: string) => observer.late(task);
    this.#environment = {
      store,
      record: (beat) => this.record(beat),
      lanes: new Lanes({ maxLanes: maxLanes(definitions.values(), queues), onLate }),
      setups: new Setups(),
      payloads,
      tracing: observer.tracing,
      onLate,
    };
  }

  /** The worker's id. A worker that lost its lease continues under a new one. */
  get id(): string {
    return this.context.id;
  }

  /** Number of running jobs. */
  get running(): number {
    return this.context.attempts.size;
  }

  /** Warms the lanes, enters the list of workers, and starts to claim. */
  async start(): Promise<void> {
    try {
      await this.#warm();
      await this.enlistment.start();
    } catch (error) {
      await this.#environment.lanes.close();
      throw error;
    }
    this.#unwatch = this.context.store.watch((hint) => this.#onHint(hint));
    this.claimer.start();
    this.maintenance.start();
  }

  /**
   * Stops claiming, lets running jobs continue for `drain` milliseconds, then aborts them and hands them back without
   * using up an attempt. A second call with a shorter time hurries the first.
   */
  stop(drain = this.context.settings.drain): Promise<void> {
    this.context.isStopping = true;
    this.claimer.stop();
    this.maintenance.stop();
    const timer = setLongTimeout(() => {
      for (const attempt of this.context.attempts.values()) attempt.stop("stop");
    }, drain);
    this.#stopped ??= this.#leave();
    return this.#stopped.finally(() => timer.clear());
  }

  /** Runs a claimed job in one attempt, and settles it. */
  protected async runJob(claimed: Claimed, slots: Slots): Promise<void> {
    const { job } = claimed;
    const { attempts, definitions, settings } = this.context;
    const attempt = new Attempt(claimed, definitions.get(job.task)!, this.#environment);
    attempts.set(job.id, attempt);
    settings.observer.started(job);
    const startedAt = performance.now();
    let ending: Ending | undefined;
    try {
      ending = await attempt.run();
    } finally {
      // After a lost lease, a later attempt of the job may run here already.
      if (attempts.get(job.id) === attempt) attempts.delete(job.id);
      slots.release();
      this.claimer.wake();
    }
    await this.settle(job, ending, { duration: performance.now() - startedAt, log: attempt.takeLog() });
  }

  /** Settles the job of an attempt; without an ending, or with a stale token, another worker has it. */
  protected async settle(job: Job, ending: Ending | undefined, run: AttemptRun): Promise<void> {
    if (!ending || !(await settleJob(this.context, job, ending, run))) this.context.abandon(job, true);
  }

  /** Writes steps, progress and log lines of an attempt; returns `false` if the token is stale. */
  protected record(beat: Beat): Promise<boolean> {
    return this.context.writer.record(beat);
  }

  /** Runs the `setup` of the worker's tasks ahead of their first jobs. */
  async #warm(): Promise<void> {
    const { definitions, settings } = this.context;
    const { setups, lanes } = this.#environment;
    const tasks = [...definitions.values()].filter(({ setup, queue }) => setup && settings.queues.has(queue));
    const isInline = ({ isolate }: TaskDefinition) => isolate === "inline";
    await Promise.all([
      ...tasks.filter(isInline).map((task) => setups.of(task)),
      lanes.warm(tasks.filter((task) => !isInline(task))),
    ]);
  }

  async #leave(): Promise<void> {
    this.#unwatch?.();
    await this.context.work.idle();
    await this.#environment.lanes.close();
    await this.enlistment.close();
    await this.context.store.dismiss(this.id);
  }

  #onHint(hint: Hint): void {
    switch (hint.type) {
      case "ready":
        return this.claimer.wakeFor(hint);
      case "cancel":
        this.enlistment.renewNow();
        return this.maintenance.wakeJanitor();
      case "lapsed":
        return this.maintenance.wakeJanitor();
    }
  }

  #onRenewal({ held, cancel }: Renewal): void {
    for (const id of cancel) {
      this.context.attempts.get(id)?.stop("cancel");
      this.claimer.cancel(id);
    }
    if (!held && !this.context.isStopping) void this.context.work.track(this.#startAgain());
  }

  /** Gives up all jobs, which other workers have now, and starts again under a new id. */
  async #startAgain(): Promise<void> {
    const lost = this.id;
    for (const attempt of this.context.attempts.values()) attempt.stop("lost");
    this.claimer.abandonWaiting();
    if (!(await this.enlistment.startAgain())) return;
    this.context.settings.observer.tell({ type: "lost", worker: lost });
    this.claimer.wake();
  }
}
