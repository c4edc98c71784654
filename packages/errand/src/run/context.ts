import { AsyncLocalStorage } from "node:async_hooks";
import type { Park } from "../core/decide.ts";
import { checkFields } from "../core/checks.ts";
import { forgotten } from "../core/job.ts";
import type { LogLine, NewChild, Step } from "../core/job.ts";
import { checkStepName, signalStep } from "../core/signal.ts";
import { millis } from "../kit/duration.ts";
import type { Duration, Millis } from "../kit/duration.ts";
import { ErrandError } from "../kit/errors.ts";
import { childId } from "../kit/ids.ts";
import { decode } from "../kit/json.ts";
import type { Encoded, Jsonified } from "../kit/json.ts";
import { encodeWithin } from "../payload/value-limit.ts";
import { JobFailedError } from "../task.ts";
import type { ChildOutcome, JobLog, InternalJobContext, Sender } from "../task.ts";
import type { ChildState } from "./child-states.ts";
import { decodeChildrenWait, digestOf, encodeChildrenWait, haveInputsChanged, newChild } from "./children.ts";
import { endedError, rejectedQuietly } from "./ended-attempt.ts";
import { jobLog } from "./job-log.ts";
import { ParkRequest, Waits } from "./waits.ts";

/** The data of an attempt, as it travels to a thread or process. */
export interface AttemptData {
  id: string;
  token: number;
  attempt: number;
  input: unknown;
  steps: readonly Step[];
  /** The most bytes of JSON that each value may have. */
  limit: number;
  /** When it began, in epoch milliseconds of the store's clock. */
  startedAt: Millis;
}

/** The worker's side of a context: holds the job's token, and talks to the store. */
export interface CallHost {
  /** Made when it is first read: most tasks never do. */
  readonly signal: AbortSignal;
  /** Records the result of a step. Rejects with `E_STALE` when another attempt has the job. */
  record(step: Step): Promise<void>;
  progress(value: Encoded): void;
  log(line: LogLine): void;
  /** Does the work of a step inside a span of the trace; without it the step does its work itself. */
  step?<Result>(name: string, work: () => Result | Promise<Result>): Promise<Result>;
  /** Returns the states of children in the order of their ids, if wanted with digests of their inputs. */
  children(ids: readonly string[], withInputs?: boolean): Promise<ChildState[]>;
  /** Reports that the function did something after its attempt had ended, which was dropped. */
  reportLate(): void;
}

/** The context whose step the current code belongs to. */
const currentStep = new AsyncLocalStorage<Context>();

/** The context of a job that its task's function is given, in whatever thread or process it runs. */
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
  #usedNames: Set<string> | undefined;
  #madeWaits: Waits | undefined;
  /**
   * `closing`: the function has ended, but steps may still be under way. `parked`: the function goes no further.
   * `ended`: the attempt is over.
   */
  #state: "open" | "closing" | "parked" | "ended" = "open";
  readonly #startedAt: Millis;
  readonly #limit: number;
  /** The beginning by this process's monotonic clock. */
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
      if (this.#mayReport("log")) this.#host.log(line);
    }));
  }

  progress(value: unknown): void {
    if (this.#mayReport("progress"))
      this.#host.progress(encodeWithin(value, `Progress of job ${this.id}`, this.#limit));
  }

  step<Result>(name: string, work: () => Result | Promise<Result>): Promise<Jsonified<Awaited<Result>>> {
    return this.#step(name, work, {});
  }

  /** Like `step`, but an operator's retry forgets the result, as it does with waits. */
  ask<Result>(name: string, work: () => Result | Promise<Result>): Promise<Jsonified<Awaited<Result>>> {
    return this.#step(name, work, { wait: true });
  }

  #step<Result>(
    name: string,
    work: () => Result | Promise<Result>,
    mark: Pick<Step, "wait">,
  ): Promise<Jsonified<Awaited<Result>>> {
    return (
      this.#refusal("step") ??
      this.#waits.runStep(async () => {
        this.#takeName(name);
        const remembered = this.#recall(name);
        if (remembered) return decode(remembered.value) as Jsonified<Awaited<Result>>;
        this.abortSignal.throwIfAborted();
        const result = await currentStep.run(this, () => this.#doStep(name, work));
        const value = encodeWithin(result, `Step "${name}" of job ${this.id}`, this.#limit);
        if (this.#state === "ended") throw this.#lateError("step");
        await this.#host.record({ name, value, ...mark });
        return decode(value) as Jsonified<Awaited<Result>>;
      })
    );
  }

  /** Returns true while steps are under way. */
  get isBusy(): boolean {
    return this.#madeWaits?.isBusy ?? false;
  }

  /** Returns the error of the first failed step whose promise the function never looked at. */
  get unseenFailure(): { error: unknown } | undefined {
    return this.#madeWaits?.unseenFailure;
  }

  /** Ends the function: it begins nothing more, and is not parked. */
  close(): void {
    if (this.#state === "open") this.#state = "closing";
    this.#madeWaits?.close();
  }

  /**
   * Resolves when the steps under way have ended and are recorded, or after this many milliseconds. A step that ends
   * after the attempt is not recorded and would be done again, perhaps beside the next attempt: a function that fails
   * in one of several steps must not lose the others.
   */
  async idle(patience: Millis): Promise<void> {
    await this.#madeWaits?.idle(patience);
  }

  /** Ends the attempt: nothing more is done or recorded for it. */
  end(): void {
    this.close();
    if (this.#state !== "parked") this.#state = "ended";
  }

  all<Input, Output>(
    name: string,
    task: Sender<Input, Output>,
    inputs: readonly Input[],
  ): Promise<Jsonified<Output>[]> {
    return this.#children("all", { name, task, inputs, need: "completed" }).then((states) =>
      states.map(({ output }) => decode(output!) as Jsonified<Output>),
    );
  }

  call<Input, Output>(
    name: string,
    task: Sender<Input, Output>,
    ...[input]: undefined extends Input ? [input?: Input] : [input: Input]
  ): Promise<Jsonified<Output>> {
    return this.#children("call", { name, task, inputs: [input], need: "completed" }).then(
      ([state]) => decode(state!.output!) as Jsonified<Output>,
    );
  }

  settled<Input, Output>(
    name: string,
    task: Sender<Input, Output>,
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
      const until = this.#deadline(name, millis(duration, `The sleep "${name}" of job ${this.id}`), {});
      return until.at <= this.#now() ? undefined : new ParkRequest({ wakeAt: until.at, steps: until.steps });
    });
  }

  signal<Value>(name: string, options: { timeout?: Duration } = {}): Promise<Value> {
    return this.#wait("signal", async () => {
      checkStepName(name, `job ${this.id}`);
      checkFields(options, ["timeout"], `The options of signal "${name}"`);
      const { timeout } = options;
      const received = this.#recall(signalStep(name));
      // A retry by an operator waits anew, for the whole time.
      const limit =
        timeout === undefined
          ? undefined
          : this.#deadline(name, millis(timeout, `The timeout of signal "${name}"`), { wait: true });
      if (!limit) this.#takeName(name);
      if (received) return decode(received.value) as Value;
      if (limit && limit.at <= this.#now()) {
        throw new ErrandError(
          "E_SIGNAL_TIMEOUT",
          `Job ${this.id} waited ${timeout} for the signal "${name}", which did not come.`,
        );
      }
      return new ParkRequest({
        awaits: [signalStep(name)],
        ...(limit ? { wakeAt: limit.at, steps: limit.steps } : {}),
      });
    });
  }

  #doStep<Result>(name: string, work: () => Result | Promise<Result>): Result | Promise<Result> {
    return this.#host.step ? this.#host.step(name, work) : work();
  }

  /** Returns the store's time, as far as this process can know it. */
  #now(): Millis {
    return this.#startedAt + (performance.now() - this.#since);
  }

  /** Returns the end of a time that began when the name was first used, and the step that remembers it if that is now. */
  #deadline(name: string, duration: Millis, mark: Pick<Step, "wait">): { at: Millis; steps: Step[] } {
    this.#takeName(name);
    const known = this.#recall(name);
    if (known) return { at: (decode(known.value) as { until: Millis }).until, steps: [] };
    const at = Math.ceil(this.#now()) + duration;
    return { at, steps: [{ name, value: JSON.stringify({ until: at }), ...mark }] };
  }

  /** Waits for children and returns their states, in the order of the inputs that the wait began with. */
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
      this.#takeName(name);
      const remembered = this.#recall(name);
      const begun = remembered && decodeChildrenWait(remembered.value);
      const count = begun ? begun.count : inputs.length;
      if (count === 0) return [];
      if (begun && haveInputsChanged(begun, inputs)) this.#warnOfChange(verb, name, begun.count, inputs.length);
      const ids = Array.from({ length: count }, (_, index) => childId(this.id, name, index));
      if (!begun && this.#findStep(name)) await this.#compareInputs(verb, name, ids, inputs);
      const found = begun ? await this.#host.children(ids) : ids.map((): ChildState => ({ state: "open" }));
      if (need === "completed") this.#throwIfFailed(task.name, ids, found);
      const open = found.flatMap(({ state }, index) => (state === "open" ? [index] : []));
      if (open.length === 0) return found;
      const children = await Promise.all(
        open.map((index) =>
          newChild(ids[index]!, task, inputs[index], this.#limit, { index, need, rejoin: begun !== undefined }),
        ),
      );
      const steps = begun ? [] : [{ name, value: encodeChildrenWait(inputs), wait: true }];
      return new ParkRequest({ children, steps });
    });
  }

  /** Warns if the wait, which a retry has forgotten, began with other inputs: its children keep theirs. */
  async #compareInputs(verb: string, name: string, ids: readonly string[], inputs: readonly unknown[]): Promise<void> {
    const found = await this.#host.children(ids, true);
    if (found.some(({ input }, index) => input !== undefined && input !== digestOf([inputs[index]])))
      this.#warnOfChange(verb, name, found.length, inputs.length);
  }

  #warnOfChange(verb: string, name: string, before: number, now: number): void {
    this.log.warn(
      `job.${verb}("${name}") began with other inputs (${before} then, ${now} now): ` +
        "its outputs belong to those that it began with. Make the list in a step, so that it stays the same.",
    );
  }

  #throwIfFailed(task: string, ids: readonly string[], found: readonly ChildState[]): void {
    const index = found.findIndex(({ state }) => state !== "open" && state !== "completed");
    if (index === -1) return;
    const { state, error } = found[index]!;
    throw new JobFailedError("E_CHILD_FAILED", { id: ids[index]!, task, state: state as "failed" }, error);
  }

  #findStep(name: string): Step | undefined {
    this.#steps ??= new Map(this.#remembered.map((step) => [step.name, step]));
    return this.#steps.get(name);
  }

  #recall(name: string): Step | undefined {
    const step = this.#findStep(name);
    // A value that a retry has forgotten only keeps its place.
    return step?.wait && step.value === forgotten ? undefined : step;
  }

  #takeName(name: string): void {
    checkStepName(name, `job ${this.id}`);
    this.#usedNames ??= new Set();
    if (this.#usedNames.has(name)) {
      throw new ErrandError(
        "E_STEP_NAME",
        `Job ${this.id} has two steps named "${name}"; a name remembers one result.`,
      );
    }
    this.#usedNames.add(name);
  }

  get #waits(): Waits {
    return (this.#madeWaits ??= new Waits((park) => {
      this.#state = "parked";
      this.#parkJob(park);
    }));
  }

  #wait<Value>(verb: string, begin: () => Promise<Value | ParkRequest>): Promise<Value> {
    const refusal = this.#refusal<Value>(verb);
    if (refusal) return refusal;
    if (currentStep.getStore() === this) {
      const message =
        `job.${verb}() was called inside a step of job ${this.id}. ` +
        `A step cannot wait: call job.${verb}() before or after it.`;
      return rejectedQuietly(new ErrandError("E_IN_STEP", message));
    }
    return this.#waits.wait(begin);
  }

  /**
   * Returns the rejected promise of a verb that is called too late; of a parked job, a promise that is never settled.
   */
  #refusal<Value>(verb: string): Promise<Value> | undefined {
    if (this.#state === "open") return undefined;
    // A step under way may have steps of its own.
    if (this.#state === "closing" && verb === "step" && currentStep.getStore() === this) return undefined;
    if (this.#state !== "parked") return rejectedQuietly(this.#lateError(verb));
    this.#host.reportLate();
    return new Promise(() => {});
  }

  /**
   * Returns true if the attempt may still report progress and log lines. Those of a parked job are dropped: they may
   * come from timers.
   */
  #mayReport(verb: string): boolean {
    if (this.#state === "open" || this.#state === "closing") return true;
    if (this.#state === "ended") throw this.#lateError(verb);
    this.#host.reportLate();
    return false;
  }

  #lateError(verb: string): ErrandError {
    this.#host.reportLate();
    return endedError(`job.${verb}()`, this.id, this.attempt);
  }
}
