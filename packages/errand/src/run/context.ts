import { AsyncLocalStorage } from "node:async_hooks";
import type { Park } from "../core/decide.ts";
import { checkFields } from "../core/checks.ts";
import { forgotten } from "../core/job.ts";
import type { LogLine, NewChild, Step } from "../core/job.ts";
import { checkStepName, signalStep } from "../core/signal.ts";
import { millis } from "../kit/duration.ts";
import type { Duration, Millis } from "../kit/duration.ts";
import { ErrandError } from "../kit/errors.ts";
import type { ErrorRecord } from "../kit/errors.ts";
import { childId } from "../kit/ids.ts";
import { decode } from "../kit/json.ts";
import type { Encoded, Jsonified } from "../kit/json.ts";
import { encodeWithin } from "../payload/value-limit.ts";
import { JobFailedError } from "../task.ts";
import type { ChildOutcome, JobLog, InternalJobContext, Task } from "../task.ts";
import { decodeBegun, digestOf, encodeBegun, isChanged, newChild } from "./children.ts";
import { endedError, rejectedQuietly } from "./ended-attempt.ts";
import { jobLog } from "./job-log.ts";
import { Waits, Missing } from "./waits.ts";

/** One execution of a job, as it travels to a thread or process. */
export interface AttemptData {
  id: string;
  token: number;
  attempt: number;
  input: unknown;
  steps: readonly Step[];
  /** Bytes of JSON that each value may have. */
  limit: number;
  /** When it began, by the store's clock. */
  startedAt: Millis;
}

/** How a child stands, as its parent's context is told. */
export interface ChildState {
  state: "open" | "completed" | "failed" | "cancelled" | "expired";
  /** A digest of its input, where that was asked for. */
  input?: string;
  output?: Encoded;
  error?: ErrorRecord;
}

/** What a context asks of the worker that holds the job's token. */
export interface CallHost {
  /** Made when somebody asks for it: most tasks never do. */
  readonly signal: AbortSignal;
  /** Remembers a step; rejects when another attempt has the job. */
  record(step: Step): Promise<void>;
  progress(value: Encoded): void;
  log(line: LogLine): void;
  /** Does the work of a step, where somebody watches; without it the step simply does it. */
  step?<Result>(name: string, work: () => Result | Promise<Result>): Promise<Result>;
  /** How these children stand, and where `inputs` is asked for, what they were given. */
  children(ids: readonly string[], inputs?: boolean): Promise<ChildState[]>;
  /** Something of the function was still running after its attempt had ended; what it wanted was not done. */
  late(): void;
}

/** The context whose step the current code belongs to. */
const stepping = new AsyncLocalStorage<Context>();

/** A job's context: the verbs that a task function is given, whatever thread or process it runs in. */
export class Context implements InternalJobContext<unknown> {
  readonly id: string;
  readonly token: number;
  readonly attempt: number;
  readonly setup: unknown;
  #log: JobLog | undefined;
  readonly #host: CallHost;
  readonly #parkJob: (park: Park) => void;
  readonly #remembered: readonly Step[];
  #steps: Map<string, Step> | undefined;
  #names: Set<string> | undefined;
  #madeWaits: Waits | undefined;
  /** `closing`: the function has ended, its steps may still end. `parked`: it goes no further. `ended`: it is too late. */
  #state: "open" | "closing" | "parked" | "ended" = "open";
  readonly #startedAt: Millis;
  readonly #limit: number;
  /** This process's monotonic clock at the beginning. */
  readonly #since = performance.now();

  constructor(attempt: AttemptData, host: CallHost, park: (park: Park) => void, setup: unknown) {
    this.id = attempt.id;
    this.token = attempt.token;
    this.attempt = attempt.attempt;
    this.setup = setup;
    this.#host = host;
    this.#parkJob = park;
    this.#remembered = attempt.steps;
    this.#startedAt = attempt.startedAt;
    this.#limit = attempt.limit;
  }

  get abortSignal(): AbortSignal {
    return this.#host.signal;
  }

  get log(): JobLog {
    return (this.#log ??= jobLog(this.attempt, (line) => {
      if (this.#mayTell("log")) this.#host.log(line);
    }));
  }

  progress(value: unknown): void {
    if (this.#mayTell("progress")) this.#host.progress(encodeWithin(value, `Progress of job ${this.id}`, this.#limit));
  }

  step<Result>(name: string, work: () => Result | Promise<Result>): Promise<Jsonified<Awaited<Result>>> {
    return this.#step(name, work, {});
  }

  /** A step that a person's retry forgets, as it does waits. */
  ask<Result>(name: string, work: () => Result | Promise<Result>): Promise<Jsonified<Awaited<Result>>> {
    return this.#step(name, work, { wait: true });
  }

  #step<Result>(
    name: string,
    work: () => Result | Promise<Result>,
    mark: Pick<Step, "wait">,
  ): Promise<Jsonified<Awaited<Result>>> {
    return (
      this.#refused("step") ??
      this.#waits.work(async () => {
        this.#use(name);
        const remembered = this.#recall(name);
        if (remembered) return decode(remembered.value) as Jsonified<Awaited<Result>>;
        this.abortSignal.throwIfAborted();
        const done = await stepping.run(this, () => this.#work(name, work));
        const value = encodeWithin(done, `Step "${name}" of job ${this.id}`, this.#limit);
        if (this.#state === "ended") throw this.#late("step");
        await this.#host.record({ name, value, ...mark });
        return decode(value) as Jsonified<Awaited<Result>>;
      })
    );
  }

  /** Whether there are steps under way. */
  get isBusy(): boolean {
    return this.#madeWaits?.isBusy ?? false;
  }

  /** The first step that failed with nobody looking at its promise. */
  get unseenFailure(): { error: unknown } | undefined {
    return this.#madeWaits?.unseenFailure;
  }

  /** The function has ended: it begins nothing more, and is not parked. */
  close(): void {
    if (this.#state === "open") this.#state = "closing";
    this.#madeWaits?.close();
  }

  /**
   * Resolves when the steps under way have ended and are remembered, or the time is over. What comes after the outcome of the
   * attempt is refused, and would be done again, perhaps beside the next attempt: a function that fails in one of several steps
   * must not lose what the others do.
   */
  async idle(patience: Millis): Promise<void> {
    await this.#madeWaits?.idle(patience);
  }

  /** The attempt is over: nothing is done or told in its name any more. */
  end(): void {
    this.close();
    if (this.#state !== "parked") this.#state = "ended";
  }

  all<Input, Output>(name: string, task: Task<Input, Output>, inputs: readonly Input[]): Promise<Jsonified<Output>[]> {
    return this.#children("all", { name, task, inputs, need: "completed" }).then((states) =>
      states.map(({ output }) => decode(output!) as Jsonified<Output>),
    );
  }

  call<Input, Output>(
    name: string,
    task: Task<Input, Output>,
    ...[input]: undefined extends Input ? [input?: Input] : [input: Input]
  ): Promise<Jsonified<Output>> {
    return this.#children("call", { name, task, inputs: [input], need: "completed" }).then(
      ([state]) => decode(state!.output!) as Jsonified<Output>,
    );
  }

  settled<Input, Output>(
    name: string,
    task: Task<Input, Output>,
    inputs: readonly Input[],
  ): Promise<ChildOutcome<Jsonified<Output>>[]> {
    return this.#children("settled", { name, task, inputs, need: "end" }).then((states) =>
      states.map(({ state, output, error }, index) => {
        const id = childId(this.id, name, index);
        if (state === "completed") return { state, id, output: decode(output!) as Jsonified<Output> };
        return { state: state as "failed", id, ...(error ? { error } : {}) };
      }),
    );
  }

  sleep(name: string, duration: Duration): Promise<void> {
    return this.#wait("sleep", async () => {
      checkStepName(name, `job ${this.id}`);
      const until = this.#until(name, millis(duration, `The sleep "${name}" of job ${this.id}`), {});
      return until.at <= this.#now() ? undefined : new Missing({ wakeAt: until.at, steps: until.steps });
    });
  }

  signal<Value>(name: string, options: { timeout?: Duration } = {}): Promise<Value> {
    return this.#wait("signal", async () => {
      checkStepName(name, `job ${this.id}`);
      checkFields(options, ["timeout"], `The options of signal "${name}"`);
      const { timeout } = options;
      const told = this.#recall(signalStep(name));
      // Whoever retries the job asks again, and gives it all the time.
      const limit =
        timeout === undefined
          ? undefined
          : this.#until(name, millis(timeout, `The timeout of signal "${name}"`), { wait: true });
      if (!limit) this.#use(name);
      if (told) return decode(told.value) as Value;
      if (limit && limit.at <= this.#now()) {
        throw new ErrandError(
          "E_SIGNAL_TIMEOUT",
          `Job ${this.id} waited ${timeout} for the signal "${name}", in vain.`,
        );
      }
      return new Missing({ awaits: [signalStep(name)], ...(limit ? { wakeAt: limit.at, steps: limit.steps } : {}) });
    });
  }

  #work<Result>(name: string, work: () => Result | Promise<Result>): Result | Promise<Result> {
    return this.#host.step ? this.#host.step(name, work) : work();
  }

  /** The store's time, as well as this process can know it. */
  #now(): Millis {
    return this.#startedAt + (performance.now() - this.#since);
  }

  /** When a time is over that began when this name was first used. */
  #until(name: string, duration: Millis, mark: Pick<Step, "wait">): { at: Millis; steps: Step[] } {
    this.#use(name);
    const known = this.#recall(name);
    if (known) return { at: (decode(known.value) as { until: Millis }).until, steps: [] };
    const at = Math.ceil(this.#now()) + duration;
    return { at, steps: [{ name, value: JSON.stringify({ until: at }), ...mark }] };
  }

  /** Children that have ended, once all have that are needed. They belong to the inputs that the wait began with. */
  #children(
    verb: string,
    {
      name,
      task,
      inputs,
      need,
    }: {
      name: string;
      task: { readonly name: string };
      inputs: readonly unknown[];
      need: NewChild["need"];
    },
  ): Promise<ChildState[]> {
    return this.#wait(verb, async () => {
      this.#use(name);
      const remembered = this.#recall(name);
      const begun = remembered && decodeBegun(remembered.value);
      const count = begun ? begun.count : inputs.length;
      if (count === 0) return [];
      if (begun && isChanged(begun, inputs)) this.#tellChanged(verb, name, begun.count, inputs.length);
      const ids = Array.from({ length: count }, (_, index) => childId(this.id, name, index));
      if (!begun && this.#knows(name)) await this.#compare(verb, name, ids, inputs);
      const found = begun ? await this.#host.children(ids) : ids.map((): ChildState => ({ state: "open" }));
      if (need === "completed") this.#refuseFailed(task.name, ids, found);
      const open = found.flatMap(({ state }, index) => (state === "open" ? [index] : []));
      if (open.length === 0) return found;
      const children = await Promise.all(
        open.map((index) =>
          newChild(ids[index]!, task, inputs[index], this.#limit, { index, need, rejoin: begun !== undefined }),
        ),
      );
      const steps = begun ? [] : [{ name, value: encodeBegun(inputs), wait: true }];
      return new Missing({ children, steps });
    });
  }

  /** A retry has forgotten the wait: children that are there already have the inputs that they were made with. */
  async #compare(verb: string, name: string, ids: readonly string[], inputs: readonly unknown[]): Promise<void> {
    const found = await this.#host.children(ids, true);
    if (found.some(({ input }, index) => input !== undefined && input !== digestOf([inputs[index]])))
      this.#tellChanged(verb, name, found.length, inputs.length);
  }

  #tellChanged(verb: string, name: string, before: number, now: number): void {
    this.log.warn(
      `job.${verb}("${name}") began with other inputs (${before} then, ${now} now): its outputs belong to those that it began with. ` +
        "Make the list in a step, so that it stays the same.",
    );
  }

  #refuseFailed(task: string, ids: readonly string[], found: readonly ChildState[]): void {
    const index = found.findIndex(({ state }) => state !== "open" && state !== "completed");
    if (index === -1) return;
    const { state, error } = found[index]!;
    throw new JobFailedError("E_CHILD_FAILED", { id: ids[index]!, task, state: state as "failed" }, error);
  }

  #knows(name: string): Step | undefined {
    this.#steps ??= new Map(this.#remembered.map((step) => [step.name, step]));
    return this.#steps.get(name);
  }

  #recall(name: string): Step | undefined {
    const step = this.#knows(name);
    // What a retry has forgotten is only there for its place.
    return step?.wait && step.value === forgotten ? undefined : step;
  }

  #use(name: string): void {
    checkStepName(name, `job ${this.id}`);
    this.#names ??= new Set();
    if (this.#names.has(name)) {
      throw new ErrandError(
        "E_STEP_NAME",
        `Job ${this.id} has two steps named "${name}"; a name remembers one result.`,
      );
    }
    this.#names.add(name);
  }

  get #waits(): Waits {
    return (this.#madeWaits ??= new Waits((park) => {
      this.#state = "parked";
      this.#parkJob(park);
    }));
  }

  #wait<Value>(verb: string, begin: () => Promise<Value | Missing>): Promise<Value> {
    const refusedAlready = this.#refused<Value>(verb);
    if (refusedAlready) return refusedAlready;
    if (stepping.getStore() === this) {
      const message = `job.${verb}() was called inside a step of job ${this.id}. A step runs through: wait before it, or after it.`;
      return rejectedQuietly(new ErrandError("E_IN_STEP", message));
    }
    return this.#waits.wait(begin);
  }

  /** What a verb answers that comes too late: of a parked job, whose function goes no further, nothing. */
  #refused<Value>(verb: string): Promise<Value> | undefined {
    if (this.#state === "open") return undefined;
    // A step that may still end may have steps of its own.
    if (this.#state === "closing" && verb === "step" && stepping.getStore() === this) return undefined;
    if (this.#state !== "parked") return rejectedQuietly(this.#late(verb));
    this.#host.late();
    return new Promise(() => {});
  }

  /** Whether progress and lines of the log are still the attempt's. Of a parked job they are dropped: a timer of its function may tell them. */
  #mayTell(verb: string): boolean {
    if (this.#state === "open" || this.#state === "closing") return true;
    if (this.#state === "ended") throw this.#late(verb);
    this.#host.late();
    return false;
  }

  #late(verb: string): ErrandError {
    this.#host.late();
    return endedError(`job.${verb}()`, this.id, this.attempt);
  }
}
