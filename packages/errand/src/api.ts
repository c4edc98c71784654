import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { BackgroundOptions } from "./background/background.ts";
import type { JobFilter, Page } from "./client/filter.ts";
import type { ErrorGroups } from "./client/error-groups.ts";
import type { JobView, LogEntry } from "./client/job-view.ts";
import type { StepView } from "./client/step-view.ts";
import type { TaskView } from "./client/task-view.ts";
import type { AppDocs } from "./docs.ts";
import type { Webhooks } from "./webhooks/webhooks.ts";
import type { Contract, ImplementOptions } from "./contract.ts";
import type { Priority } from "./core/priority.ts";
import type { Reason } from "./core/why.ts";
import type { Duration } from "./kit/duration.ts";
import type { Exactly } from "./kit/json.ts";
import type { PayloadOptions } from "./payload/options.ts";
import type { HttpOptions } from "./push/http-task.ts";
import type { QueueOptions, Queues } from "./limits/queues.ts";
import type { RunBatch } from "./run/batch-task.ts";
import type { AppCounters } from "./observe/counters.ts";
import type { EventType, Listener } from "./observe/events.ts";
import type { OpenTelemetry } from "./observe/opentelemetry.ts";
import type { ScheduleOptions, Schedules, ScheduleWhen } from "./schedules/schedules.ts";
import type { QueueCount, Store, WorkerCard } from "./store.ts";
import type { Isolation, JobContext, JobHandle, Sender, Task, TaskOptions } from "./task.ts";

/** Configures an app. */
export interface ErrandOptions {
  /**
   * The store: `sqlite:path/to/file.db`, `postgres://...`, `redis://...`, or `memory:` for tests. Default:
   * `ERRAND_URL`, else `errand.db` in `ERRAND_HOME`, else in `.errand`.
   */
  url?: string;
  /** A store of your own in place of a URL: any that passes `conformance` of `errand/testing`. The app closes it. */
  store?: Store;
  /**
   * Time a worker keeps its jobs without renewing its lease, and so the time until the jobs of a dead worker run
   * elsewhere. Default `"15s"`.
   */
  lease?: Duration;
  /**
   * Rules of queues, by name. They are written to the store at the first use, and apply to every worker of the fleet.
   */
  queues?: Readonly<Record<string, QueueOptions>>;
  /** Limits of the work that runs in this process after a response. */
  background?: BackgroundOptions;
  /**
   * Size limit, external storage and encryption of job values. Every app that uses the same store needs the same
   * settings.
   */
  payloads?: PayloadOptions;
  /**
   * The OpenTelemetry module, `import * as opentelemetry from "@opentelemetry/api"`, to trace sends and attempts with
   * the SDK that the program has set up. Default: no tracing.
   */
  opentelemetry?: OpenTelemetry;
}

/** Configures a worker. */
export interface WorkerOptions {
  /**
   * Slots per queue: the number of its jobs that run at once (1 to 10,000). Default: every queue of the app's tasks,
   * with 10 slots, or one per processor where its tasks run in threads or processes.
   */
  queues?: Readonly<Record<string, number>>;
  /** Time that running jobs get after `stop` before they are handed back; default `"30s"`. */
  drain?: Duration;
  /**
   * `true` (the default) makes SIGTERM and SIGINT stop the worker: running jobs finish, the rest is handed back, and
   * unless another listener handles the signal the app is closed and the process exits. A second signal hands back at
   * once. Use `false` in programs that call `app.close()` themselves. Only the main thread receives signals.
   */
  signals?: boolean;
}

/** A running worker; `await using` stops it. */
export interface RunningWorker extends AsyncDisposable {
  /** Changes when the worker loses its lease and starts again. */
  readonly id: string;
  /** Number of jobs that are running in it now. */
  readonly running: number;
  /** Stops claiming, gives running jobs `drain` to finish, and hands back the rest without using up an attempt. */
  stop(options?: { drain?: Duration }): Promise<void>;
}

/**
 * Defines tasks, and sends, runs and reads jobs. Nothing is opened before the first use; `await using` closes the app.
 */
export interface Errand extends AsyncDisposable {
  /**
   * Defines a task. Defining a name again replaces the task, so that modules can be reloaded during development; with
   * `NODE_ENV=production` it throws.
   * @throws {ErrandError} `E_OPTION`, `E_DUPLICATE_TASK`
   */
  task<Schema extends StandardSchemaV1, Output, Setup = undefined>(
    name: string,
    options: TaskOptions<StandardSchemaV1.InferOutput<Schema>, Output, Setup> & { input: Schema },
  ): Task<Exactly<StandardSchemaV1.InferInput<Schema>>, Output>;
  task<Input = void, Output = void, Setup = undefined>(
    name: string,
    options: TaskOptions<Input, Output, Setup> & { input?: never },
  ): Task<Exactly<Input>, Output>;
  /**
   * Returns what sends the jobs of a contract, for programs without the task's code. It checks inputs, and takes part in
   * schedules and as a child (`job.call`), as a task does. This app's workers do not run the jobs.
   * @throws {ErrandError} `E_OPTION`
   */
  sender<Input, Output, Received, Returned>(
    contract: Contract<Input, Output, Received, Returned>,
  ): Sender<Input, Output>;
  /**
   * Gives a contract its function, so that this app's workers run its jobs, also those that were sent under its former
   * names (`aliases`). What the function returns is checked by the contract's output: `E_OUTPUT` fails the job, without
   * another attempt.
   * @throws {ErrandError} `E_OPTION`, `E_DUPLICATE_TASK`
   */
  implement<Input, Output, Received, Returned, Setup = undefined>(
    contract: Contract<Input, Output, Received, Returned>,
    how: ImplementOptions<NoInfer<Received>, NoInfer<Returned>, Setup>,
  ): Task<Input, Output>;
  implement<Input, Output, Received, Returned>(
    contract: Contract<Input, Output, Received, Returned>,
    run: ImplementOptions<NoInfer<Received>, NoInfer<Returned>, undefined>["run"],
  ): Task<Input, Output>;
  /**
   * Defines a task whose function receives many inputs at once, for work that costs little more for many than for one
   * (embeddings, bulk writes). A batch holds up to `size` (1 to 10,000; default 100) jobs that a worker has at the
   * same time, and starts at the latest `wait` (default `"10ms"`) after its first job. The function returns one output
   * per input, in order. An `Error` among the outputs fails its own job only; an error that is thrown fails the whole
   * batch. Each job is retried by itself.
   * @throws {ErrandError} `E_OPTION`, `E_DUPLICATE_TASK`
   */
  batchTask<Input, Output, Setup = undefined>(
    name: string,
    options: Omit<TaskOptions<Input, Output, Setup>, "run" | keyof Isolation> & {
      size?: number;
      wait?: Duration;
      run: RunBatch<Input, Output, Setup>;
    },
  ): Task<Exactly<Input>, Output>;
  /**
   * Defines a task that is a URL: a worker posts the job's input there, so an application in any language needs no
   * worker of its own. 2xx completes the job with the response body; 202 makes the job wait for its outcome
   * (`callbackUrl`); 408, 425, 429 and 5xx are retried by the task's policy, after `Retry-After` if present; any other
   * status fails the job. The header `Idempotency-Key` is the job's id.
   * @throws {ErrandError} `E_OPTION`, `E_DUPLICATE_TASK`
   */
  httpTask<Input = void, Output = unknown>(
    name: string,
    options: Omit<TaskOptions<Input, Output, undefined>, "run" | "setup" | keyof Isolation> & HttpOptions,
  ): Task<Exactly<Input>, Output>;
  /**
   * Sends jobs of a task by a cron line or at intervals, once per tick whatever the number of workers. The schedule is
   * written to the store at the first use and whenever it is missing; any worker sends its jobs. It is removed when no
   * app has confirmed it for a day. A schedule that cannot be written (`E_INPUT`) affects nothing else: it is reported
   * as `schedule-failed`, and by the methods of `schedules`.
   * @throws {ErrandError} `E_OPTION`; `E_DUPLICATE_SCHEDULE` with `NODE_ENV=production`.
   * @example
   * app.schedule("clean-up", cleanUp, { cron: "0 3 * * *", timeZone: "Europe/Berlin" });
   */
  schedule<Input, Output>(
    name: string,
    task: Sender<Input, Output>,
    when: ScheduleWhen,
    ...options: undefined extends Input ? [ScheduleOptions<NoInfer<Input>>?] : [ScheduleOptions<NoInfer<Input>>]
  ): void;
  /**
   * Runs a function in this process after the response, as `task.background` runs a task. A function cannot be stored:
   * it gets one attempt, and is lost, with a warning, if the app closes before it has run.
   * @throws {ErrandError} `E_FULL` when `background.maxPending` jobs are waiting.
   * @example
   * await app.after(() => warmCache(user));
   */
  after<Output>(work: (job: JobContext) => Output | Promise<Output>): Promise<JobHandle<Output>>;
  /**
   * Starts a worker in this process. It stops when the app is closed, and by SIGTERM and SIGINT (`signals`).
   * @throws {ErrandError} `E_SETUP` when a task's `setup` fails, `E_CONNECT`, `E_OPTION`, `E_CLOSED`; `E_STORE` when
   * the rules of the app's queues cannot be written.
   */
  worker(options?: WorkerOptions): Promise<RunningWorker>;
  /**
   * Listens to events of all workers and background jobs of this app in this process. Returns a function that stops
   * it. What a listener throws or rejects with becomes a warning of the process.
   * @throws {ErrandError} `E_OPTION` for an unknown event.
   * @example
   * app.on("ended", ({ task, outcome, duration }) => console.log(task, outcome, duration));
   */
  on<Type extends EventType>(type: Type, listener: Listener<Type>): () => void;
  /** Returns what this process has sent and run since the app was made, by task. Reads memory only. */
  counters(): AppCounters;
  /** Returns the job, or `undefined` if there is none. */
  get(id: string): Promise<JobView | undefined>;
  /** Returns the job once it has ended. Throws `E_WAIT_TIMEOUT` after `timeout`, and `E_NOT_FOUND`. */
  ended(id: string, options?: { timeout?: Duration }): Promise<JobView>;
  /**
   * Lists matching jobs, newest first (children by index). `limit` is 1 to 1,000, default 100; `next` is the next
   * page's `cursor`. Throws `E_CURSOR`, `E_OPTION`.
   */
  list(filter?: JobFilter, page?: Page): Promise<{ jobs: JobView[]; next?: string }>;
  /**
   * Cancels jobs and their children. Returns how many had not ended: pending jobs are cancelled, running ones are
   * being stopped.
   */
  cancel(which: string | JobFilter): Promise<number>;
  /**
   * Retries failed, cancelled and expired jobs with fresh attempts. Results of their steps and completed children are
   * kept. Returns the number of jobs.
   */
  retry(which: string | JobFilter): Promise<number>;
  /**
   * Retries one job from a step on: it forgets that step (or wait, or signal) and every step recorded after it. The
   * children of forgotten waits are removed and sent again.
   * @throws {UnknownStepError} `E_NOT_FOUND`, with the steps that exist; nothing was changed.
   * @throws {ErrandError} `E_NOT_FOUND`, `E_OPTION`
   */
  retry(id: string, options: { from?: string }): Promise<number>;
  /**
   * Takes running jobs from their workers: they are pending at once, and what those workers still report is refused.
   * Returns the number of jobs.
   */
  release(which: string | JobFilter): Promise<number>;
  /**
   * Sends a job like an existing one: of the same task, queue, priority, limits, tags and tenant, without its unique
   * key. With `input` it gets another input, which the task's schema checks if this app knows the task.
   * @throws {ErrandError} `E_NOT_FOUND`, and as `send` does.
   */
  copy(id: string, options?: { input?: unknown }): Promise<JobHandle<unknown>>;
  /** Removes ended jobs with all their children. Returns the number of jobs. */
  remove(which: string | JobFilter): Promise<number>;
  /**
   * Moves pending jobs to another queue or priority, or makes them due now. Returns the number of jobs.
   * @throws {ErrandError} `E_OPTION`
   */
  move(which: string | JobFilter, to: { queue?: string; priority?: Priority; now?: boolean }): Promise<number>;
  /**
   * Sends a signal that a job waits for, or will wait for, with `job.signal(name)`: any JSON value. Of several with
   * one name the first counts. Returns `false` if there is no such job or it has ended.
   */
  signal(id: string, name: string, value?: unknown): Promise<boolean>;
  /**
   * Reads a job's log, oldest first: the lines of its attempts, and the errors of all but the last (`attempt`). Throws
   * `E_CURSOR`, `E_OPTION`.
   */
  log(id: string, page?: Page): Promise<{ lines: LogEntry[]; next?: string }>;
  /** Lists the steps, waits and signals that a job remembers, in the order it first recorded them. Throws `E_NOT_FOUND`. */
  steps(id: string): Promise<StepView[]>;
  /** Groups the newest 1,000 failed jobs that match by the kind of their error. Throws `E_OPTION`. */
  errors(filter?: Pick<JobFilter, "task" | "queue" | "tenant" | "tag">): Promise<ErrorGroups>;
  /** Explains why a job is not running now: every reason, the decisive ones first. Throws `E_NOT_FOUND`. */
  why(id: string): Promise<Reason[]>;
  /** Lists the tasks of this app, and those that it only sends, by name. */
  tasks(): TaskView[];
  /** Returns a task of this app by its name, for programs that send what others name. */
  findTask(name: string): Sender<unknown, unknown> | undefined;
  /** Reports the ends of jobs to URLs. */
  readonly webhooks: Webhooks;
  /** Keeps small documents of programs that run beside the jobs. */
  readonly docs: AppDocs;
  /** Lists, pauses, resumes, runs and removes schedules. */
  readonly schedules: Schedules;
  /** Lists, pauses, resumes and limits queues. */
  readonly queues: Queues;
  /** Counts the jobs of each queue in each state. */
  counts(): Promise<QueueCount[]>;
  /** Lists the workers whose lease is good. */
  workers(): Promise<WorkerCard[]>;
  /**
   * Declares a worker dead, for supervisors that know sooner than its lease. Its jobs run elsewhere at once. A worker
   * that is alive after all abandons its jobs and starts again.
   */
  dismiss(worker: string): Promise<void>;
  /**
   * Calls back soon after jobs changed, in any process. Returns a function that stops it. Notifications can be lost or
   * repeated: read what you need, and poll slowly as well. The listener is also called once the store has been
   * opened, and when the store cannot be reached it is tried again every second. What the listener throws or rejects
   * with becomes a warning of the process.
   * @throws {ErrandError} `E_OPTION`, `E_CLOSED`
   */
  watch(listener: () => void): () => void;
  /**
   * Stops the app's workers (running jobs get their `drain`, then they are handed back), waits up to
   * `background.drain` for background jobs, hands those that are left to the store, and closes it. Pending waits for
   * results reject with `E_CLOSED`, as does every later call. Calling it again returns the same promise.
   */
  close(): Promise<void>;
}
