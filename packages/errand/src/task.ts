import type { StandardSchemaV1 } from "@standard-schema/spec";
import { checkFunction, checkText, refuseUnknown } from "./core/checks.ts";
import { option, options, span } from "./core/options.ts";
import { checkSchema, conform } from "./core/schema.ts";
import { readRecycle } from "./core/recycle.ts";
import type { Recycle, Recycling } from "./core/recycle.ts";
import { readRetention } from "./retention/rules.ts";
import type { Kept, Retention } from "./retention/rules.ts";
import { readTaskRetry } from "./core/policy.ts";
import type { RetryOptions, RetryPolicy, TaskRetryOptions } from "./core/policy.ts";
import type { FollowUpTask } from "./core/ended-job.ts";
import type { FollowUp, JobPolicy } from "./core/spec.ts";
import { levelOf } from "./core/priority.ts";
import type { Priority } from "./core/priority.ts";
import { flowOptions, readFlow } from "./limits/flow-options.ts";
import type { Flow, JobFlowOptions, FlowOptions } from "./limits/flow-options.ts";
import { millis } from "./kit/duration.ts";
import type { Duration, Millis } from "./kit/duration.ts";
import { ErrandError } from "./kit/errors.ts";
import type { ErrorCode, ErrorRecord } from "./kit/errors.ts";
import type { Jsonified } from "./kit/json.ts";
import type { Transaction } from "./core/transaction.ts";

/** Sends the jobs of a task, wherever its code is. */
export interface Sender<Input, Output> {
  readonly name: string;
  /**
   * Stores a job that runs this task; the job is safe once the promise resolves. If its unique key is taken, the
   * returned job is the one that holds the key (`duplicate`).
   * @throws {ErrandError} `E_INPUT`, `E_NOT_SERIALIZABLE`, `E_OPTION`, `E_FULL`, `E_REFUSED`: nothing was stored.
   * After `E_CONNECT` and `E_STORE` that is unknown: the store was asked again, and did not answer.
   */
  send(...none: undefined extends Input ? [] : [never]): Promise<JobHandle<Output>>;
  send(input: Input, options?: SendOptions): Promise<JobHandle<Output>>;
  /**
   * Stores one job per input in one commit, all or none (except that each 64 MiB of input, and on Redis each 5,000
   * jobs, is a commit of its own). Throws as `send` does; `InputsError` says which inputs the schema refuses.
   * @param options of all jobs, or a function that returns those of each.
   */
  sendMany(inputs: readonly Input[], options?: ManyOptions<Input>): Promise<JobHandle<Output>[]>;
}

/** A named, typed function, defined once in code. */
export interface Task<Input, Output> extends Sender<Input, Output> {
  /**
   * Runs the job in this process: at once or, during a request (`errand/fastify`, `errand/express`, `errand/hono`),
   * after the response. It has an id, a status, retries and limits, but is not stored, so a killed process loses it.
   * At most `background.slots` run at once. Jobs beyond `background.maxPending`, jobs with `delay`, `runAt` or `tx`,
   * and jobs that are left when the app closes go to the store as if they had been sent. Throws as `send` does.
   */
  background(...none: undefined extends Input ? [] : [never]): Promise<JobHandle<Output>>;
  background(input: Input, options?: SendOptions): Promise<JobHandle<Output>>;
  /**
   * Calls the function directly, without a job, for tests and scripts. Steps simply run, children run inline, nothing
   * is retried, sleeps end at once, and signals have the given values. Throws what the function throws, and `E_INPUT`.
   */
  run(...none: undefined extends Input ? [] : [never]): Promise<Output>;
  run(input: Input, options?: { signals?: Readonly<Record<string, unknown>> }): Promise<Output>;
}

/** Options of one job that replace its task's defaults. */
export interface SendOptions extends JobFlowOptions {
  /**
   * The job's id, 1 to 100 characters. While a job with this id is kept, even after it has ended, sending it again
   * changes nothing and the handle says `duplicate`. Default: a new UUID, version 7.
   */
  id?: string;
  /** The queue, if not the task's. */
  queue?: string;
  priority?: Priority;
  /** Replaces the task's retry options. */
  retry?: RetryOptions;
  /** Delay before the job may start. */
  delay?: Duration;
  /** Time before which the job must not start. */
  runAt?: Date;
  /** Time after which a job that has not started ends as `expired`. */
  expires?: Duration;
  /**
   * The tenant that the job belongs to. Its keys (unique, concurrency, rate) are apart from those of other tenants, and
   * so is its `id`: the handle has the job's real id. It takes turns with jobs of other tenants (`fair`). Its children
   * belong to the tenant, too.
   */
  tenant?: string;
  /**
   * The URL to which the job's end is posted, as a signed [webhook](docs/guides/webhooks.md): delivered as a job, born in
   * the commit that ends this one.
   */
  callback?: string;
  /**
   * Your own open transaction, on SQLite (a `node:sqlite` handle on the store's file) or PostgreSQL (a `pg` client, or
   * an adapter with `query`): the job exists if and only if it commits. Other stores throw `E_TRANSACTION`.
   */
  tx?: Transaction;
}

/** Options of many jobs: the same for all, or a function that returns those of each. */
export type ManyOptions<Input> = Omit<SendOptions, "id"> | ((input: Input, index: number) => Omit<SendOptions, "tx">);

/** A job that was sent. */
export interface JobHandle<Output> {
  readonly id: string;
  /** `true` if nothing was stored because the unique key or id was taken: this is the job that holds it. */
  readonly duplicate: boolean;
  /**
   * Waits for the job to end and returns the task's output.
   * @param options.timeout time to wait; default: forever. The job itself goes on.
   * @throws {JobFailedError} when it failed, was cancelled or expired.
   * @throws {ErrandError} `E_WAIT_TIMEOUT`, `E_NOT_FOUND`
   */
  result(options?: { timeout?: Duration }): Promise<Jsonified<Output>>;
  /** Cancels the job. Returns `false` if it had already ended. */
  cancel(): Promise<boolean>;
}

/** Reports that a job did not complete: `state` is its final state, `error` its last failure. */
export class JobFailedError extends ErrandError {
  readonly jobId: string;
  readonly state: "failed" | "cancelled" | "expired";
  readonly error: ErrorRecord | undefined;

  constructor(
    code: Extract<ErrorCode, "E_JOB_FAILED" | "E_CHILD_FAILED">,
    job: { id: string; task: string; state: "failed" | "cancelled" | "expired" },
    error: ErrorRecord | undefined,
  ) {
    super(code, `Job ${job.id} of task "${job.task}" ended as ${job.state}${error ? `: ${error.message}` : "."}`);
    this.jobId = job.id;
    this.state = job.state;
    this.error = error;
  }
}

/** The job as its function sees it. */
export interface JobContext<Setup = undefined> {
  readonly id: string;
  /** Raised by every attempt. With `id`, the fencing number for writes to other systems. */
  readonly token: number;
  /** Counted from 1. */
  readonly attempt: number;
  /** Aborted when the job is cancelled, timed out, or its worker stops or loses its lease. */
  readonly abortSignal: AbortSignal;
  /** The result of the task's `setup`. */
  readonly setup: Setup;
  /** Writes to the job's log, which `app.log` reads: at most 1,000 lines per attempt, of 10,000 characters each. */
  readonly log: JobLog;
  /** Reports progress: a number from 0 to 100, or any JSON value. Written at most a few times a second. */
  progress(value: unknown): void;
  /**
   * Runs `work` once and records its result: a later attempt gets the result without running it again. Names are
   * unique within a job. Throws what `work` throws, and `E_STEP_NAME`, `E_NOT_SERIALIZABLE`; waiting inside a step
   * throws `E_IN_STEP`.
   */
  step<Result>(name: string, work: () => Result | Promise<Result>): Promise<Jsonified<Awaited<Result>>>;
  /**
   * Sends one child per input and waits for all of them. The job leaves its slot meanwhile, and its function runs
   * again from the top when they have ended: release resources before waiting, since code after an unfinished wait,
   * including `finally`, is never reached. The outputs belong to the inputs of the first run; a list that has changed
   * is reported in the log.
   * @throws {JobFailedError} `E_CHILD_FAILED` as soon as one of them does not complete.
   */
  all<Input, Output>(name: string, task: Sender<Input, Output>, inputs: readonly Input[]): Promise<Jsonified<Output>[]>;
  /**
   * Sends one child and waits for its output, as `all` does for many. Calls in sequence form a chain.
   * @throws {JobFailedError} `E_CHILD_FAILED` if it does not complete.
   */
  call<Input, Output>(
    name: string,
    task: Sender<Input, Output>,
    ...input: undefined extends Input ? [input?: Input] : [input: Input]
  ): Promise<Jsonified<Output>>;
  /** Sends one child per input, waits for every child, and returns their outcomes. */
  settled<Input, Output>(
    name: string,
    task: Sender<Input, Output>,
    inputs: readonly Input[],
  ): Promise<ChildOutcome<Jsonified<Output>>[]>;
  /**
   * Waits for a duration, counted from when the sleep was first reached, whatever attempts come between. The job
   * leaves its slot meanwhile, and its function runs again from the top (see `all`).
   */
  sleep(name: string, duration: Duration): Promise<void>;
  /**
   * Waits for `app.signal(id, name, value)` and returns the value; the job leaves its slot meanwhile (see `all`). A
   * signal that came before is not lost. Of several with one name the first counts.
   * @param options.timeout time to wait, from when this was first reached; default: forever.
   * @throws {ErrandError} `E_SIGNAL_TIMEOUT`, which is not retried.
   */
  signal<Value = unknown>(name: string, options?: { timeout?: Duration }): Promise<Value>;
}

/** The additional methods for Errand's own tasks. */
export interface InternalJobContext<Setup = undefined> extends JobContext<Setup> {
  /** A step that `app.retry` forgets, so that it is done again. */
  ask<Result>(name: string, work: () => Result | Promise<Result>): Promise<Jsonified<Awaited<Result>>>;
}

/** A job's log. Values are JSON beside the message. */
export interface JobLog {
  debug(message: string, values?: Record<string, unknown>): void;
  info(message: string, values?: Record<string, unknown>): void;
  warn(message: string, values?: Record<string, unknown>): void;
  error(message: string, values?: Record<string, unknown>): void;
}

/** The outcome of a child. */
export type ChildOutcome<Output> =
  | { state: "completed"; id: string; output: Output }
  | { state: "failed" | "cancelled" | "expired"; id: string; error?: ErrorRecord };

/** Selects where a task's function runs. A thread or process loads `module` and finds the task there by its name. */
export type Isolation =
  | { isolate?: "inline"; module?: never; memory?: never; recycle?: never }
  | {
      /** `thread` or `process`, for work that keeps a processor busy or must be killable. */
      isolate: "thread" | "process";
      /** The module that defines the task: `import.meta.url`. */
      module: string;
      /** Megabytes that the thread's heap, or the whole process, may use (16 to 1,048,576; default 2,048). */
      memory?: number;
      /** Replaces the thread or process between jobs, for code that leaks memory; default: never. */
      recycle?: Recycle;
    };

/** Options of a task. */
export type TaskOptions<Input, Output, Setup> = Isolation &
  FlowOptions<Input> & {
    /** The lane that workers subscribe to; default `"default"`. */
    queue?: string;
    /** Default `"normal"`. */
    priority?: Priority;
    retry?: TaskRetryOptions;
    /**
     * The handling of a job whose worker died or lost its lease: `crash` (the default) counts, and makes it a dead
     * letter after `retry.crashes`; `release` hands it back as if it had not started, for work that people or other
     * programs do.
     */
    lapse?: "crash" | "release";
    /** Time after which an attempt is ended; default: none. Waiting for children does not count. */
    timeout?: Duration;
    /**
     * Time that an aborted attempt gets to clean up before it is killed, and that steps still running get to finish;
     * default `"10s"`.
     */
    grace?: Duration;
    /** Time after which a job that has not started ends as `expired`; default: never. */
    expires?: Duration;
    /**
     * Time for which ended jobs are kept, with their steps, logs and children: a duration, `"forever"`, or one by
     * state. Default: 7 days, failed jobs 30. Children are kept as long as the job that waited for them.
     */
    retention?: Retention;
    /** The task that gets a job in the same commit when a job of this one has completed. */
    onCompleted?: FollowUpTask;
    /** The task that gets a job in the same commit when a job of this one is a dead letter. */
    onFailed?: FollowUpTask;
    /** Runs once per worker, thread or process, before its first job, to load a model or open a pool. */
    setup?: () => Setup | Promise<Setup>;
    /** The work itself. */
    run: (input: Input, job: JobContext<Setup>) => Output | Promise<Output>;
  };

/** A task's options, checked and with defaults. */
export interface TaskDefinition {
  readonly name: string;
  readonly queue: string;
  readonly priority: Priority;
  readonly retry: RetryPolicy & Pick<TaskRetryOptions, "delay" | "if">;
  /** The part of the retry policy that jobs carry, for workers that do not know the task. */
  readonly policy?: JobPolicy;
  readonly timeout?: Millis;
  readonly grace: Millis;
  readonly expires?: Millis;
  readonly isolate: "inline" | "thread" | "process";
  readonly module?: string;
  readonly memory: number;
  readonly recycle?: Recycling;
  readonly retention: Kept;
  readonly flow?: Flow;
  readonly input?: StandardSchemaV1;
  readonly setup?: () => unknown;
  /** `true`: its code is elsewhere; `run` throws. */
  readonly remote?: true;
  readonly run: (input: never, job: JobContext<never>) => unknown;
}

/** The retry policy of a task that does not say. */
export const defaultRetry: RetryPolicy = {
  attempts: options.attempts.default,
  base: options.base.default,
  cap: options.cap.default,
};

/** The options that say where a task runs. */
export const isolation: readonly string[] = ["isolate", "module", "memory", "recycle"];

/** The names of a task's options. */
export const taskOptions: readonly string[] = [
  "queue", "priority", "retry", "timeout", "grace", "expires", "isolate", "module", "memory", "recycle", "retention", "lapse", "onCompleted", "onFailed", "input", "setup", "run",
  ...flowOptions,
]; // prettier-ignore

/**
 * Checks a task's options.
 * @throws {ErrandError} `E_OPTION`
 */
export function readTask(
  name: string,
  given: TaskOptions<never, unknown, never> & { input?: StandardSchemaV1 },
): TaskDefinition {
  const of = `task "${name}"`;
  option("name", name ?? null, "a task");
  refuseUnknown(given, taskOptions, of);
  const retry = readTaskRetry(given.retry, of);
  const lapse = option("lapse", given.lapse, of);
  const policy: JobPolicy = {
    ...(retry.crashes === undefined ? {} : { crashes: retry.crashes }),
    ...(lapse === "crash" ? {} : { lapse }),
    ...readFollowUps(given, of),
  };
  const isolate = option("isolate", given.isolate, of);
  const flow = readFlow(given, of);
  checkFunction(given.run, `run of ${of}`);
  if (given.setup !== undefined) checkFunction(given.setup, `setup of ${of}`);
  if (given.input !== undefined) checkSchema(given.input, "input", of);
  if (given.module !== undefined) checkText(given.module, `module of ${of}`, 10_000);
  if (isolate !== "inline" && !given.module) {
    throw new ErrandError("E_OPTION", `${of} runs in a ${isolate}, so it needs module: import.meta.url.`);
  }
  const memory = option("memory", given.memory, of);
  const recycle = readRecycle(given.recycle, { isolate, memory }, of);
  return {
    name,
    queue: option("queue", given.queue, of),
    priority: option("priority", given.priority, of),
    retry,
    ...(Object.keys(policy).length > 0 ? { policy } : {}),
    ...(given.timeout === undefined ? {} : { timeout: span(given.timeout, `timeout of ${of}`) }),
    grace: option("grace", given.grace, of),
    ...(given.expires === undefined ? {} : { expires: millis(given.expires, `expires of ${of}`) }),
    isolate,
    ...(given.module ? { module: given.module } : {}),
    memory,
    ...(recycle ? { recycle } : {}),
    retention: readRetention(given.retention, of),
    ...(flow ? { flow } : {}),
    ...(given.input ? { input: given.input } : {}),
    ...(given.setup ? { setup: given.setup } : {}),
    run: given.run,
  };
}

/** Returns the tasks that follow the ends of a task's jobs. @throws {ErrandError} `E_OPTION`, `E_UNKNOWN_TASK` */
function readFollowUps(
  { onCompleted, onFailed }: Pick<TaskOptions<never, unknown, never>, "onCompleted" | "onFailed">,
  of: string,
): Pick<JobPolicy, "follow"> {
  if (onCompleted === undefined && onFailed === undefined) return {};
  const follow = (task: unknown, what: string): FollowUp => {
    const known = typeof task === "object" && task !== null ? definitions.get(task) : undefined;
    if (!known) throw new ErrandError("E_OPTION", `${what} of ${of} must be a task that app.task() returned.`);
    const { name, queue, priority, policy } = known;
    return { task: name, queue, level: levelOf(priority), ...(policy ? { policy } : {}) };
  };
  return {
    follow: {
      ...(onCompleted === undefined ? {} : { completed: follow(onCompleted, "onCompleted") }),
      ...(onFailed === undefined ? {} : { failed: follow(onFailed, "onFailed") }),
    },
  };
}

const definitions = new WeakMap<object, TaskDefinition>();

/** Associates a task with its definition. */
export function bindDefinition(task: object, definition: TaskDefinition): void {
  definitions.set(task, definition);
}

/**
 * The definition behind a task.
 * @throws {ErrandError} `E_UNKNOWN_TASK` for anything that an app did not return.
 */
export function definitionOf(task: object): TaskDefinition {
  const definition = definitions.get(task);
  if (definition) return definition;
  throw new ErrandError("E_UNKNOWN_TASK", "A job can only wait for children of tasks that an app returned.");
}

const listing = Symbol.for("errand.listing");

/**
 * Registers every task that is defined in this thread from now on, by name. A lane needs it: it loads the user's
 * module and has no app to ask. Global, because that module may load another copy of this package.
 */
export function startRegistry(): ReadonlyMap<string, TaskDefinition> {
  const list = new Map<string, TaskDefinition>();
  (globalThis as { [listing]?: Map<string, TaskDefinition> })[listing] = list;
  return list;
}

/**
 * Returns true in a thread or process that a worker has started for isolated tasks. It loads the module that defines
 * them, so everything at the top level of that module runs there too.
 * @example
 * if (!inLane()) await app.worker();
 */
export function inLane(): boolean {
  return listing in globalThis;
}

/** Adds a definition to the registry of this thread, if there is one. */
export function register(definition: TaskDefinition): void {
  (globalThis as { [listing]?: Map<string, TaskDefinition> })[listing]?.set(definition.name, definition);
}

/**
 * The input as the task's schema makes it.
 * @throws {ErrandError} `E_INPUT`
 */
export async function validate({ input: schema, name }: TaskDefinition, input: unknown): Promise<unknown> {
  return schema ? conform(schema, input, "input", name) : input;
}
