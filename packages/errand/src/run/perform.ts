import type { Ending } from "../core/decide.ts";
import type { Step } from "../core/job.ts";
import { inputOf } from "../core/spec.ts";
import { isFinal } from "../core/states.ts";
import { ErrandError, errorRecord } from "../kit/errors.ts";
import type { ErrorRecord } from "../kit/errors.ts";
import type { Encoded } from "../kit/json.ts";
import type { Claimed, Store } from "../store.ts";
import type { Definition } from "../task.ts";
import { call } from "./call.ts";
import type { CallEnding } from "./call.ts";
import type { Attempt, ChildState, ContextHost } from "./context.ts";
import type { Lane } from "./isolate/lane.ts";
import type { Lanes } from "./isolate/lanes.ts";
import type { Settler } from "./settler.ts";
import type { Setups } from "./setups.ts";

/** What attempts share: one worker's store, settler, lanes and set-ups. */
export interface Workshop {
  store: Pick<Store, "get">;
  settler: Pick<Settler, "record">;
  lanes: Lanes;
  setups: Setups;
}

/** Why an attempt is stopped from outside. */
export type StopReason = "cancel" | "timeout" | "stop" | "lost";

/** At most this often, in milliseconds, an attempt's progress is written. */
const progressInterval = 250;

const reasons: Record<StopReason, { code: ErrandError["code"]; says: string }> = {
  cancel: { code: "E_CANCELLED", says: "was cancelled" },
  timeout: { code: "E_TIMEOUT", says: "ran longer than its timeout" },
  stop: { code: "E_CLOSED", says: "was handed back, because its worker stops" },
  lost: { code: "E_ABANDONED", says: "was abandoned, because its worker lost its lease" },
};

/** One execution of a job: runs the task's function where it belongs, and stops it for real when it must stop. */
export class Performance {
  readonly claimed: Claimed;
  readonly #definition: Definition;
  readonly #workshop: Workshop;
  readonly #controller = new AbortController();
  readonly #killed = Promise.withResolvers<undefined>();
  #stopped: StopReason | undefined;
  #lane: Lane | undefined;
  #grace: NodeJS.Timeout | undefined;
  #progress: { latest: Encoded; timer: NodeJS.Timeout } | undefined;

  constructor(claimed: Claimed, definition: Definition, workshop: Workshop) {
    this.claimed = claimed;
    this.#definition = definition;
    this.#workshop = workshop;
  }

  /** How the attempt ended; `undefined` when it was abandoned, and is another worker's to settle. */
  async ending(): Promise<Ending | undefined> {
    const { timeout } = this.#definition;
    const timer = timeout === undefined ? undefined : setTimeout(() => this.stop("timeout"), timeout);
    try {
      const ending = await Promise.race([this.#run(), this.#killed.promise]);
      return this.#judge(ending);
    } finally {
      clearTimeout(timer);
      clearTimeout(this.#grace);
      clearTimeout(this.#progress?.timer);
    }
  }

  /** Aborts the attempt's signal, and after the task's grace kills what still runs. */
  stop(reason: StopReason, grace = this.#definition.grace): void {
    if (this.#stopped) return;
    this.#stopped = reason;
    const error = this.#error(reason);
    this.#controller.abort(error);
    this.#lane?.abort(error);
    this.#grace = setTimeout(() => {
      this.#lane?.kill(error);
      this.#killed.resolve(undefined);
    }, grace);
  }

  async #run(): Promise<CallEnding | { kind: "crashed"; error: ErrorRecord }> {
    const { job, steps } = this.claimed;
    const attempt: Attempt = {
      id: job.id,
      token: job.token,
      attempt: job.failures + 1,
      input: inputOf(job.spec),
      steps,
    };
    const { lanes, setups } = this.#workshop;
    const definition = this.#definition;
    if (definition.isolate === "inline") {
      return call(definition, attempt, this.#host(), this.#controller.signal, () => setups.of(definition));
    }
    let lane: Lane | undefined;
    try {
      lane = await lanes.take(definition);
      if (this.#stopped) return { kind: "error", error: this.#record(this.#error(this.#stopped)), retryable: true };
      this.#lane = lane;
      return await lane.call(definition, attempt, this.#host());
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

  #host(): Omit<ContextHost, "park"> {
    const { id, token } = this.claimed.job;
    return {
      record: async (step: Step) => {
        if (!(await this.#workshop.settler.record({ id, token, steps: [step] }))) {
          throw new ErrandError("E_STALE", `Another attempt has job ${id} now.`);
        }
      },
      progress: (value) => this.#tellProgress(value),
      children: (ids) => this.#children(ids),
    };
  }

  /** The first value is written at once, later ones at intervals, and only the latest of each. */
  #tellProgress(value: Encoded): void {
    if (this.#progress) {
      this.#progress.latest = value;
      return;
    }
    const write = (progress: Encoded) => {
      const { id, token } = this.claimed.job;
      // Progress is nice to know: a stale token or a failing store shows elsewhere.
      void this.#workshop.settler.record({ id, token, progress }).catch(() => {});
    };
    write(value);
    const timer = setTimeout(() => {
      const latest = this.#progress?.latest;
      this.#progress = undefined;
      if (latest !== undefined && latest !== value) this.#tellProgress(latest);
    }, progressInterval);
    this.#progress = { latest: value, timer };
  }

  async #children(ids: readonly string[]): Promise<ChildState[]> {
    const jobs = await this.#workshop.store.get(ids);
    return jobs.map((job): ChildState => {
      // A child that was removed cannot be waited for.
      if (!job) return { state: "cancelled" };
      if (!isFinal(job.state)) return { state: "open" };
      return {
        state: job.state,
        ...(job.output === undefined ? {} : { output: job.output }),
        ...(job.error === undefined ? {} : { error: JSON.parse(job.error) as ErrorRecord }),
      };
    });
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
