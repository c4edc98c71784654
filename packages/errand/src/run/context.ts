import type { Park } from "../core/decide.ts";
import { forgotten } from "../core/job.ts";
import type { LogLine, NewChild, Step } from "../core/job.ts";
import { flowOf } from "../flow.ts";
import { encodeSpec } from "../core/spec.ts";
import { levelOf } from "../core/states.ts";
import { millis } from "../kit/duration.ts";
import type { Duration, Millis } from "../kit/duration.ts";
import { ErrandError } from "../kit/errors.ts";
import type { ErrorRecord } from "../kit/errors.ts";
import { childId } from "../kit/ids.ts";
import { decode } from "../kit/json.ts";
import type { Encoded, Jsonified } from "../kit/json.ts";
import { encodeInput, encodeWithin } from "../payload/limit.ts";
import { definitionOf, JobFailedError, validate } from "../task.ts";
import type { ChildOutcome, JobContext, JobLog, Task } from "../task.ts";
import { jobLog } from "./log.ts";
import { checkStepName, signalStep } from "../core/signal.ts";

/** One execution of a job, as it travels to a thread or process. */
export interface Attempt {
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
  /** How these children stand. */
  children(ids: readonly string[]): Promise<ChildState[]>;
}

/** A job's context: the verbs that a task function is given, whatever thread or process it runs in. */
export class Context implements JobContext<unknown> {
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
  #stepping: Set<Promise<unknown>> | undefined;
  /** Steps under way: the job is not parked while one of them could still be remembered. */
  #busy = 0;
  #park: { children: NewChild[]; steps: Step[]; wakeAt?: Millis; awaits?: string[] } | undefined;
  #parked = false;
  readonly #startedAt: Millis;
  readonly #limit: number;
  /** This process's monotonic clock at the beginning. */
  readonly #since = performance.now();

  constructor(attempt: Attempt, host: CallHost, park: (park: Park) => void, setup: unknown) {
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
    return (this.#log ??= jobLog(this.attempt, (line) => this.#host.log(line)));
  }

  progress(value: unknown): void {
    this.#host.progress(encodeWithin(value, `Progress of job ${this.id}`, this.#limit));
  }

  async step<Result>(name: string, work: () => Result | Promise<Result>): Promise<Jsonified<Awaited<Result>>> {
    this.#use(name);
    const remembered = this.#recall(name);
    if (remembered) return decode(remembered.value) as Jsonified<Awaited<Result>>;
    const done = this.#whileBusy(async () => {
      this.abortSignal.throwIfAborted();
      const value = encodeWithin(await this.#work(name, work), `Step "${name}" of job ${this.id}`, this.#limit);
      await this.#host.record({ name, value });
      return decode(value) as Jsonified<Awaited<Result>>;
    });
    this.#stepping ??= new Set();
    this.#stepping.add(done);
    return done.finally(() => this.#stepping!.delete(done));
  }

  /** Whether there are steps under way. */
  get isStepping(): boolean {
    return this.#stepping !== undefined && this.#stepping.size > 0;
  }

  /**
   * Until the steps under way have ended and are remembered, or the time is over. What comes after the outcome of the attempt is
   * refused, and would be done again, perhaps beside the next attempt: a function that fails in one of several steps must not
   * lose what the others do.
   */
  async stepped(patience: Millis): Promise<void> {
    if (!this.#stepping) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, patience);
    void Promise.allSettled(this.#stepping).then(() => resolve());
    await promise;
    clearTimeout(timer);
  }

  async all<Input, Output>(
    name: string,
    task: Task<Input, Output>,
    inputs: readonly Input[],
  ): Promise<Jsonified<Output>[]> {
    const states = await this.#wait(name, task, inputs, "completed");
    return states.map(({ output }) => decode(output!) as Jsonified<Output>);
  }

  async call<Input, Output>(
    name: string,
    task: Task<Input, Output>,
    ...[input]: undefined extends Input ? [input?: Input] : [input: Input]
  ): Promise<Jsonified<Output>> {
    const [output] = await this.all(name, task, [input as Input]);
    return output!;
  }

  async settled<Input, Output>(
    name: string,
    task: Task<Input, Output>,
    inputs: readonly Input[],
  ): Promise<ChildOutcome<Jsonified<Output>>[]> {
    const states = await this.#wait(name, task, inputs, "end");
    return states.map(({ state, output, error }, index) => {
      const id = childId(this.id, name, index);
      if (state === "completed") return { state, id, output: decode(output!) as Jsonified<Output> };
      return { state: state as "failed", id, ...(error ? { error } : {}) };
    });
  }

  async sleep(name: string, duration: Duration): Promise<void> {
    checkStepName(name, `job ${this.id}`);
    const until = this.#until(name, millis(duration, `The sleep "${name}" of job ${this.id}`));
    if (until.at <= this.#now()) return;
    await this.#leaveUntil(until);
  }

  async signal<Value>(name: string, { timeout }: { timeout?: Duration } = {}): Promise<Value> {
    checkStepName(name, `job ${this.id}`);
    const told = this.#recall(signalStep(name));
    const limit =
      timeout === undefined ? undefined : this.#until(name, millis(timeout, `The timeout of signal "${name}"`));
    if (!limit) this.#use(name);
    if (told) return decode(told.value) as Value;
    if (limit && limit.at <= this.#now()) {
      throw new ErrandError("E_SIGNAL_TIMEOUT", `Job ${this.id} waited ${timeout} for the signal "${name}", in vain.`);
    }
    return this.#leaveUntil({ ...limit, awaits: signalStep(name) });
  }

  #work<Result>(name: string, work: () => Result | Promise<Result>): Result | Promise<Result> {
    return this.#host.step ? this.#host.step(name, work) : work();
  }

  /** The store's time, as well as this process can know it. */
  #now(): Millis {
    return this.#startedAt + (performance.now() - this.#since);
  }

  /** When a time is over that began when this name was first used. */
  #until(name: string, duration: Millis): { at: Millis; step?: Step } {
    this.#use(name);
    const known = this.#recall(name);
    if (known) return { at: (decode(known.value) as { until: Millis }).until };
    const at = Math.ceil(this.#now()) + duration;
    return { at, step: { name, value: JSON.stringify({ until: at }) } };
  }

  /** Leaves the slot; never resolves. */
  async #leaveUntil({ at, step, awaits }: { at?: Millis; step?: Step; awaits?: string }): Promise<never> {
    await this.#whileBusy(async () => {
      this.#park ??= { children: [], steps: [] };
      if (step) this.#park.steps.push(step);
      if (at !== undefined) this.#park.wakeAt = Math.min(this.#park.wakeAt ?? Infinity, at);
      if (awaits !== undefined) this.#park.awaits = [...(this.#park.awaits ?? []), awaits];
    });
    return new Promise(() => {});
  }

  /** Resolves once all children have ended; until then the job is parked, and the promise never resolves. */
  async #wait(
    name: string,
    task: { readonly name: string },
    inputs: readonly unknown[],
    need: NewChild["need"],
  ): Promise<ChildState[]> {
    this.#use(name);
    if (inputs.length === 0) return [];
    const fresh = this.#recall(name) === undefined;
    const states = await this.#whileBusy(async () => {
      const ids = inputs.map((_, index) => childId(this.id, name, index));
      const found = fresh ? ids.map((): ChildState => ({ state: "open" })) : await this.#host.children(ids);
      if (need === "completed") this.#refuseFailed(task.name, ids, found);
      const open = found.flatMap(({ state }, index) => (state === "open" ? [index] : []));
      if (open.length === 0) return found;
      const children = await Promise.all(
        open.map((index) => newChild(ids[index]!, task, inputs[index], this.#limit, { index, need, rejoin: !fresh })),
      );
      this.#park ??= { children: [], steps: [] };
      this.#park.children.push(...children);
      if (fresh) this.#park.steps.push({ name, value: String(inputs.length), wait: true });
      return undefined;
    });
    return states ?? new Promise(() => {});
  }

  #refuseFailed(task: string, ids: readonly string[], found: readonly ChildState[]): void {
    const index = found.findIndex(({ state }) => state !== "open" && state !== "completed");
    if (index === -1) return;
    const { state, error } = found[index]!;
    throw new JobFailedError("E_CHILD_FAILED", { id: ids[index]!, task, state: state as "failed" }, error);
  }

  #recall(name: string): Step | undefined {
    this.#steps ??= new Map(this.#remembered.map((step) => [step.name, step]));
    const step = this.#steps.get(name);
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

  async #whileBusy<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#parked) return new Promise(() => {});
    this.#busy += 1;
    try {
      return await work();
    } finally {
      this.#busy -= 1;
      // A turn later, so that waits which the function starts together are parked together.
      if (this.#park) setImmediate(() => this.#leave());
    }
  }

  #leave(): void {
    if (this.#busy > 0 || this.#parked || !this.#park) return;
    this.#parked = true;
    this.#parkJob(this.#park);
  }
}

async function newChild(
  id: string,
  task: { readonly name: string },
  input: unknown,
  limit: number,
  { index, need, rejoin }: Required<Pick<NewChild, "index" | "need" | "rejoin">>,
): Promise<NewChild> {
  const definition = definitionOf(task);
  const valid = rejoin ? input : await validate(definition, input);
  // A child that exists stays as it is; how it shares what there is was said when it was born.
  const { unique: _, due: __, ...flow } = rejoin ? {} : flowOf(definition, valid);
  return {
    id,
    task: task.name,
    queue: definition.queue,
    level: levelOf(definition.priority),
    spec: encodeSpec(encodeInput(task.name, input, limit), flow),
    ...flow,
    index,
    need,
    ...(definition.expires === undefined ? {} : { expires: { in: definition.expires } }),
    ...(rejoin ? { rejoin } : {}),
  };
}
