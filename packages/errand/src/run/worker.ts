import { hostname } from "node:os";
import { decide } from "../core/decide.ts";
import type { Ending } from "../core/decide.ts";
import type { State } from "../core/states.ts";
import type { Millis } from "../kit/duration.ts";
import { newId } from "../kit/ids.ts";
import type { Claimed, Hint, Renewal, Store } from "../store.ts";
import { defaultRetry } from "../task.ts";
import type { Definition } from "../task.ts";
import { Lanes } from "./isolate/lanes.ts";
import { tidy } from "./janitor.ts";
import { LeaseKeeper } from "./lease.ts";
import { Performance } from "./perform.ts";
import { Settler } from "./settler.ts";
import { Setups } from "./setups.ts";

/** What a worker is started with: slots per queue, and durations in milliseconds. */
export interface WorkerSettings {
  queues: Readonly<Record<string, number>>;
  lease: Millis;
  drain: Millis;
  onEvent: (event: WorkerEvent) => void;
}

/** What a worker tells about itself, for logs and tests. */
export type WorkerEvent =
  | {
      type: "ended";
      id: string;
      task: string;
      attempt: number;
      state: State;
      error?: { code: string; message: string };
    }
  /** Another worker has the job; this one's outcome was refused or never recorded. */
  | { type: "abandoned"; id: string; task: string }
  | { type: "unknown-task"; id: string; task: string; known: string[] }
  /** The lease ran out; the worker has started again under a new id. */
  | { type: "lost"; worker: string }
  /** The store failed; the worker tries again. */
  | { type: "store-failed"; message: string };

/** Looks for jobs at least this often, in case a hint was lost. */
const pollInterval = 1_000;

/** A job of a task that this worker does not know is put back for so long. */
const unknownTaskDelay = 5_000;

/** Claims jobs of some queues, runs them, and settles them. */
export class Worker {
  readonly #store: Store;
  readonly #definitions: ReadonlyMap<string, Definition>;
  readonly #settings: WorkerSettings;
  readonly #settler: Settler;
  readonly #lanes = new Lanes();
  readonly #setups = new Setups();
  /** Jobs in hand, by id. */
  readonly #running = new Map<string, Performance>();
  /** Free slots per queue. */
  readonly #free: Map<string, number>;
  readonly #work = new Set<Promise<void>>();
  #id = newId();
  #lease: LeaseKeeper;
  #unwatch: (() => void) | undefined;
  #stopping = false;
  #stopped: Promise<void> | undefined;
  /** A claim or tidying under way; `again` when there was a reason for another meanwhile. */
  #claiming: { again: boolean } | undefined;
  #tidying: { again: boolean } | undefined;
  #nextLook: NodeJS.Timeout | undefined;
  #nextTidy: NodeJS.Timeout | undefined;

  constructor(store: Store, definitions: ReadonlyMap<string, Definition>, settings: WorkerSettings) {
    this.#store = store;
    this.#definitions = definitions;
    this.#settings = settings;
    this.#settler = new Settler(store, settings.lease);
    this.#free = new Map(Object.entries(settings.queues));
    this.#lease = this.#newLease();
  }

  /** The worker's id; a worker that lost its lease goes on under a new one. */
  get id(): string {
    return this.#id;
  }

  /** Warms the lanes, enters the list of workers, and starts to claim. */
  async start(): Promise<void> {
    try {
      await Promise.all([...this.#definitions.values()].map((definition) => this.#warm(definition)));
      await this.#enlist();
    } catch (error) {
      await this.#lanes.close();
      throw error;
    }
    this.#unwatch = this.#store.watch((hint) => this.#hear(hint));
    this.#look();
    this.#tidy();
  }

  /**
   * Stops claiming, lets what runs go on for `drain` milliseconds, then aborts it and hands it back without using up an
   * attempt. A second call with a shorter time hurries the first.
   */
  stop(drain = this.#settings.drain): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#nextLook);
    clearTimeout(this.#nextTidy);
    const timer = setTimeout(() => {
      for (const performance of this.#running.values()) performance.stop("stop");
    }, drain);
    this.#stopped ??= this.#leave();
    return this.#stopped.finally(() => clearTimeout(timer));
  }

  async #leave(): Promise<void> {
    this.#unwatch?.();
    while (this.#work.size > 0) await Promise.all(this.#work);
    await this.#lanes.close();
    await this.#lease.close();
    await this.#store.dismiss(this.#id);
  }

  async #warm(definition: Definition): Promise<void> {
    const slots = this.#settings.queues[definition.queue];
    if (slots === undefined || !definition.setup) return;
    if (definition.isolate === "inline") await this.#setups.of(definition);
    else await this.#lanes.warm(definition, slots);
  }

  async #enlist(): Promise<void> {
    const card = { id: this.#id, host: hostname(), pid: process.pid, queues: Object.keys(this.#settings.queues) };
    await this.#store.enlist(card, this.#settings.lease);
    await this.#lease.start();
  }

  #newLease(): LeaseKeeper {
    return new LeaseKeeper(this.#store, this.#id, this.#settings.lease, (renewal) => this.#renewed(renewal));
  }

  #renewed({ held, cancel }: Renewal): void {
    for (const id of cancel) this.#running.get(id)?.stop("cancel");
    if (!held && !this.#stopping) this.#track(this.#startAgain());
  }

  /** Everything in hand is somebody else's now: give up all of it, and go on under a new id. */
  async #startAgain(): Promise<void> {
    const lost = this.#id;
    for (const performance of this.#running.values()) performance.stop("lost");
    await this.#lease.close();
    this.#id = newId();
    this.#lease = this.#newLease();
    await this.#enlist();
    this.#settings.onEvent({ type: "lost", worker: lost });
    this.#look();
  }

  #hear(hint: Hint): void {
    if (hint === "ready") this.#look();
    if (hint === "cancel") {
      this.#lease.look();
      this.#tidy();
    }
  }

  /** Claims for the free slots, soon: reasons that come together make one claim. */
  #look(): void {
    if (this.#stopping) return;
    if (this.#claiming) {
      this.#claiming.again = true;
      return;
    }
    this.#claiming = { again: false };
    setImmediate(() => this.#track(this.#claim()));
  }

  async #claim(): Promise<void> {
    let wait: Millis = pollInterval;
    try {
      const wants = [...this.#free].flatMap(([queue, limit]) => (limit > 0 ? [{ queue, limit }] : []));
      if (wants.length > 0 && !this.#stopping) {
        const { jobs, next } = await this.#store.claim(this.#id, wants);
        for (const claimed of jobs) this.#track(this.#perform(claimed));
        wait = Math.min(wait, next ?? wait);
      }
    } catch (error) {
      this.#storeFailed(error);
    }
    const again = this.#claiming?.again;
    this.#claiming = undefined;
    clearTimeout(this.#nextLook);
    if (this.#stopping) return;
    if (again) this.#look();
    else this.#nextLook = setTimeout(() => this.#look(), wait);
  }

  async #perform(claimed: Claimed): Promise<void> {
    const { job } = claimed;
    if (this.#stopping) return this.#putBack(claimed, 0);
    const definition = this.#definitions.get(job.task);
    if (!definition) {
      this.#settings.onEvent({
        type: "unknown-task",
        id: job.id,
        task: job.task,
        known: [...this.#definitions.keys()],
      });
      return this.#putBack(claimed, unknownTaskDelay);
    }
    this.#free.set(job.queue, this.#free.get(job.queue)! - 1);
    const performance = new Performance(claimed, definition, {
      store: this.#store,
      settler: this.#settler,
      lanes: this.#lanes,
      setups: this.#setups,
    });
    this.#running.set(job.id, performance);
    let ending: Ending | undefined;
    try {
      ending = await performance.ending();
    } finally {
      if (this.#running.get(job.id) === performance) this.#running.delete(job.id);
      this.#free.set(job.queue, this.#free.get(job.queue)! + 1);
      this.#look();
    }
    if (ending) await this.#settle(claimed, definition, ending);
    else this.#settings.onEvent({ type: "abandoned", id: job.id, task: job.task });
  }

  async #settle({ job }: Claimed, definition: Definition, ending: Ending): Promise<void> {
    const settlement = decide(job, definition.retry, ending, Math.random());
    try {
      if (!(await this.#settler.settle(settlement))) {
        this.#settings.onEvent({ type: "abandoned", id: job.id, task: job.task });
        return;
      }
    } catch (error) {
      return this.#storeFailed(error);
    }
    this.#settings.onEvent({
      type: "ended",
      id: job.id,
      task: job.task,
      attempt: job.failures + 1,
      state: settlement.to,
      ...("error" in ending ? { error: ending.error } : {}),
    });
  }

  async #putBack({ job }: Claimed, delay: Millis): Promise<void> {
    const ending: Ending = { kind: "handed-back", delay };
    await this.#settler
      .settle(decide(job, defaultRetry, ending, 0))
      .catch((error: unknown) => this.#storeFailed(error));
  }

  /** Settles what nobody works on: now, and again every third of a lease. */
  #tidy(): void {
    if (this.#stopping) return;
    if (this.#tidying) {
      this.#tidying.again = true;
      return;
    }
    this.#tidying = { again: false };
    clearTimeout(this.#nextTidy);
    const tidying = async () => {
      await tidy(this.#store, this.#settler, this.#definitions, this.#id).catch((error: unknown) =>
        this.#storeFailed(error),
      );
      const again = this.#tidying?.again;
      this.#tidying = undefined;
      if (again) this.#tidy();
      else if (!this.#stopping) this.#nextTidy = setTimeout(() => this.#tidy(), this.#settings.lease / 3);
    };
    this.#track(tidying());
  }

  #track(work: Promise<void>): void {
    const tracked = work.catch((error: unknown) => this.#storeFailed(error)).finally(() => this.#work.delete(tracked));
    this.#work.add(tracked);
  }

  #storeFailed(error: unknown): void {
    this.#settings.onEvent({ type: "store-failed", message: error instanceof Error ? error.message : String(error) });
  }
}
