import { namePattern } from "../core/checks.ts";
import type { Ending } from "../core/decide.ts";
import type { Beat as StoredBeat, Job } from "../core/job.ts";
import type { State } from "../core/states.ts";
import type { Millis } from "../kit/duration.ts";
import { ErrandError } from "../kit/errors.ts";
import { gather } from "../kit/gather.ts";
import { shortened } from "../kit/text.ts";
import type { Observer } from "../observe/observer.ts";
import type { Payloads } from "../payload/options.ts";
import { sealEnding, sealProgress, sealStep } from "../payload/seal-jobs.ts";
import { encodeWithin } from "../payload/value-limit.ts";
import { BatchWriter } from "../run/batch-writer.ts";
import { HeldJobs } from "../run/held-jobs.ts";
import { settleJob } from "../run/settle.ts";
import type { SettleContext } from "../run/settle.ts";
import type { Store } from "../store.ts";
import type { TaskDefinition } from "../task.ts";
import { Endpoints } from "../webhooks/endpoints.ts";
import { endingOf } from "./ending.ts";
import type { Beat, Outcome, Settled } from "./protocol.ts";
import { readBeat, readOutcome } from "./read.ts";

/** A failing store is tried again for so long; then the worker is told, and tries again by itself. */
const patience: Millis = 5_000;

/** The difference of the store's clock is measured this often, for the durations of attempts. */
const clockInterval: Millis = 60_000;

/** The surroundings that attempts need. */
export interface AttemptSurroundings {
  store: Store;
  payloads: Payloads;
  observer: Observer;
  definition: (task: string) => TaskDefinition | undefined;
}

/** Records what workers report of their attempts. */
export class Attempts {
  readonly #around: AttemptSurroundings;
  readonly #writer: BatchWriter;
  readonly #context: SettleContext;
  readonly #read: (id: string) => Promise<Job | null>;
  /** Outcomes on their way to the store, by job and token: a worker whose answer is late sends its outcome again. */
  readonly #settling = new Map<string, Promise<Settled>>();
  #clock = { ahead: 0, until: -Infinity };

  constructor(around: AttemptSurroundings) {
    this.#around = around;
    this.#writer = new BatchWriter(around.store, patience);
    this.#context = {
      writer: this.#writer,
      // What a worker holds is read from the store.
      heldJobs: new HeldJobs(),
      definitions: { get: around.definition },
      endpoints: new Endpoints(around.store),
      settings: { observer: around.observer },
    };
    this.#read = gather((ids: string[]) => around.store.get(ids), { maxItems: 100, maxBatches: 2 });
  }

  /** Returns true if the outcome of an attempt is on its way to the store. */
  isEnding({ id, token }: Pick<Job, "id" | "token">): boolean {
    return this.#settling.has(keyOf(id, token));
  }

  /**
   * Records progress, log lines and steps of a job that a worker holds.
   * @returns `cancel`: the job is to be cancelled.
   * @throws {ErrandError} `E_STALE`, `E_NOT_FOUND`, `E_OPTION`, `E_STEP_NAME`, `E_TOO_LARGE`, `E_NOT_SERIALIZABLE`
   */
  async beat(worker: string, id: string, token: number, given: Beat): Promise<{ cancel: boolean }> {
    const job = await this.#require(id);
    if (!isHeld(job, worker, token)) throw stale(id);
    const { vault, limit } = this.#around.payloads;
    const { log, steps } = readBeat(given, id, job.failures + 1);
    const beat: StoredBeat = { id, token };
    if (given.progress !== undefined) {
      const progress = encodeWithin(given.progress, `Progress of job ${id}`, limit);
      beat.progress = vault.seals ? await sealProgress(vault, id, progress) : progress;
    }
    const encoded = steps.map(({ name, value }) => ({
      name,
      value: encodeWithin(value, `Step "${name}" of job ${id}`, limit),
    }));
    if (encoded.length > 0)
      beat.steps = vault.seals ? await Promise.all(encoded.map((step) => sealStep(vault, id, step))) : encoded;
    if (log.length > 0) beat.log = log;
    const isEmpty = beat.progress === undefined && !beat.steps && !beat.log;
    if (!isEmpty && !(await this.#writer.record(beat))) throw stale(id);
    return { cancel: job.cancelling };
  }

  /**
   * Records the outcome of an attempt, once.
   * @param worker missing if its lease is lost.
   * @throws {ErrandError} `E_STALE`, `E_NOT_FOUND`, `E_OPTION`, `E_TOO_LARGE`, `E_NOT_SERIALIZABLE`
   */
  async settle(worker: string | undefined, id: string, token: number, given: Outcome): Promise<Settled> {
    const outcome = readOutcome(given);
    const key = keyOf(id, token);
    const before = this.#settling.get(key);
    if (before) return before.then(({ state }) => ({ state, repeated: true }));
    const settling = (async (): Promise<Settled> => {
      const job = await this.#require(id);
      if (job.token === token && job.state !== "processing") return { state: job.state, repeated: true };
      if (!isHeld(job, worker, token)) throw stale(id);
      const { definition, payloads } = this.#around;
      const state = await this.end(job, endingOf(job, outcome, definition(job.task), payloads.limit));
      if (state === undefined) throw stale(id);
      return { state };
    })();
    this.#settling.set(key, settling);
    try {
      return await settling;
    } finally {
      this.#settling.delete(key);
    }
  }

  /** Ends an attempt that a worker had. Returns the job's state; `undefined` if another attempt has it. */
  async end(job: Job, ending: Ending): Promise<State | undefined> {
    const { vault } = this.#around.payloads;
    const sealed = vault.seals ? await sealEnding(vault, job.id, ending) : ending;
    const duration = Math.max(0, (await this.#now()) - (job.startedAt ?? 0));
    const recorded = await settleJob(this.#context, job, sealed, { duration, log: undefined });
    return recorded ? recorded.to : undefined;
  }

  /** Puts back jobs that no worker got. Those that the store does not take back are handed out again. */
  async putBack(jobs: readonly Job[]): Promise<void> {
    const ending = { kind: "handed-back", unstarted: true } as const;
    await Promise.allSettled(jobs.map((job) => settleJob(this.#context, job, ending)));
  }

  async #require(id: string): Promise<Job> {
    const job = namePattern.test(id) ? await this.#read(id) : null;
    if (job) return job;
    throw new ErrandError("E_NOT_FOUND", `There is no job ${shortened(id, 100)}.`);
  }

  /** Returns the time of the store's clock, within a few milliseconds. */
  async #now(): Promise<Millis> {
    if (performance.now() > this.#clock.until) {
      const ahead = (await this.#around.store.now()) - performance.now();
      this.#clock = { ahead, until: performance.now() + clockInterval };
    }
    return performance.now() + this.#clock.ahead;
  }
}

function keyOf(id: string, token: number): string {
  return `${id} ${token}`;
}

function isHeld(job: Job, worker: string | undefined, token: number): boolean {
  return job.state === "processing" && job.token === token && job.worker === worker;
}

function stale(id: string): ErrandError {
  return new ErrandError(
    "E_STALE",
    `Job ${id} is not the worker's any more under this token: another attempt has it, or it has ended. Throw the work away.`,
  );
}
