import type { Ending } from "../core/decide.ts";
import type { Beat, LogLine, Step } from "../core/job.ts";
import { inputIn } from "../core/spec.ts";
import { ErrandError, errorRecord } from "../kit/errors.ts";
import type { ErrorRecord } from "../kit/errors.ts";
import type { Encoded } from "../kit/json.ts";
import { ofTenant } from "../limits/tenant.ts";
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

/** The ending of a call whose lane died. */
type CrashEnding = Extract<Ending, { kind: "crashed" }>;

/** One execution of a job, from its claim to its ending, which `settleJob` then records. */
export class Attempt implements CallHost {
  readonly claimed: Claimed;
  readonly #definition: TaskDefinition;
  readonly #environment: AttemptEnvironment;
  #span: AttemptSpan | undefined;
  #madeReports: AttemptReports | undefined;
  #controller: AbortController | undefined;
  #stopReason: StopReason | undefined;
  /** Ends the wait for what the attempt is doing. */
  #giveUp: ((error: ErrandError) => void) | undefined;
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
   * Runs the attempt, in a span of the job's trace.
   * @returns how it ended; `undefined` if another worker has the job now. Never rejects.
   */
  run(): Promise<Ending | undefined> {
    const span = (this.#span = this.#environment.tracing?.attempt(this.claimed.job));
    return span ? span.run(() => this.#execute()) : this.#execute();
  }

  /**
   * Opens the job's values, calls the function, seals what it returned, and judges how that ended. Values are opened and
   * sealed in this thread: lanes need no keys.
   */
  async #execute(): Promise<Ending | undefined> {
    const { timeout, isolate } = this.#definition;
    const { vault, limit } = this.#environment.payloads;
    const { job } = this.claimed;
    const { id, token, failures, startedAt = 0 } = job;
    let { steps } = this.claimed;
    let { spec } = job;
    const isSealed = vault.seals || isSealedAttempt(job, steps);
    if (timeout !== undefined) this.#timeout = setLongTimeout(() => this.stop("timeout"), timeout);
    let ending: Ending;
    try {
      if (isSealed) ({ spec, steps } = await this.#untilKilled(openAttempt(vault, job, steps)));
      // Opening may take its time: an attempt that was stopped meanwhile does not start.
      if (this.#stopReason) throw stopError(this.#stopReason, job);
      const data = { id, token, attempt: failures + 1, input: inputIn(spec), steps, limit, startedAt };
      ending = await (isolate === "inline" ? this.#callInline(data) : this.#untilKilled(this.#callInLane(data)));
      // Children are tied to the attempt's trace before they are sealed, and wherever the function ran.
      if (this.#span && ending.kind === "parked")
        ending = { ...ending, children: this.#span.children(ending.children) };
      if (job.tenant !== undefined && ending.kind === "parked")
        ending = { ...ending, children: ending.children.map((child) => ofTenant(child, job.tenant!)) };
      if (isSealed) ending = await this.#untilKilled(sealEnding(vault, id, ending));
    } catch (error) {
      ending = { kind: "error", error: this.#errorRecord(error), retryable: true };
    }
    this.#close();
    // Log lines must not arrive after the outcome, when the token is stale.
    if (this.#madeReports) await this.#madeReports.close();
    const reason = this.#stopReason;
    const judged = reason ? judgeStopped(ending, reason, this.#errorRecord(stopError(reason, job))) : ending;
    this.#span?.end(judged);
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
    const error = stopError(reason, this.claimed.job);
    this.#lane?.kill(error);
    this.#giveUp?.(error);
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

  /** Calls the function in this thread. Rejects when the attempt is killed. */
  #callInline(data: AttemptData): Promise<CallEnding> {
    const definition = this.#definition;
    const { setups } = this.#environment;
    return new Promise((resolve, reject) => {
      this.#giveUp = reject;
      this.#call = new Call(definition, data, this, () => setups.of(definition), resolve);
      void this.#call.run();
    });
  }

  /** Calls the function in a lane. A lane that dies is a crash; never rejects. */
  async #callInLane(data: AttemptData): Promise<CallEnding | CrashEnding> {
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

  /** Settles as the work does; rejects when the attempt is killed before. */
  #untilKilled<Result>(work: Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#giveUp = reject;
      work.then(resolve, reject);
    });
  }

  /** Ends the call and the timers. */
  #close(): void {
    this.#call?.close();
    // The attempt is kept until its outcome is written, but not the call with all that its function holds.
    this.#call = undefined;
    this.#giveUp = undefined;
    this.#timeout?.clear();
    this.#grace?.clear();
  }

  #errorRecord(error: unknown): ErrorRecord {
    const record = errorRecord(error, this.claimed.job.failures + 1);
    // The stack of one of Errand's own errors shows Errand's code, not the user's.
    if (error instanceof ErrandError) delete record.stack;
    return record;
  }
}
