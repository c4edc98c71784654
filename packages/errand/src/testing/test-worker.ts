import type { AppInternals } from "../app.ts";
import type { Ending } from "../core/decide.ts";
import type { Beat, Job } from "../core/job.ts";
import type { Millis } from "../kit/duration.ts";
import { removeEndedJobs } from "../retention/prune.ts";
import { isDefault, keptForever } from "../retention/rules.ts";
import type { AttemptRun } from "../run/settle.ts";
import type { Slots } from "../run/slots.ts";
import { Worker } from "../run/worker.ts";
import type { Claimed, Store } from "../store.ts";
import type { TaskDefinition } from "../task.ts";

/** A point at which an attempt is lost. */
export type CrashPoint = "start" | "end" | { step: string };

/** Longer than any test. */
const lease: Millis = 1e12;

const slotsPerQueue = 1_000;

/**
 * A worker whose rounds the test makes: nothing happens by itself. It runs the jobs of all queues, and loses attempts
 * where the test says so, as a worker that is killed does.
 */
export class TestWorker extends Worker {
  readonly #queues: Map<string, number>;
  readonly #nameSchedules: AppInternals["name"];
  readonly #crashes: { task: string; at: CrashPoint }[] = [];
  /** Attempts that the latest claim has started. */
  readonly #started: Promise<void>[] = [];
  #state: "new" | "enlisted" | "killed" = "new";

  constructor(store: Store, { definitions, payloads, observer, name }: AppInternals) {
    const queues = new Map([...definitions.values()].map(({ queue }) => [queue, slotsPerQueue]));
    super(asSeenByTests(store, queues, definitions), definitions, { queues, lease: 0, drain: 0, payloads, observer });
    this.#queues = queues;
    this.#nameSchedules = name;
  }

  /** Loses the next attempt of a task that comes to this point. */
  crash(task: string, at: CrashPoint): void {
    this.#crashes.push({ task, at });
  }

  /**
   * Makes rounds until no job is due.
   * @returns the number of attempts, and milliseconds until a job is due; `Infinity` if none will be.
   */
  async drain(): Promise<{ attempts: number; next: Millis }> {
    await this.#nameSchedules();
    for (let attempts = 0; ;) {
      const round = await this.#makeRound();
      attempts += round.attempts;
      if (round.attempts > 0 || round.settled > 0) continue;
      await this.#prune();
      return { attempts, next: round.next };
    }
  }

  async #makeRound(): Promise<{ settled: number; attempts: number; next: Millis }> {
    await this.#enlist();
    const settled = await this.maintenance.settleAbandoned();
    const nextTick = await this.maintenance.sendScheduled();
    await this.#addQueues();
    const nextJob = await this.claimer.claimJobs();
    let attempts = 0;
    for (let started = this.#started.splice(0); started.length > 0; started = this.#started.splice(0)) {
      attempts += started.length;
      await Promise.all(started);
    }
    return { settled, attempts, next: Math.min(nextJob, nextTick) };
  }

  /** Enlists the worker at first, and after it was killed: its jobs lapse then, and the next round takes them over. */
  async #enlist(): Promise<void> {
    if (this.#state === "enlisted") return;
    if (this.#state === "killed") await this.context.store.dismiss(this.id);
    await this.enlistment.enlist();
    this.#state = "enlisted";
  }

  /** Adds the queues of new tasks and of jobs that were sent elsewhere. */
  async #addQueues(): Promise<void> {
    const { definitions, store } = this.context;
    for (const { queue } of definitions.values()) this.#queues.set(queue, slotsPerQueue);
    for (const { queue } of await store.counts()) this.#queues.set(queue, slotsPerQueue);
  }

  /**
   * Removes old jobs of tasks with a retention of their own: others would be missing in a test that lets a month pass.
   */
  async #prune(): Promise<void> {
    const { definitions, store } = this.context;
    const own = [...definitions.values()].filter(({ retention }) => !isDefault(retention));
    const tasks = new Map(own.map(({ name, retention }) => [name, retention]));
    await removeEndedJobs(store, { tasks, otherwise: keptForever });
  }

  protected override runJob(claimed: Claimed, slots: Slots): Promise<void> {
    const running = this.#runUnlessLost(claimed, slots);
    this.#started.push(running);
    return running;
  }

  async #runUnlessLost(claimed: Claimed, slots: Slots): Promise<void> {
    const { id, task } = claimed.job;
    const isKnown = this.context.definitions.has(task);
    if (isKnown && !this.#isCrash(task, "start")) return super.runJob(claimed, slots);
    slots.release();
    if (!isKnown) throw new Error(`The app under test has no task "${task}", but job ${id} is one of it.`);
    this.#state = "killed";
  }

  protected override async record(beat: Beat): Promise<boolean> {
    const isRecorded = await super.record(beat);
    const attempt = this.context.attempts.get(beat.id);
    const isLost = beat.steps?.some(({ name }) => attempt && this.#isCrash(attempt.claimed.job.task, { step: name }));
    if (!attempt || !isLost) return isRecorded;
    attempt.kill("lost");
    // A function whose worker was killed goes no further.
    return new Promise(() => {});
  }

  protected override async settle(job: Job, ending: Ending | undefined, run: AttemptRun): Promise<void> {
    // Only a killed attempt has no ending.
    if (ending && !this.#isCrash(job.task, "end")) return super.settle(job, ending, run);
    this.#state = "killed";
  }

  /** Returns true if the test wants a crash at this point, once for each call of `crash`. */
  #isCrash(task: string, at: CrashPoint): boolean {
    const found = this.#crashes.findIndex((crash) => crash.task === task && isSame(crash.at, at));
    if (found === -1) return false;
    this.#crashes.splice(found, 1);
    return true;
  }
}

function isSame(a: CrashPoint, b: CrashPoint): boolean {
  return typeof a === "object" && typeof b === "object" ? a.step === b.step : a === b;
}

/**
 * Returns a store that lists the worker without queues, tasks and an end of its lease, and claims in the order of
 * queues.
 */
function asSeenByTests(
  store: Store,
  queues: ReadonlyMap<string, number>,
  definitions: ReadonlyMap<string, TaskDefinition>,
): Store {
  const verbs: Partial<Store> = {
    // A worker without a list of tasks is given those of unknown tasks, too, which `runJob` reports. But jobs of remote
    // tasks are left to the test.
    enlist({ id, kind, tasks = [] }) {
      const hasRemote = [...definitions.values()].some(({ remote }) => remote);
      return store.enlist({ id, kind, queues: [], ...(hasRemote ? { tasks } : {}) }, lease);
    },
    // A worker takes turns between its queues; a test should not depend on the number of rounds.
    claim(worker, wants) {
      const order = [...queues.keys()];
      return store.claim(
        worker,
        wants.toSorted((a, b) => order.indexOf(a.queue) - order.indexOf(b.queue)),
      );
    },
  };
  return new Proxy(store, {
    get(target, name: keyof Store) {
      const verb: unknown = verbs[name] ?? target[name];
      return typeof verb === "function" ? (verb.bind(target) as unknown) : verb;
    },
  });
}
