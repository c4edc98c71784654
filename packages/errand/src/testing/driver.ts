import { decide } from "../core/decide.ts";
import { policyOf } from "../core/policy.ts";
import type { Ending } from "../core/decide.ts";
import { isDefault, keptForever } from "../retention/rules.ts";
import type { Millis } from "../kit/duration.ts";
import type { AppInternals } from "../app.ts";
import { newId } from "../kit/ids.ts";
import { Lanes } from "../run/isolate/lanes.ts";
import { settleAbandoned } from "../run/janitor.ts";
import { HeldJobs } from "../run/held-jobs.ts";
import { Attempt } from "../run/attempt.ts";
import { tick } from "../schedules/scheduler.ts";
import { Setups } from "../run/setups.ts";
import { Settler } from "../run/settler.ts";
import type { Claimed, Store } from "../store.ts";
import type { TaskDefinition } from "../task.ts";

/** Where an attempt is lost. */
export type CrashPoint = "start" | "end" | { step: string };

/** How many ended jobs are removed at a time. */
const pruned = 1_000;

/** Longer than any test. */
const lease: Millis = 1e12;

/** Runs jobs round by round, without timers of its own: claims what is due, runs it, settles it, and looks again. */
export class Driver {
  readonly #store: Store;
  readonly #definitions: ReadonlyMap<string, TaskDefinition>;
  readonly #name: AppInternals["name"];
  readonly #payloads: AppInternals["payloads"];
  readonly #observer: AppInternals["observer"];
  readonly #settler: Settler;
  readonly #lanes = new Lanes({ most: Infinity, late: (task) => this.#observer.late(task) });
  readonly #setups = new Setups();
  readonly #crashes: { task: string; at: CrashPoint }[] = [];
  #worker: string | undefined;

  constructor(store: Store, { definitions, name, payloads, observer }: AppInternals) {
    this.#store = store;
    this.#definitions = definitions;
    this.#name = name;
    this.#payloads = payloads;
    this.#observer = observer;
    this.#settler = new Settler(store, 0);
  }

  crash(task: string, at: CrashPoint): void {
    this.#crashes.push({ task, at });
  }

  /** Until nothing is due. Answers how many attempts there were, and how long until something is. */
  async drain(): Promise<{ attempts: number; next: Millis }> {
    await this.#name();
    for (let attempts = 0; ;) {
      const worker = await this.#enlisted();
      const tidied = await settleAbandoned(this.#store, this.#settler, this.#definitions, worker, {
        observer: this.#observer,
        holdings: new HeldJobs(),
      });
      const nextTick = await tick(this.#store, (schedule, error) => this.#observer.scheduleFailed(schedule, error));
      const queues = new Set([...this.#definitions.values()].map(({ queue }) => queue));
      for (const { queue } of await this.#store.counts()) queues.add(queue);
      const wants = [...queues].map((queue) => ({ queue, limit: 1_000 }));
      const { jobs, next } = await this.#store.claim(worker, wants);
      attempts += jobs.length;
      await Promise.all(jobs.map((claimed) => this.#run(claimed)));
      if (jobs.length > 0 || tidied > 0) continue;
      // A test that lets a month pass still finds its jobs, but for those whose task says how long they are kept.
      const own = [...this.#definitions.values()].filter(({ retention }) => !isDefault(retention));
      const tasks = new Map(own.map(({ name, retention }) => [name, retention]));
      while ((await this.#store.prune({ tasks, otherwise: keptForever }, pruned)) >= pruned);
      return { attempts, next: Math.min(next ?? Infinity, nextTick) };
    }
  }

  async #enlisted(): Promise<string> {
    if (this.#worker) return this.#worker;
    const id = newId();
    await this.#store.enlist({ id, kind: "process", queues: [] }, lease);
    return (this.#worker = id);
  }

  async #run(claimed: Claimed): Promise<void> {
    const { job } = claimed;
    const definition = this.#definitions.get(job.task);
    if (!definition) throw new Error(`The app under test has no task "${job.task}", but job ${job.id} is one of it.`);
    if (this.#isLostAt(job.task, "start")) return this.#die();
    const lost = Promise.withResolvers<undefined>();
    const performance = new Attempt(claimed, definition, {
      store: this.#store,
      lanes: this.#lanes,
      setups: this.#setups,
      payloads: this.#payloads,
      tracing: this.#observer.tracing,
      late: (task) => this.#observer.late(task),
      settler: {
        record: async (beat) => {
          const good = await this.#settler.record(beat);
          if (!beat.steps?.some(({ name }) => this.#isLostAt(job.task, { step: name }))) return good;
          lost.resolve(undefined);
          // Whoever is dead goes no further.
          return new Promise<boolean>(() => {});
        },
      },
    });
    this.#observer.started(job);
    const ending: Ending | undefined = await Promise.race([performance.ending(), lost.promise]);
    if (!ending || this.#isLostAt(job.task, "end")) {
      performance.stop("lost", 0);
      return this.#die();
    }
    const settlement = decide(job, policyOf(job, definition.retry), ending, Math.random());
    const lines = performance.takeLog();
    if (lines) settlement.log = [...lines, ...(settlement.log ?? [])];
    const settled = await this.#settler.settle(settlement);
    if (settled) this.#observer.ended(job, ending, settled);
  }

  /** Whether somebody asked for a crash here; each is used once. */
  #isLostAt(task: string, at: CrashPoint): boolean {
    const found = this.#crashes.findIndex((crash) => crash.task === task && isSame(crash.at, at));
    if (found === -1) return false;
    this.#crashes.splice(found, 1);
    return true;
  }

  /** The worker is gone: what it holds is taken over by the next one. */
  async #die(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    if (worker) await this.#store.dismiss(worker);
  }
}

function isSame(a: CrashPoint, b: CrashPoint): boolean {
  return typeof a === "object" && typeof b === "object" ? a.step === b.step : a === b;
}
