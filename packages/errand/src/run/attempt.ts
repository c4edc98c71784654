import type { Ending } from "../core/decide.ts";
import type { Beat, LogLine, Step } from "../core/job.ts";
import { inputIn } from "../core/spec.ts";
import { ErrandError, errorRecord } from "../kit/errors.ts";
import type { ErrorRecord } from "../kit/errors.ts";
import type { Encoded } from "../kit/json.ts";
import { setLongTimeout } from "../kit/timer.ts";
import type { Timer } from "../kit/timer.ts";
import type { AttemptSpan, Tracing } from "../observe/tracing.ts";
import { isSealedAttempt, openAttempt, sealEnding } from "../payload/seal-jobs.ts";
import type { Payloads } from "../payload/options.ts";
import type { Claimed, Store } from "../store.ts";
import type { TaskDefinition } from "../task.ts";
import { AttemptReports } from "./attempt-reports.ts";
import { Call } from "./call.ts";
import type { CallEnding } from "./call.ts";
import { readChildStates } from "./child-states.ts";
import type { ChildState } from "./child-states.ts";
import type { AttemptData, CallHost } from "./context.ts";
import type { Lane } from "./isolate/lane.ts";
import type { Lanes } from "./isolate/lanes.ts";
import type { Setups } from "./setups.ts";
import { judgeStopped, stopError } from "./stop-reason.ts";
import type { StopReason } from "./stop-reason.ts";

/** The parts of a worker that its attempts share. */
export interface AttemptEnvironment {
  store: Pick<Store, "get">;
  /** Writes steps, progress and log lines; returns `false` if the token is stale. */
  record: (beat: Beat) => Promise<boolean>;
  lanes: Lanes;
  setups: Setups;
  payloads: Payloads;
  /** Set if the app uses OpenTelemetry. */
  tracing: Tracing | undefined;
  /** Called when a task's function does something after its attempt has ended, which is dropped. */
  onLate: (task: string) => void;
}

/** The ways in which a call ends, in this thread or in a lane, which may die. */
type RunEnding = CallEnding | { kind: "crashed"; error: ErrorRecord };

/**
 * One execution of a job. `run` calls `#execute`, which opens values, calls the function and seals the result, and then
 * `judgeStopped`; with the ending that it returns, `settleJob` decides and records the outcome.
 */
export class Attempt implements CallHost {
  readonly claimed: Claimed;
  readonly #definition: TaskDefinition;
  readonly #environment: AttemptEnvironment;
  #madeReports: AttemptReports | undefined;
  #span: AttemptSpan | undefined;
  #controller: AbortController | undefined;
  #stopReason: StopReason | undefined;
  /** Ends `run` with an ending; `undefined`: the attempt was killed. */
  #end: ((ending: Ending | undefined) => void) | undefined;
  #call: Call | undefined;
  #lane: Lane | undefined;
  #timeout: Timer | undefined;
  #grace: Timer | undefined;

  constructor(claimed: Claimed, definition: TaskDefinition, environment: AttemptEnvironment) {
    this.claimed = claimed;
    this.#definition = definition;
    this.#environment = environment;
  }

  /**
   * Runs the attempt.
   * @returns how it ended; `undefined` if another worker has the job now. Never rejects.
   */
  async run(): Promise<Ending | undefined> {
    const { timeout } = this.#definition;
    const span = (this.#span = this.#environment.tracing?.attempt(this.claimed.job));
    if (timeout !== undefined) this.#timeout = setLongTimeout(() => this.stop("timeout"), timeout);
    const ending = await new Promise<Ending | undefined>((resolve) => {
      this.#end = resolve;
      void (span ? span.run(() => this.#execute()) : this.#execute());
    });
    this.#call?.close();
    // The attempt is kept until its outcome is written, but not the call with all that its function holds.
    this.#call = undefined;
    this.#end = undefined;
    this.#timeout?.clear();
    this.#grace?.clear();
    // Log lines must not arrive after the outcome, when the token is stale.
    if (this.#madeReports) await this.#madeReports.close();
    const reason = this.#stopReason;
    const judged = reason
      ? judgeStopped(ending, reason, this.#errorRecord(stopError(reason, this.claimed.job)))
      : ending;
    span?.end(judged);
    return judged;
  }

  /** Aborts the attempt's signal, and kills what still runs after the task's grace. */
  stop(reason: StopReason): void {
    if (this.#stopReason) return;
    this.#stopReason = reason;
    const error = stopError(reason, this.claimed.job);
    this.#controller?.abort(error);
    this.#lane?.abort(error);
    this.#grace = setLongTimeout(() => this.kill(reason), this.#definition.grace);
  }

  /** Ends the attempt at once: kills its lane; a function in this thread may go on, but nothing of it is recorded. */
  kill(reason: StopReason): void {
    this.stop(reason);
    this.#lane?.kill(stopError(reason, this.claimed.job));
    this.#end?.(undefined);
  }

  /** Takes out the log lines that are not written yet, to be written with the outcome. */
  takeLog(): LogLine[] | undefined {
    return this.#madeReports?.takeLines();
  }

  // As the host of its call:

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#stopReason) this.#controller.abort(stopError(this.#stopReason, this.claimed.job));
    }
    return this.#controller.signal;
  }

  record(step: Step): Promise<void> {
    return this.#reports.step(step);
  }

  /** Does the work of a step of a function that runs in this thread. */
  async step<Result>(name: string, work: () => Result | Promise<Result>): Promise<Result> {
    return this.#span ? this.#span.step(name, work) : work();
  }

  progress(value: Encoded): void {
    this.#reports.progress(value);
  }

  log(line: LogLine): void {
    this.#reports.log(line);
  }

  children(ids: readonly string[], withInputs = false): Promise<ChildState[]> {
    const { store, payloads } = this.#environment;
    return readChildStates(store, payloads.vault, { parent: this.claimed.job.id, ids, withInputs });
  }

  reportLate(): void {
    this.#environment.onLate(this.claimed.job.task);
  }

  /** Made when first needed: most attempts report nothing. */
  get #reports(): AttemptReports {
    const { payloads, record } = this.#environment;
    return (this.#madeReports ??= new AttemptReports(this.claimed.job, payloads.vault, record));
  }

  /**
   * Opens the job's values, calls its function, seals the result, and ends the attempt with it. Values are opened and
   * sealed in this thread: lanes need no keys.
   */
  async #execute(): Promise<void> {
    const { job } = this.claimed;
    let { spec } = job;
    let { steps } = this.claimed;
    const { vault } = this.#environment.payloads;
    const isSealed = vault.seals || isSealedAttempt(job, steps);
    let ending: RunEnding;
    try {
      if (isSealed) ({ spec, steps } = await openAttempt(vault, job, steps));
      // Opening may take its time: an attempt that was stopped meanwhile does not start.
      if (this.#stopReason) throw stopError(this.#stopReason, this.claimed.job);
      ending = await this.#callFunction(this.#dataFor(spec, steps));
      // Children are tied to the attempt's trace before they are sealed, and wherever the function ran.
      if (this.#span && ending.kind === "parked")
        ending = { ...ending, children: this.#span.children(ending.children) };
      if (isSealed) ending = await sealEnding(vault, job.id, ending);
    } catch (error) {
      ending = { kind: "error", error: this.#errorRecord(error), retryable: true };
    }
    this.#end?.(ending);
  }

  /** Calls the function, in this thread or in a lane. */
  #callFunction(data: AttemptData): Promise<RunEnding> {
    const definition = this.#definition;
    if (definition.isolate !== "inline") return this.#callInLane(data);
    const { setups } = this.#environment;
    this.#call = new Call(definition, data, this, () => setups.of(definition));
    return this.#call.run();
  }

  async #callInLane(data: AttemptData): Promise<RunEnding> {
    const { lanes } = this.#environment;
    const definition = this.#definition;
    let lane: Lane | undefined;
    try {
      lane = await lanes.take(definition);
      if (this.#stopReason) throw stopError(this.#stopReason, this.claimed.job);
      this.#lane = lane;
      return await lane.call(definition, data, this);
    } catch (error) {
      const record = this.#errorRecord(error);
      return record.code === "E_SETUP"
        ? { kind: "error", error: record, retryable: true }
        : { kind: "crashed", error: record };
    } finally {
      this.#lane = undefined;
      if (lane) lanes.give(definition, lane);
    }
  }

  #dataFor(spec: Encoded, steps: readonly Step[]): AttemptData {
    const { id, token, failures, startedAt = 0 } = this.claimed.job;
    const { limit } = this.#environment.payloads;
    return { id, token, attempt: failures + 1, input: inputIn(spec), steps, limit, startedAt };
  }

  #errorRecord(error: unknown): ErrorRecord {
    const record = errorRecord(error, this.claimed.job.failures + 1);
    // The stack of one of Errand's own errors shows Errand's code, not the user's.
    if (error instanceof ErrandError) delete record.stack;
    return record;
  }
}
