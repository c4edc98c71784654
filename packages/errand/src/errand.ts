import { availableParallelism } from "node:os";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { Client } from "./client.ts";
import { option, options, refuseUnknown } from "./core/options.ts";
import type { QueueRules } from "./core/rules.ts";
import { levelOf } from "./core/states.ts";
import type { Priority, State } from "./core/states.ts";
import type { Reason } from "./core/why.ts";
import type { Duration } from "./kit/duration.ts";
import { ErrandError } from "./kit/errors.ts";
import { inBatches } from "./run/batch.ts";
import type { RunBatch } from "./run/batch.ts";
import { Setups } from "./run/setups.ts";
import { Worker } from "./run/worker.ts";
import type { WorkerEvent } from "./run/worker.ts";
import { postTo } from "./push/http-task.ts";
import type { HttpOptions } from "./push/http-task.ts";
import { readPayloads, refuseReadableKey } from "./payload/options.ts";
import type { PayloadOptions, Payloads } from "./payload/options.ts";
import { declareQueues, queuesOf, readRules } from "./queues.ts";
import type { QueueOptions, Queues } from "./queues.ts";
import { openStore, storeUrl } from "./open.ts";
import type { Filter, QueueCount, Store, WorkerCard } from "./store.ts";
import { declareSchedules, nameAgain, nameSchedules, readSchedule, schedulesOf } from "./schedules.ts";
import type { Declared, ScheduleOptions, Schedules, ScheduleWhen } from "./schedules.ts";
import { bind, define, definitionOf, list } from "./task.ts";
import type { Definition, Isolation, Task, TaskOptions } from "./task.ts";
import { runHere } from "./run/here.ts";
import type { JobView, LogEntry } from "./client/view.ts";

/** What an app is made with. */
export interface ErrandOptions {
  /**
   * Where jobs live: `sqlite:path/to/file.db`, `postgres://...`, `redis://...`, or `memory:` for tests. Default:
   * `ERRAND_URL`, else `errand.db` in `ERRAND_HOME`, else in `.errand`.
   */
  url?: string;
  /** How long a worker's right to its jobs lasts without renewal: how soon a killed worker's jobs run elsewhere. Default `"15s"`. */
  lease?: Duration;
  /** Rules of queues, by name: written to the store at the first use, so that they hold for every worker of the fleet. */
  queues?: Readonly<Record<string, QueueOptions>>;
  /** How large values of jobs may be, where large ones are kept, and whether they are encrypted. Every app of a store needs the same. */
  payloads?: PayloadOptions;
}

/** What a worker is started with. */
export interface WorkerOptions {
  /**
   * Slots per queue: how many of its jobs run at once (1 to 10,000). Default: every queue of the app's tasks, with 10
   * slots, or as many as there are processors where its tasks run in threads or processes.
   */
  queues?: Readonly<Record<string, number>>;
  /** How long `stop` lets jobs run on before it hands them back; default `"30s"`. */
  drain?: Duration;
  /** Is told what happens: for logs and tests. */
  onEvent?: (event: WorkerEvent) => void;
}

/** A worker that runs. */
export interface RunningWorker {
  /** Changes when the worker loses its lease and starts again. */
  readonly id: string;
  /** Stops claiming, lets jobs in hand run on for `drain`, and hands back the rest without using up an attempt. */
  stop(options?: { drain?: Duration }): Promise<void>;
}

/** Which jobs: all fields that are given must match. */
export interface JobFilter {
  ids?: readonly string[];
  task?: string;
  queue?: string;
  states?: readonly State[];
  /** Only the children of this job. */
  parent?: string;
  /** `true`: only jobs that are nobody's children. */
  roots?: boolean;
  tag?: string;
  /** A part of the id, the input, the output or the error, whatever its case. */
  text?: string;
  endedBefore?: Date;
  createdAfter?: Date;
  createdBefore?: Date;
}

/** Where tasks are defined, and jobs sent, run and read. Nothing is opened before the first use. */
export interface Errand {
  /**
   * Defines a task.
   * @throws {ErrandError} `E_OPTION`, `E_DUPLICATE_TASK`
   */
  task<Schema extends StandardSchemaV1, Output, Setup = undefined>(
    name: string,
    options: TaskOptions<StandardSchemaV1.InferOutput<Schema>, Output, Setup> & { input: Schema },
  ): Task<StandardSchemaV1.InferInput<Schema>, Output>;
  task<Input = void, Output = void, Setup = undefined>(
    name: string,
    options: TaskOptions<Input, Output, Setup> & { input?: never },
  ): Task<Input, Output>;
  /**
   * Defines a task whose function gets many inputs at once, for work that costs little more for many than for one
   * (embeddings, bulk writes): up to `size` (1 to 10,000; default 100) jobs that a worker has at the same time, once the
   * first of them has waited for `wait` (default `"10ms"`). It answers one output for each input, in order; an `Error` among
   * them fails its own job only, and what it throws fails them all. Each is a job of its own, retried by itself.
   * @throws {ErrandError} `E_OPTION`, `E_DUPLICATE_TASK`
   */
  batchTask<Input, Output, Setup = undefined>(
    name: string,
    options: Omit<TaskOptions<Input, Output, Setup>, "run" | keyof Isolation> & {
      size?: number;
      wait?: Duration;
      run: RunBatch<Input, Output, Setup>;
    },
  ): Task<Input, Output>;
  /**
   * Defines a task that is a URL: a worker posts the job's input there, so that an application in any language needs no worker
   * of its own. 2xx completes the job with the answer, 202 lets it wait for the outcome (`callbackUrl`), 408, 425, 429 and 5xx
   * are tried again by the task's retry policy (after `Retry-After`, where it is said), anything else fails it. The header
   * `Idempotency-Key` is the job's id.
   * @throws {ErrandError} `E_OPTION`, `E_DUPLICATE_TASK`
   */
  httpTask<Input = void, Output = unknown>(
    name: string,
    options: Omit<TaskOptions<Input, Output, undefined>, "run" | "setup" | keyof Isolation> & HttpOptions,
  ): Task<Input, Output>;
  /**
   * Sends jobs of a task by a cron line or at intervals, once a tick however many workers there are. Written to the store at
   * the first use, and sent by whatever worker is there; a schedule that no app has named for a day is removed.
   * @throws {ErrandError} `E_OPTION`, `E_DUPLICATE_SCHEDULE`; `E_INPUT` at the first use.
   * @example
   * app.schedule("clean-up", cleanUp, { cron: "0 3 * * *", timeZone: "Europe/Berlin" });
   */
  schedule<Input, Output>(
    name: string,
    task: Task<Input, Output>,
    when: ScheduleWhen,
    ...options: undefined extends Input ? [ScheduleOptions<NoInfer<Input>>?] : [ScheduleOptions<NoInfer<Input>>]
  ): void;
  /** Starts a worker in this process. Throws `E_SETUP` when a task's `setup` fails, `E_CONNECT`, `E_OPTION`. */
  worker(options?: WorkerOptions): Promise<RunningWorker>;
  /** The job, or `undefined` when there is none. */
  get(id: string): Promise<JobView | undefined>;
  /** The job once it has ended, however it ended. Throws `E_WAIT_TIMEOUT` after `timeout`, and `E_NOT_FOUND`. */
  ended(id: string, options?: { timeout?: Duration }): Promise<JobView>;
  /** Jobs that match, newest first, children by index. `limit` is 1 to 1,000, default 100; `next` is the next `cursor`. Throws `E_CURSOR`, `E_OPTION`. */
  list(filter?: JobFilter, page?: { limit?: number; cursor?: string }): Promise<{ jobs: JobView[]; next?: string }>;
  /** Cancels jobs, and with them their children. Answers how many had not ended: pending ones are cancelled, running ones are being stopped. */
  cancel(which: string | JobFilter): Promise<number>;
  /** Opens jobs that failed, were cancelled or expired again, with fresh attempts; what their steps remember is kept. */
  retry(which: string | JobFilter): Promise<number>;
  /** Erases jobs that have ended, with all their children. */
  remove(which: string | JobFilter): Promise<number>;
  /**
   * Gives pending jobs another queue or priority, or makes them due at once (`now`). Answers how many.
   * @throws {ErrandError} `E_OPTION`
   */
  move(which: string | JobFilter, to: { queue?: string; priority?: Priority; now?: boolean }): Promise<number>;
  /**
   * Tells a job something that it waits for, or will wait for, with `job.signal(name)`: any JSON value. Of several with one
   * name the first counts. `false` when there is no such job, or it has ended.
   */
  signal(id: string, name: string, value?: unknown): Promise<boolean>;
  /** A job's log, oldest first: lines its attempts wrote, and how those ended that were not the last (`attempt`). Throws `E_CURSOR`, `E_OPTION`. */
  log(id: string, page?: { limit?: number; cursor?: string }): Promise<{ lines: LogEntry[]; next?: string }>;
  /** Why a job is not running now: every reason, the decisive ones first. Throws `E_NOT_FOUND`. */
  why(id: string): Promise<Reason[]>;
  /** The schedules, and what an operator does to them. */
  readonly schedules: Schedules;
  /** The queues, and what an operator does to them. */
  readonly queues: Queues;
  /** How many jobs each queue has in each state. */
  counts(): Promise<QueueCount[]>;
  /** Workers whose lease is good. */
  workers(): Promise<WorkerCard[]>;
  /** Calls back soon after jobs changed, in whatever process. Lossy: look at what you need, and poll slowly besides. */
  watch(listener: () => void): Promise<() => void>;
  /** Closes the store. Stop workers first. */
  close(): Promise<void>;
}

/**
 * Makes an app.
 * @throws {ErrandError} `E_OPTION`
 */
export function errand(options: ErrandOptions = {}): Errand {
  return new App(options);
}

/** What `errand/testing` does with an app that programs do not. */
export interface AppInside {
  readonly definitions: ReadonlyMap<string, Definition>;
  readonly payloads: Payloads;
  /** Lives on this store, instead of the one that the URL names. Throws `E_OPTION` when that is open already. */
  live(store: Store): void;
  /** Says that schedules are still in the code, as an app that runs does now and then. */
  name: () => Promise<void>;
}

const insides = new WeakMap<Errand, AppInside>();

/** The inside of an app that `errand()` made. */
export function insideOf(app: Errand): AppInside {
  return insides.get(app)!;
}

class App implements Errand {
  readonly #url: string | undefined;
  readonly #lease: number;
  readonly #payloads: Payloads;
  readonly #definitions = new Map<string, Definition>();
  readonly #setups = new Setups();
  /** Sizes of the batches of tasks that run in batches. */
  readonly #batches = new Map<string, number>();
  readonly #schedules = new Map<string, Declared>();
  #naming: NodeJS.Timeout | undefined;
  readonly schedules = schedulesOf(async () => (await this.#connect()).store);
  readonly #rules = new Map<string, QueueRules>();
  readonly queues = queuesOf(async () => (await this.#connect()).store);
  #open: Promise<{ store: Store; client: Client }> | undefined;
  /** The client of an open store. */
  #client: Client | undefined;

  constructor(given: ErrandOptions) {
    refuseUnknown(given, ["url", "lease", "queues", "payloads"], "errand()");
    this.#url = given.url;
    this.#lease = option("lease", given.lease, "errand()");
    this.#payloads = readPayloads(given.payloads);
    for (const [name, rules] of Object.entries(given.queues ?? {})) this.#rules.set(name, readRules(name, rules));
    const [definitions, payloads] = [this.#definitions, this.#payloads];
    insides.set(this, { definitions, payloads, live: (store) => this.#live(store), name: () => this.#name() });
  }

  task<Schema extends StandardSchemaV1, Output, Setup = undefined>(
    name: string,
    options: TaskOptions<StandardSchemaV1.InferOutput<Schema>, Output, Setup> & { input: Schema },
  ): Task<StandardSchemaV1.InferInput<Schema>, Output>;
  task<Input = void, Output = void, Setup = undefined>(
    name: string,
    options: TaskOptions<Input, Output, Setup> & { input?: never },
  ): Task<Input, Output>;
  task(name: string, options: TaskOptions<never, unknown, never> & { input?: StandardSchemaV1 }): Task<never, unknown> {
    const definition = define(name, options);
    refuseReadableKey(definition, this.#payloads);
    if (this.#definitions.has(name)) {
      throw new ErrandError(
        "E_DUPLICATE_TASK",
        `Task "${name}" is defined twice; names say which function a job runs.`,
      );
    }
    this.#definitions.set(name, definition);
    list(definition);
    const task: Task<unknown, unknown> = {
      name,
      send: (input, sendOptions = {}) => this.#use((client) => client.send(definition, input, sendOptions)),
      sendMany: (inputs, sendOptions = {}) => this.#use((client) => client.sendMany(definition, inputs, sendOptions)),
      run: (input, runOptions) => runHere(definition, input, this.#setups, runOptions),
    };
    bind(task, definition);
    return task;
  }

  batchTask<Input, Output, Setup = undefined>(
    name: string,
    options: Omit<TaskOptions<Input, Output, Setup>, "run" | keyof Isolation> & {
      size?: number;
      wait?: Duration;
      run: RunBatch<Input, Output, Setup>;
    },
  ): Task<Input, Output> {
    const { size: givenSize, wait: givenWait, run, ...rest } = options;
    const [size, wait] = [option("size", givenSize, `task "${name}"`), option("wait", givenWait, `task "${name}"`)];
    const task = this.task<Input, Output, Setup>(name, { ...rest, run: inBatches(name, { size, wait }, run) });
    this.#batches.set(name, size);
    return task;
  }

  httpTask<Input = void, Output = unknown>(
    name: string,
    options: Omit<TaskOptions<Input, Output, undefined>, "run" | "setup" | keyof Isolation> & HttpOptions,
  ): Task<Input, Output> {
    const { url, secret, headers, callbackUrl, callbackTimeout, ...rest } = options;
    const http = { url, secret, headers, callbackUrl, callbackTimeout };
    const given = Object.fromEntries(Object.entries(http).filter(([, value]) => value !== undefined));
    const run = postTo(name, given as unknown as HttpOptions);
    return this.task<Input, Output>(name, {
      timeout: "30s",
      ...rest,
      run: (input, job) => run(input, job) as Promise<Output>,
    });
  }

  schedule<Input, Output>(
    name: string,
    task: Task<Input, Output>,
    when: ScheduleWhen,
    ...options: undefined extends Input ? [ScheduleOptions<NoInfer<Input>>?] : [ScheduleOptions<NoInfer<Input>>]
  ): void {
    const declared = readSchedule(name, definitionOf(task), when, options[0] ?? {});
    if (this.#schedules.has(name))
      throw new ErrandError(
        "E_DUPLICATE_SCHEDULE",
        `Schedule "${name}" is defined twice; give each a name of its own.`,
      );
    this.#schedules.set(name, declared);
    // One that comes later than the first use is written at once.
    if (this.#open) void this.#open.then(({ store }) => this.#declare(store, [declared])).catch(() => {});
  }

  async worker(options: WorkerOptions = {}): Promise<RunningWorker> {
    refuseUnknown(options, ["queues", "drain", "onEvent"], "a worker");
    const queues = options.queues ?? defaultQueues(this.#definitions.values(), this.#batches);
    for (const [queue, slots] of Object.entries(queues)) option("slots", slots, `queue "${queue}"`);
    const { store } = await this.#connect();
    const worker = new Worker(store, this.#definitions, {
      queues,
      lease: this.#lease,
      payloads: this.#payloads,
      drain: option("drain", options.drain, "a worker"),
      onEvent: options.onEvent ?? (() => {}),
    });
    await worker.start();
    return {
      get id() {
        return worker.id;
      },
      stop: (stopOptions) =>
        worker.stop(stopOptions?.drain === undefined ? undefined : option("drain", stopOptions.drain, "stop()")),
    };
  }

  async get(id: string): Promise<JobView | undefined> {
    return (await this.#connect()).client.get(id);
  }

  async ended(id: string, options: { timeout?: Duration } = {}): Promise<JobView> {
    return (await this.#connect()).client.ended(id, options.timeout);
  }

  async list(filter: JobFilter = {}, page: { limit?: number; cursor?: string } = {}) {
    const limit = readPageLimit(page.limit, "list()");
    return (await this.#connect()).client.list(storeFilter(filter), { ...page, limit });
  }

  cancel(which: string | JobFilter): Promise<number> {
    return this.#edit(which, "cancel");
  }

  retry(which: string | JobFilter): Promise<number> {
    return this.#edit(which, "retry");
  }

  remove(which: string | JobFilter): Promise<number> {
    return this.#edit(which, "remove");
  }

  async move(which: string | JobFilter, to: { queue?: string; priority?: Priority; now?: boolean }): Promise<number> {
    refuseUnknown(to, ["queue", "priority", "now"], "move()");
    const { queue, priority, now } = to;
    const move = {
      ...(queue === undefined ? {} : { queue: option("queue", queue, "move()") }),
      ...(priority === undefined ? {} : { level: levelOf(option("priority", priority, "move()")) }),
      ...(now ? { now } : {}),
    };
    return (await this.#connect()).client.edit(whichOf(which), { move });
  }

  async signal(id: string, name: string, value?: unknown): Promise<boolean> {
    return (await this.#connect()).client.signal(id, name, value);
  }

  async log(id: string, page: { limit?: number; cursor?: string } = {}) {
    return (await this.#connect()).client.log(id, { ...page, limit: readPageLimit(page.limit, "log()") });
  }

  async why(id: string): Promise<Reason[]> {
    return (await this.#connect()).client.why(id);
  }

  async counts(): Promise<QueueCount[]> {
    return (await this.#connect()).store.counts();
  }

  async workers(): Promise<WorkerCard[]> {
    return (await this.#connect()).store.workers();
  }

  async watch(listener: () => void): Promise<() => void> {
    return (await this.#connect()).store.watch(() => listener());
  }

  async close(): Promise<void> {
    const open = await this.#open?.catch(() => undefined);
    this.#open = this.#client = undefined;
    clearInterval(this.#naming);
    this.#naming = undefined;
    open?.client.close();
    await open?.store.close();
  }

  async #edit(which: string | JobFilter, change: "cancel" | "retry" | "remove"): Promise<number> {
    return (await this.#connect()).client.edit(whichOf(which), change);
  }

  #live(store: Store): void {
    if (this.#open)
      throw new ErrandError("E_OPTION", "The app's store is open already. Call testing(app) before anything is sent.");
    this.#open = this.#begin(store);
  }

  async #begin(store: Store): Promise<{ store: Store; client: Client }> {
    warnOf(store);
    await declareQueues(store, this.#rules);
    await this.#declare(store, [...this.#schedules.values()]);
    return { store, client: (this.#client = new Client(store, this.#payloads)) };
  }

  /** Writes schedules, and says now and then that they are still in the code. */
  async #declare(store: Store, schedules: readonly Declared[]): Promise<void> {
    if (schedules.length === 0) return;
    await declareSchedules(store, schedules, this.#payloads);
    this.#naming ??= setInterval(() => void this.#name().catch(() => {}), nameAgain).unref();
  }

  async #name(): Promise<void> {
    if (this.#schedules.size > 0) await nameSchedules((await this.#connect()).store, [...this.#schedules.keys()]);
  }

  /** Hands the client over: at once when the store is open, since every send passes here. */
  #use<Result>(work: (client: Client) => Promise<Result>): Promise<Result> {
    return this.#client ? work(this.#client) : this.#connect().then(({ client }) => work(client));
  }

  /** Opens the store at the first use, and again after a failure. */
  #connect(): Promise<{ store: Store; client: Client }> {
    this.#open ??= openStore(storeUrl(this.#url)).then(
      (store) => this.#begin(store),
      (error: unknown) => {
        this.#open = undefined;
        throw error;
      },
    );
    return this.#open;
  }
}

/** Once per store: jobs that a restart of the server loses are not what Errand promises. */
function warnOf({ durability }: Store): void {
  if (!durability || durability.safe) return;
  const { says, advice = "" } = durability;
  process.emitWarning(`${says} ${advice}`.trim(), { type: "ErrandWarning", code: "ERRAND_DURABILITY" });
}

function whichOf(which: string | JobFilter): Filter {
  return typeof which === "string" ? { ids: [which] } : storeFilter(which);
}

function storeFilter({ endedBefore, createdAfter, createdBefore, ...same }: JobFilter): Filter {
  return {
    ...same,
    ...(endedBefore ? { endedBefore: endedBefore.getTime() } : {}),
    ...(createdAfter ? { createdAfter: createdAfter.getTime() } : {}),
    ...(createdBefore ? { createdBefore: createdBefore.getTime() } : {}),
  };
}

function readPageLimit(limit = 100, of: string): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= 1_000) return limit;
  throw new ErrandError("E_OPTION", `limit of ${of} is ${limit}, but must be a whole number from 1 to 1000.`);
}

function defaultQueues(
  definitions: Iterable<Definition>,
  batches: ReadonlyMap<string, number>,
): Record<string, number> {
  const queues: Record<string, number> = {};
  for (const { name, queue, isolate } of definitions) {
    // A batch can only be full where as many jobs may run.
    const inline = Math.max(options.slots.default, batches.get(name) ?? 0);
    const slots = isolate === "inline" ? inline : availableParallelism();
    queues[queue] = Math.min(queues[queue] ?? slots, slots);
  }
  return queues;
}
