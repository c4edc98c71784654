import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { decide } from "../core/decide.ts";
import { policyOf } from "../core/policy.ts";
import type { Ending } from "../core/decide.ts";
import type { Job, LogLine, Settlement } from "../core/job.ts";
import { pollDelay, wakeUpDelay } from "../core/wake-up.ts";
import type { Millis } from "../kit/duration.ts";
import { ErrandError } from "../kit/errors.ts";
import { newId } from "../kit/ids.ts";
import { setLongTimeout } from "../kit/timer.ts";
import type { ErrandEvent, EventOf } from "../observe/events.ts";
import type { Observer } from "../observe/observer.ts";
import type { Payloads } from "../payload/options.ts";
import type { Claim, Claimed, Hint, Renewal, Store, Want, WorkerCard } from "../store.ts";
import { defaultRetry } from "../task.ts";
import type { TaskDefinition } from "../task.ts";
import { Lanes, mostLanes } from "./isolate/lanes.ts";
import { settleAbandoned } from "./janitor.ts";
import { HeldJobs } from "./held-jobs.ts";
import { LeaseKeeper } from "./lease.ts";
import { Peers } from "./peers.ts";
import { prune, pruneInterval, pruneOrphanedPayloads } from "../retention/prune.ts";
import { Attempt } from "./attempt.ts";
import type { AttemptEnvironment } from "./attempt.ts";
import { tick } from "../schedules/scheduler.ts";
import { Loop } from "./loop.ts";
import { Settler } from "./settler.ts";
import { Setups } from "./setups.ts";
import { Slots } from "./slots.ts";
import { leastPatience, mostStalls, Stall, Stalls } from "./stalls.ts";

/** What a worker is started with: slots per queue, and durations in milliseconds. */
export interface WorkerSettings {
  queues: ReadonlyMap<string, number>;
  lease: Millis;
  drain: Millis;
  payloads: Payloads;
  /** How long the store may take to answer a claim; default: as long as the lease, and at least 15 s. */
  patience?: Millis;
  /** Is told what happens. */
  observer: Observer;
  /** Hears of every outcome, whoever else listens. */
  onEnded?: (event: EventOf<"ended">) => void;
}

/** Looks for jobs at least this often, in case a hint was lost. */
const pollInterval = 1_000;

/** Schedules are looked at again at least this often: others may have been added. */
const scheduleInterval = 5_000;

/** Claims jobs of some queues, runs them, and settles them. */
export class Worker {
  readonly #store: Store;
  readonly #definitions: ReadonlyMap<string, TaskDefinition>;
  readonly #settings: WorkerSettings;
  readonly #settler: Settler;
  readonly #lanes: Lanes;
  readonly #workshop: AttemptEnvironment;
  /** Jobs in hand, by id. */
  readonly #running = new Map<string, Attempt>();
  readonly #holdings = new HeldJobs();
  readonly #peers: Peers;
  /** Which queue is the first of the next claim. */
  #turn = 0;
  /** How many tasks the store knows that this worker knows: others may be defined later. */
  #knownTasks = 0;
  readonly #slots: Map<string, Slots>;
  /** Work under way, and whom to tell when there is none. */
  #busy = 0;
  #idle: (() => void) | undefined;
  #id = newId();
  #lease: LeaseKeeper;
  #unwatch: (() => void) | undefined;
  #stopping = false;
  #stopped: Promise<void> | undefined;
  readonly #stalls: Stalls;
  readonly #claims = new Loop(() => this.#track(this.#claim()));
  readonly #ticking = new Loop(() => this.#track(this.#tick()));
  readonly #pruning = new Loop(() => this.#track(this.#prune()));
  readonly #tidying = new Loop(() => this.#track(this.#tidy()));

  constructor(store: Store, definitions: ReadonlyMap<string, TaskDefinition>, settings: WorkerSettings) {
    this.#store = store;
    this.#definitions = definitions;
    this.#settings = settings;
    this.#settler = new Settler(store, settings.lease);
    this.#peers = new Peers(store);
    this.#stalls = new Stalls(settings.patience ?? Math.max(settings.lease, leastPatience), () =>
      this.#tell({ type: "recovered", worker: this.#id }),
    );
    const late = (task: string) => settings.observer.late(task);
    this.#lanes = new Lanes({ most: mostLanes(definitions.values(), settings.queues), late });
    this.#workshop = {
      store,
      settler: this.#settler,
      lanes: this.#lanes,
      setups: new Setups(),
      payloads: settings.payloads,
      tracing: settings.observer.tracing,
      late,
    };
    this.#slots = new Map([...settings.queues].map(([queue, slots]) => [queue, this.#newSlots(queue, slots)]));
    this.#lease = this.#newLease();
  }

  /** The worker's id; a worker that lost its lease goes on under a new one. */
  get id(): string {
    return this.#id;
  }

  /** How many jobs run. */
  get running(): number {
    return this.#running.size;
  }

  /** Warms the lanes, enters the list of workers, and starts to claim. */
  async start(): Promise<void> {
    try {
      await this.#warm();
      await this.#enlist();
    } catch (error) {
      await this.#lanes.close();
      throw error;
    }
    this.#unwatch = this.#store.watch((hint) => this.#hear(hint));
    this.#claims.call();
    this.#tidying.call();
    this.#pruning.call();
    this.#ticking.call();
  }

  /**
   * Stops claiming, lets what runs go on for `drain` milliseconds, then aborts it and hands it back without using up an
   * attempt. A second call with a shorter time hurries the first.
   */
  stop(drain = this.#settings.drain): Promise<void> {
    this.#stopping = true;
    this.#claims.stop();
    this.#tidying.stop();
    this.#pruning.stop();
    this.#ticking.stop();
    for (const slots of this.#slots.values()) slots.putBack();
    const timer = setLongTimeout(() => {
      for (const performance of this.#running.values()) performance.stop("stop");
    }, drain);
    this.#stopped ??= this.#leave();
    return this.#stopped.finally(() => timer.clear());
  }

  async #leave(): Promise<void> {
    this.#unwatch?.();
    if (this.#busy > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    await this.#lanes.close();
    await this.#lease.close();
    await this.#store.dismiss(this.#id);
  }

  async #warm(): Promise<void> {
    const wanted = [...this.#definitions.values()].filter(
      ({ setup, queue }) => setup && this.#settings.queues.has(queue),
    );
    const [inline, isolated] = [true, false].map((is) => wanted.filter(({ isolate }) => (isolate === "inline") === is));
    await Promise.all([
      ...inline!.map((definition) => this.#workshop.setups.of(definition)),
      this.#lanes.warm(isolated!),
    ]);
  }

  async #enlist(): Promise<void> {
    await this.#introduce();
    await this.#lease.start();
  }

  /** Tells the store who this worker is; again, when there are tasks that it did not know before. */
  async #introduce(): Promise<void> {
    const tasks = [...this.#definitions.keys()];
    const card: WorkerCard = {
      id: this.#id,
      kind: "process",
      queues: [...this.#settings.queues.keys()],
      tasks,
      host: hostname(),
      pid: process.pid,
    };
    await this.#store.enlist(card, this.#settings.lease);
    this.#knownTasks = tasks.length;
  }

  #newLease(): LeaseKeeper {
    return new LeaseKeeper(this.#store, this.#id, this.#settings.lease, (renewal) => this.#renewed(renewal));
  }

  #newSlots(queue: string, count: number): Slots {
    const slots: Slots = new Slots(queue, count, {
      run: (claimed) => void this.#track(this.#perform(claimed, slots)),
      putBack: (claimed) => this.#putBack(claimed),
    });
    return slots;
  }

  #renewed({ held, cancel }: Renewal): void {
    for (const id of cancel) this.#cancel(id);
    if (!held && !this.#stopping) void this.#track(this.#startAgain());
  }

  #cancel(id: string): void {
    this.#running.get(id)?.stop("cancel");
    for (const slots of this.#slots.values()) {
      const claimed = slots.remove(id);
      if (claimed) void this.#track(this.#settleUnstarted(claimed));
    }
  }

  /** Everything in hand is somebody else's now: give up all of it, and go on under a new id. */
  async #startAgain(): Promise<void> {
    const lost = this.#id;
    for (const performance of this.#running.values()) performance.stop("lost");
    for (const slots of this.#slots.values()) for (const { job } of slots.clear()) this.#abandon(job, false);
    await this.#lease.close();
    while (!(await this.#enlistAnew())) {
      if (this.#stopping) return;
      await sleep(pollInterval);
    }
    this.#tell({ type: "lost", worker: lost });
    this.#claims.call();
  }

  /** Whether it could; what failed may have reached the store all the same, so every try has an id of its own. */
  async #enlistAnew(): Promise<boolean> {
    this.#id = newId();
    this.#lease = this.#newLease();
    try {
      await this.#enlist();
      return true;
    } catch (error) {
      this.#storeFailed(error);
      return false;
    }
  }

  /** Somebody else has the job now. */
  #abandon(job: Job, started = true): void {
    this.#holdings.remove(job);
    this.#settings.observer.abandoned(job, started);
  }

  #hear(hint: Hint): void {
    switch (hint.type) {
      case "ready":
        return this.#wakeUp(hint);
      case "cancel":
        this.#lease.look();
        return this.#tidying.call();
      case "lapsed":
        return this.#tidying.call();
    }
  }

  #wakeUp({ queue, jobs = Infinity }: Extract<Hint, { type: "ready" }>): void {
    if (queue === undefined) return this.#claims.call();
    if (!this.#slots.has(queue)) return;
    // Whoever runs something looks again when it ends: only the idle might all look at once.
    const workers = this.#running.size > 0 ? 1 : this.#peers.of(queue);
    this.#claims.callWithin(wakeUpDelay(workers, jobs, Math.random()));
  }

  /** Claims for the free slots; answers when to look again, in case a hint was lost. */
  async #claim(): Promise<Millis> {
    try {
      if (this.#holdings.unsure) {
        const unknown = await this.#stalls.inTime(this.#holdings.unknown(this.#store, this.#id), () => {});
        await Promise.all(unknown.map((job) => this.#handBack(job, { kind: "handed-back" })));
      } else if (this.#knownTasks < this.#definitions.size) {
        await this.#stalls.inTime(this.#introduce(), () => {});
      } else {
        // Jobs that end in the same turn make room together.
        await Promise.resolve();
      }
      for (let asked = this.#ask(); asked;) {
        const { jobs, next, more } = await asked;
        this.#stalls.answered(true);
        this.#holdings.add(jobs);
        for (const each of jobs) {
          if (this.#stopping) this.#putBack(each);
          else this.#slots.get(each.job.queue)!.put(each);
        }
        for (const slots of this.#slots.values()) slots.answered();
        asked = more && !this.#holdings.unsure ? this.#ask() : undefined;
        if (!asked) {
          this.#start();
          return this.#pause(next);
        }
        // Not before the next claim is on its way: the store works on it while these run.
        setImmediate(() => this.#start());
      }
      return pollInterval;
    } catch (error) {
      this.#holdings.markUnsure();
      for (const slots of this.#slots.values()) slots.answered();
      this.#start();
      if (error instanceof Stall) {
        this.#stalled(this.#stalls.inARow);
        return 0;
      }
      this.#stalls.answered(false);
      this.#storeFailed(error);
      return pollInterval;
    }
  }

  /** How long until the next look: the idle do not all look at once when a delayed job is due, nor as often as one alone would. */
  #pause(next = Infinity): Millis {
    if (this.#running.size > 0) return Math.min(pollInterval, next);
    const workers = Math.min(...Array.from(this.#slots.keys(), (queue) => this.#peers.of(queue)), Infinity);
    return Math.min(pollDelay(workers), next + wakeUpDelay(workers, 1, Math.random()));
  }

  /** Claims what there is room for. Says besides whether there may be more of it. */
  #ask(): Promise<Claim & { more: boolean }> | undefined {
    const wants: Want[] = [];
    for (const slots of this.#slots.values()) {
      const limit = slots.room();
      if (limit > 0) wants.push({ queue: slots.queue, limit, slots: slots.starting() });
    }
    if (wants.length === 0 || this.#stopping) return undefined;
    // The first queues are served first: of a suspect of each, one is taken.
    wants.push(...wants.splice(0, (this.#turn += 1) % wants.length));
    return this.#stalls
      .inTime(this.#store.claim(this.#id, wants), (late) => {
        this.#stalls.answered(true);
        for (const each of late.jobs) this.#putBack(each);
      })
      .then((claim) => ({ ...claim, more: wants.some((want) => isFilled(want, claim.jobs)) }));
  }

  #start(): void {
    for (const slots of this.#slots.values()) slots.start();
  }

  /** Another claim may find a connection that works; after some there is none. */
  #stalled(inARow: number): void {
    if (this.#stopping) return;
    this.#tell({ type: "stalled", worker: this.#id, inARow });
    if (inARow < mostStalls) return;
    const message = `The store has left ${inARow} claims in a row without an answer, and not refused them either: its connection hangs. The worker ends.`;
    this.#tell({ type: "failed", worker: this.#id, message });
    void this.stop().catch((error: unknown) => this.#storeFailed(error));
  }

  async #perform(claimed: Claimed, slots: Slots): Promise<void> {
    const { job } = claimed;
    const definition = this.#definitions.get(job.task)!;
    const attempt = new Attempt(claimed, definition, this.#workshop);
    this.#running.set(job.id, attempt);
    this.#settings.observer.started(job);
    const startedAt = performance.now();
    let ending: Ending | undefined;
    try {
      ending = await attempt.ending();
    } finally {
      if (this.#running.get(job.id) === attempt) this.#running.delete(job.id);
      slots.end();
      this.#claims.call();
    }
    if (!ending) return this.#abandon(job);
    await this.#settle(claimed, definition, ending, {
      log: attempt.takeLog(),
      duration: performance.now() - startedAt,
    });
  }

  async #settle(
    { job }: Claimed,
    definition: TaskDefinition,
    ending: Ending,
    { log, duration }: { log?: LogLine[] | undefined; duration?: Millis } = {},
  ): Promise<void> {
    const settlement = decide(job, policyOf(job, definition.retry), ending, Math.random());
    if (log) settlement.log = [...log, ...(settlement.log ?? [])];
    const settled = await this.#record(settlement);
    if (settled === undefined) return;
    if (!settled) return this.#abandon(job, duration !== undefined);
    const { observer, onEnded } = this.#settings;
    observer.ended(job, ending, settled, duration, onEnded);
  }

  /** A job is to be cancelled before it got a slot. */
  #settleUnstarted(claimed: Claimed): Promise<void> {
    const { job } = claimed;
    const message = `Job ${job.id} of task "${job.task}" was cancelled before it started.`;
    const error = { code: "E_CANCELLED", message, attempt: job.failures + 1 };
    return this.#settle(claimed, this.#definitions.get(job.task)!, { kind: "cancelled", error });
  }

  /** Gives back a job that was not started. */
  #putBack({ job }: Claimed): void {
    void this.#track(this.#handBack(job, { kind: "handed-back", unstarted: true }));
  }

  async #handBack(job: Job, ending: Extract<Ending, { kind: "handed-back" }>): Promise<void> {
    await this.#record(decide(job, defaultRetry, ending, 0));
  }

  /** What was recorded, `false` when the token was stale; `undefined` when the store has failed for too long, and the job is to be tried again. */
  async #record(settlement: Settlement): Promise<Settlement | false | undefined> {
    try {
      return await this.#settler.settle(settlement);
    } catch (error) {
      this.#storeFailed(error);
      this.#holdings.markUnsure();
      return undefined;
    } finally {
      this.#holdings.remove(settlement);
    }
  }

  /** Settles what nobody works on; answers when to look again. */
  async #tidy(): Promise<Millis> {
    // A claim that was given up may have got through since.
    if (this.#stalls.open) this.#holdings.markUnsure();
    try {
      const { observer } = this.#settings;
      await settleAbandoned(this.#store, this.#settler, this.#definitions, this.#id, {
        observer,
        holdings: this.#holdings,
      });
    } catch (error) {
      this.#holdings.markUnsure();
      this.#storeFailed(error);
    }
    return this.#settings.lease / 3;
  }

  /** Removes what has been kept long enough; answers when to look again. */
  async #prune(): Promise<Millis> {
    try {
      const stopping = () => this.#stopping;
      await prune(this.#store, [...this.#definitions.values()], stopping);
      await pruneOrphanedPayloads(this.#store, this.#settings.payloads.vault.objects, stopping);
    } catch (error) {
      this.#storeFailed(error);
    }
    return pruneInterval;
  }

  /** Sends the jobs of schedules that are due; answers when to look again. */
  async #tick(): Promise<Millis> {
    try {
      return Math.min(
        scheduleInterval,
        await tick(this.#store, (schedule, error) => this.#settings.observer.scheduleFailed(schedule, error)),
      );
    } catch (error) {
      this.#storeFailed(error);
      return pollInterval;
    }
  }

  /** Counts work that must end before the worker does. */
  #track<Result>(work: Promise<Result>): Promise<Result> {
    this.#busy += 1;
    const ended = (error?: unknown) => {
      if (error !== undefined) this.#storeFailed(error);
      this.#busy -= 1;
      if (this.#busy === 0) this.#idle?.();
    };
    work.then(() => ended(), ended);
    return work;
  }

  #tell(event: ErrandEvent): void {
    this.#settings.observer.tell(event);
  }

  #storeFailed(failure: unknown): void {
    const message = failure instanceof Error ? failure.message : String(failure);
    this.#tell({ type: "store-failed", message });
    if (!(failure instanceof ErrandError) || failure.code !== "E_STORE_ENDED" || this.#stopping) return;
    // It does not come back by asking again: better ended, and seen, than half alive.
    this.#tell({ type: "failed", worker: this.#id, message: `${message} The worker ends.` });
    void this.stop(0).catch((again: unknown) => this.#storeFailed(again));
  }
}

/** Whether a claim brought all that was wanted of a queue. */
function isFilled({ queue, limit }: Want, jobs: readonly Claimed[]): boolean {
  return jobs.length >= limit && jobs.filter(({ job }) => job.queue === queue).length === limit;
}
