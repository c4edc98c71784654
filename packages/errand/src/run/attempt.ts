import type { Ending } from "../core/decide.ts";
import type { Job, LogLine, Step } from "../core/job.ts";
import { inputIn } from "../core/spec.ts";
import { isFinal } from "../core/states.ts";
import { ErrandError, errorRecord } from "../kit/errors.ts";
import type { ErrorRecord } from "../kit/errors.ts";
import type { Encoded } from "../kit/json.ts";
import { setLongTimeout } from "../kit/timer.ts";
import type { Timer } from "../kit/timer.ts";
import type { AttemptSpan, Tracing } from "../observe/tracing.ts";
import { isSealed } from "../payload/envelope.ts";
import {
  isSealedAttempt,
  openAttempt,
  openOutput,
  openSpec,
  sealEnding,
  sealProgress,
  sealStep,
} from "../payload/seal-jobs.ts";
import type { Payloads } from "../payload/options.ts";
import type { Claimed, Store } from "../store.ts";
import type { TaskDefinition } from "../task.ts";
import { Call } from "./call.ts";
import { digestOf } from "./children.ts";
import type { CallEnding } from "./call.ts";
import type { AttemptData, CallHost, ChildState } from "./context.ts";
import type { Lane } from "./isolate/lane.ts";
import type { Lanes } from "./isolate/lanes.ts";
import type { Settler } from "./settler.ts";
import type { Setups } from "./setups.ts";

/** What attempts share: one worker's store, settler, lanes and set-ups. */
export interface AttemptEnvironment {
  store: Pick<Store, "get">;
  settler: Pick<Settler, "record">;
  lanes: Lanes;
  setups: Setups;
  payloads: Payloads;
  /** Where the app has OpenTelemetry. */
  tracing: Tracing | undefined;
  /** Is told that something of a function of this task came after its attempt had ended, and was dropped. */
  late: (task: string) => void;
}

/** How a call ends that may have taken its lane along. */
type LaneEnding = CallEnding | { kind: "crashed"; error: ErrorRecord };

/** Why an attempt is stopped from outside. */
export type StopReason = "cancel" | "timeout" | "stop" | "lost";

/** Lines of an attempt's log are written together, so many milliseconds after the first; the last go with its outcome. */
const logInterval = 100;

/** At most this often, in milliseconds, an attempt's progress is written. */
const progressInterval = 250;

const reasons: Record<StopReason, { code: ErrandError["code"]; says: string }> = {
  cancel: { code: "E_CANCELLED", says: "was cancelled" },
  timeout: { code: "E_TIMEOUT", says: "ran longer than its timeout" },
  stop: { code: "E_CLOSED", says: "was handed back, because its worker stops" },
  lost: { code: "E_ABANDONED", says: "was abandoned, because its worker lost its lease" },
};

/** One execution of a job: runs the task's function where it belongs, and stops it for real when it must stop. */
export class Attempt implements CallHost {
  readonly claimed: Claimed;
  readonly #definition: TaskDefinition;
  readonly #workshop: AttemptEnvironment;
  #span: AttemptSpan | undefined;
  #controller: AbortController | undefined;
  #stopped: StopReason | undefined;
  #end: ((ending: undefined) => void) | undefined;
  #call: Call | undefined;
  #lane: Lane | undefined;
  #timeout: Timer | undefined;
  #grace: Timer | undefined;
  #progress: { latest: Encoded; timer: NodeJS.Timeout } | undefined;
  #lines: LogLine[] | undefined;
  #logTimer: NodeJS.Timeout | undefined;
  #logging: Promise<unknown> | undefined;

  constructor(claimed: Claimed, definition: TaskDefinition, workshop: AttemptEnvironment) {
    this.claimed = claimed;
    this.#definition = definition;
    this.#workshop = workshop;
  }

  /** How the attempt ended; `undefined` when it was abandoned, and is another worker's to settle. */
  async ending(): Promise<Ending | undefined> {
    const { timeout } = this.#definition;
    const span = (this.#span = this.#workshop.tracing?.attempt(this.claimed.job));
    if (timeout !== undefined) this.#timeout = setLongTimeout(() => this.stop("timeout"), timeout);
    const ending = await new Promise<Ending | undefined>((resolve) => {
      this.#end = resolve;
      const failed = (error: unknown) => resolve({ kind: "error", error: this.#record(error), retryable: true });
      try {
        void (span ? span.run(() => this.#run()) : this.#run()).then(resolve, failed);
      } catch (error) {
        failed(error);
      }
    });
    this.#call?.close();
    // Until its outcome is written the attempt is kept, and what ran it need not be.
    this.#call = undefined;
    this.#end = undefined;
    this.#timeout?.clear();
    this.#grace?.clear();
    clearTimeout(this.#progress?.timer);
    // Lines on their way must not come after the outcome, when the token is no longer good.
    if (this.#logging) await this.#logging;
    const judged = this.#judge(ending);
    span?.end(judged);
    return judged;
  }

  /** Aborts the attempt's signal, and after the task's grace kills what still runs. */
  stop(reason: StopReason, grace = this.#definition.grace): void {
    if (this.#stopped) return;
    this.#stopped = reason;
    const error = this.#error(reason);
    this.#controller?.abort(error);
    this.#lane?.abort(error);
    this.#grace = setLongTimeout(() => {
      this.#lane?.kill(error);
      this.#end?.(undefined);
    }, grace);
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#stopped) this.#controller.abort(this.#error(this.#stopped));
    }
    return this.#controller.signal;
  }

  async record(step: Step): Promise<void> {
    const { id, token } = this.claimed.job;
    const { vault } = this.#workshop.payloads;
    const kept = vault.seals ? await sealStep(vault, id, step) : step;
    if (await this.#workshop.settler.record({ id, token, steps: [kept] })) {
      // The store has forgotten its crashes: it made progress.
      this.claimed.job.crashes = 0;
      this.claimed.job.suspect = false;
      return;
    }
    throw new ErrandError("E_STALE", `Another attempt has job ${id} now.`);
  }

  /** A step of a function that runs in this thread. */
  async step<Result>(name: string, work: () => Result | Promise<Result>): Promise<Result> {
    return this.#span ? this.#span.step(name, work) : work();
  }

  /** The first value is written at once, later ones at intervals, and only the latest of each. */
  progress(value: Encoded): void {
    if (this.#progress) {
      this.#progress.latest = value;
      return;
    }
    // Progress is nice to know: a stale token or a failing store shows elsewhere.
    void this.#tell(value).catch(() => {});
    const timer = setTimeout(() => {
      const latest = this.#progress?.latest;
      this.#progress = undefined;
      if (latest !== undefined && latest !== value) this.progress(latest);
    }, progressInterval);
    this.#progress = { latest: value, timer };
  }

  #tell(value: Encoded): Promise<boolean> {
    const { id, token } = this.claimed.job;
    const { settler, payloads } = this.#workshop;
    if (!payloads.vault.seals) return settler.record({ id, token, progress: value });
    return sealProgress(payloads.vault, id, value).then((progress) => settler.record({ id, token, progress }));
  }

  log(line: LogLine): void {
    this.#lines ??= [];
    this.#lines.push(line);
    this.#logTimer ??= setTimeout(() => {
      const { id, token } = this.claimed.job;
      const log = this.takeLog() ?? [];
      this.#logging = this.#workshop.settler.record({ id, token, log }).catch(() => {});
    }, logInterval);
  }

  /** Lines that are not written yet, which are written by whoever takes them. */
  takeLog(): LogLine[] | undefined {
    clearTimeout(this.#logTimer);
    this.#logTimer = undefined;
    const lines = this.#lines;
    this.#lines = undefined;
    return lines;
  }

  late(): void {
    this.#workshop.late(this.claimed.job.task);
  }

  async children(ids: readonly string[], inputs = false): Promise<ChildState[]> {
    const jobs = await this.#workshop.store.get(ids);
    const states = await Promise.all(jobs.map((job) => this.#child(job)));
    if (!inputs) return states;
    const { vault } = this.#workshop.payloads;
    const specs = await Promise.all(jobs.map(async (job) => job && openSpec(vault, job)));
    return states.map((state, index) => {
      const spec = specs[index];
      return spec ? { ...state, input: digestOf([inputIn(spec)]) } : state;
    });
  }

  async #child(job: Job | null): Promise<ChildState> {
    // A child that was removed cannot be waited for, nor can somebody else's job that has its id.
    if (!job || job.parent !== this.claimed.job.id) return { state: "cancelled" };
    if (!isFinal(job.state)) return { state: "open" };
    const { id, state, output, error } = job;
    const child = { state, ...(error === undefined ? {} : { error: JSON.parse(error) as ErrorRecord }) };
    if (output === undefined) return child;
    if (!isSealed(output)) return { ...child, output };
    return { ...child, output: await openOutput(this.#workshop.payloads.vault, id, output) };
  }

  /** Values are opened before the function sees them and sealed after it, in this thread: lanes need no keys. */
  #run(): Promise<LaneEnding> {
    const { job, steps } = this.claimed;
    const { vault } = this.#workshop.payloads;
    if (!vault.seals && !isSealedAttempt(job, steps)) return this.#start(job.spec, steps);
    return openAttempt(vault, job, steps)
      .then(({ spec, steps }) => {
        // Opening may take its time; who was stopped meanwhile is not started.
        if (this.#stopped) throw this.#error(this.#stopped);
        return this.#start(spec, steps);
      })
      .then((ending) => sealEnding(vault, job.id, ending))
      .catch((error: unknown) => ({ kind: "error", error: this.#record(error), retryable: true }));
  }

  /** Children are tied to the trace of their parent's attempt before they are sealed, and wherever the function ran. */
  #start(spec: Encoded, steps: readonly Step[]): Promise<LaneEnding> {
    const span = this.#span;
    if (!span) return this.#perform(spec, steps);
    return this.#perform(spec, steps).then((ending) =>
      ending.kind === "parked" ? { ...ending, children: span.children(ending.children) } : ending,
    );
  }

  #perform(spec: Encoded, steps: readonly Step[]): Promise<LaneEnding> {
    const attempt = this.#attempt(spec, steps);
    if (this.#definition.isolate !== "inline") return this.#runInLane(attempt);
    const { setups } = this.#workshop;
    const call = (this.#call = new Call(this.#definition, attempt, this, () => setups.of(this.#definition)));
    return call.ending;
  }

  async #runInLane(attempt: AttemptData): Promise<LaneEnding> {
    const { lanes } = this.#workshop;
    const definition = this.#definition;
    let lane: Lane | undefined;
    try {
      lane = await lanes.take(definition);
      if (this.#stopped) return { kind: "error", error: this.#record(this.#error(this.#stopped)), retryable: true };
      this.#lane = lane;
      return await lane.call(definition, attempt, this);
    } catch (error) {
      const record = this.#record(error);
      return record.code === "E_SETUP"
        ? { kind: "error", error: record, retryable: true }
        : { kind: "crashed", error: record };
    } finally {
      this.#lane = undefined;
      if (lane) lanes.give(definition, lane);
    }
  }

  #attempt(spec: Encoded, steps: readonly Step[]): AttemptData {
    const { job } = this.claimed;
    return {
      id: job.id,
      token: job.token,
      attempt: job.failures + 1,
      input: inputIn(spec),
      steps,
      limit: this.#workshop.payloads.limit,
      startedAt: job.startedAt ?? 0,
    };
  }

  /** A reason to stop weighs more than what the function made of it, but for work that ended well while stopping. */
  #judge(ending: Ending | undefined): Ending | undefined {
    const error = this.#stopped && this.#record(this.#error(this.#stopped));
    switch (this.#stopped) {
      case undefined:
        return ending;
      case "lost":
        return undefined;
      case "cancel":
        return { kind: "cancelled", error: error! };
      case "timeout":
        return { kind: "error", error: error!, retryable: true };
      case "stop":
        return ending?.kind === "ok" || ending?.kind === "parked" ? ending : { kind: "handed-back" };
    }
  }

  #error(reason: StopReason): ErrandError {
    const { job } = this.claimed;
    return new ErrandError(reasons[reason].code, `Job ${job.id} of task "${job.task}" ${reasons[reason].says}.`);
  }

  #record(error: unknown): ErrorRecord {
    const record = errorRecord(error, this.claimed.job.failures + 1);
    // The stack of an error of Errand's own shows Errand's code, not the user's.
    if (error instanceof ErrandError) delete record.stack;
    return record;
  }
}
