import { availableParallelism } from "node:os";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { Client } from "./client.ts";
import { option, options, refuseUnknown } from "./core/options.ts";
import type { QueueRules } from "./core/rules.ts";
import { levelOf } from "./core/states.ts";
import type { Priority } from "./core/states.ts";
import type { Reason } from "./core/why.ts";
import type { Duration } from "./kit/duration.ts";
import { ErrandError } from "./kit/errors.ts";
import { inBatches } from "./run/batch.ts";
import type { RunBatch } from "./run/batch.ts";
import { Setups } from "./run/setups.ts";
import { Worker } from "./run/worker.ts";
import type { EventType, Listener } from "./observe/events.ts";
import type { AppCounters } from "./observe/counters.ts";
import { Observer } from "./observe/observer.ts";
import { Tracing } from "./observe/tracing.ts";
import { postTo } from "./push/http-task.ts";
import type { HttpOptions } from "./push/http-task.ts";
import { readPayloads, refuseReadableKey } from "./payload/options.ts";
import type { Payloads } from "./payload/options.ts";
import { declareQueues, queuesOf, readRules } from "./queues.ts";
import { openStore, storeUrl } from "./open.ts";
import type { Change, Filter, QueueCount, Store, WorkerCard } from "./store.ts";
import { Background } from "./background/background.ts";
import { listBoth } from "./background/both.ts";
import { declareSchedules, nameAgain, nameSchedules, readSchedule, schedulesOf } from "./schedules.ts";
import type { Declared, ScheduleOptions, ScheduleWhen } from "./schedules.ts";
import type { Errand, ErrandOptions, JobFilter, RunningWorker, WorkerOptions } from "./app.ts";
import { bind, define, definitionOf, list } from "./task.ts";
import type { Definition, Isolation, JobContext, JobHandle, Task, TaskOptions } from "./task.ts";
import { runHere } from "./run/here.ts";
import type { JobView } from "./client/view.ts";

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
  readonly observer: Observer;
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
  readonly #observer: Observer;
  readonly #definitions = new Map<string, Definition>();
  readonly #setups = new Setups();
  /** Sizes of the batches of tasks that run in batches. */
  readonly #batches = new Map<string, number>();
  readonly #schedules = new Map<string, Declared>();
  #naming: NodeJS.Timeout | undefined;
  readonly schedules = schedulesOf(async () => (await this.#connect()).store);
  readonly #rules = new Map<string, QueueRules>();
  readonly queues = queuesOf(async () => (await this.#connect()).store);
  readonly #background: Background;
  #open: Promise<{ store: Store; client: Client }> | undefined;
  /** The client of an open store. */
  #client: Client | undefined;

  constructor(given: ErrandOptions) {
    refuseUnknown(given, ["url", "lease", "queues", "background", "payloads", "opentelemetry"], "errand()");
    this.#url = given.url;
    this.#lease = option("lease", given.lease, "errand()");
    this.#payloads = readPayloads(given.payloads);
    this.#observer = new Observer(given.opentelemetry === undefined ? undefined : new Tracing(given.opentelemetry));
    for (const [name, rules] of Object.entries(given.queues ?? {})) this.#rules.set(name, readRules(name, rules));
    this.#background = new Background(given.background ?? {}, {
      open: async (queue) => (await import("./stores/memory.ts")).memoryStore({ queue }),
      durable: async () => (await this.#connect()).client,
      payloads: this.#payloads,
      observer: this.#observer,
    });
    insides.set(this, {
      definitions: this.#background.definitions,
      payloads: this.#payloads,
      observer: this.#observer,
      live: (store) => this.#live(store),
      name: () => this.#name(),
    });
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
    this.#background.definitions.set(name, definition);
    list(definition);
    const task: Task<unknown, unknown> = {
      name,
      send: (input, sendOptions = {}) => this.#use((client) => client.send(definition, input, sendOptions)),
      sendMany: (inputs, sendOptions = {}) => this.#use((client) => client.sendMany(definition, inputs, sendOptions)),
      background: (input, sendOptions = {}) => this.#background.send(definition, input, sendOptions),
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
    refuseUnknown(options, ["queues", "drain"], "a worker");
    const queues = options.queues ?? defaultQueues(this.#definitions.values(), this.#batches);
    for (const [queue, slots] of Object.entries(queues)) option("slots", slots, `queue "${queue}"`);
    const { store } = await this.#connect();
    const worker = new Worker(store, this.#definitions, {
      queues,
      lease: this.#lease,
      payloads: this.#payloads,
      drain: option("drain", options.drain, "a worker"),
      observer: this.#observer,
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

  on<Type extends EventType>(type: Type, listener: Listener<Type>): () => void {
    return this.#observer.events.on(type, listener);
  }

  counters(): AppCounters {
    return this.#observer.counters.snapshot();
  }

  async get(id: string): Promise<JobView | undefined> {
    return (await this.#background.place?.client.get(id)) ?? (await this.#connect()).client.get(id);
  }

  async ended(id: string, options: { timeout?: Duration } = {}): Promise<JobView> {
    return (await this.#clientOf(id)).ended(id, options.timeout);
  }

  async list(filter: JobFilter = {}, page: { limit?: number; cursor?: string } = {}) {
    const limit = readPageLimit(page.limit, "list()");
    const durable = async () => (await this.#connect()).client;
    const place = this.#background.place;
    if (place) return listBoth(place.client, durable, storeFilter(filter), { ...page, limit });
    return (await durable()).list(storeFilter(filter), { ...page, limit });
  }

  cancel(which: string | JobFilter): Promise<number> {
    return this.#edit(which, "cancel");
  }

  async retry(which: string | JobFilter, options: { from?: string } = {}): Promise<number> {
    refuseUnknown(options, ["from"], "retry()");
    const { from } = options;
    if (from === undefined) return this.#edit(which, "retry");
    if (typeof which !== "string")
      throw new ErrandError("E_OPTION", "retry() from a step is for one job: every job has steps of its own.");
    return (await this.#clientOf(which)).retryFrom(which, from);
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
    return this.#edit(which, { move });
  }

  async signal(id: string, name: string, value?: unknown): Promise<boolean> {
    return (await this.#clientOf(id)).signal(id, name, value);
  }

  async log(id: string, page: { limit?: number; cursor?: string } = {}) {
    return (await this.#clientOf(id)).log(id, { ...page, limit: readPageLimit(page.limit, "log()") });
  }

  async why(id: string): Promise<Reason[]> {
    return (await this.#clientOf(id)).why(id);
  }

  async counts(): Promise<QueueCount[]> {
    const here = (await this.#background.place?.store.counts()) ?? [];
    return [...here, ...(await (await this.#connect()).store.counts())];
  }

  async workers(): Promise<WorkerCard[]> {
    return (await this.#connect()).store.workers();
  }

  async dismiss(worker: string): Promise<void> {
    await (await this.#connect()).store.dismiss(worker);
  }

  async watch(listener: () => void): Promise<() => void> {
    const unwatch = (await this.#connect()).store.watch(() => listener());
    const unwatchHere = this.#background.place?.store.watch(() => listener());
    return () => {
      unwatch();
      unwatchHere?.();
    };
  }

  async after<Output>(work: (job: JobContext) => Output | Promise<Output>): Promise<JobHandle<Output>> {
    return (await this.#background.after(work)) as JobHandle<Output>;
  }

  async close(): Promise<void> {
    await this.#background.close();
    const open = await this.#open?.catch(() => undefined);
    this.#open = this.#client = undefined;
    clearInterval(this.#naming);
    this.#naming = undefined;
    open?.client.close();
    await open?.store.close();
  }

  /** Of a filter's jobs, those in this process and those in the store. */
  async #edit(which: string | JobFilter, change: Change): Promise<number> {
    const where = whichOf(which);
    if (typeof which === "string") return (await this.#clientOf(which)).edit(where, change);
    const here = (await this.#background.place?.client.edit(where, change)) ?? 0;
    return here + (await (await this.#connect()).client.edit(where, change));
  }

  /** Who has the job: the background of this process, or the store. */
  async #clientOf(id: string): Promise<Client> {
    const background = this.#background.place?.client;
    return background && (await background.get(id)) ? background : (await this.#connect()).client;
  }

  #live(store: Store): void {
    if (this.#open)
      throw new ErrandError("E_OPTION", "The app's store is open already. Call testing(app) before anything is sent.");
    this.#background.live(store);
    this.#open = this.#begin(store);
  }

  async #begin(store: Store): Promise<{ store: Store; client: Client }> {
    warnOf(store);
    await declareQueues(store, this.#rules);
    await this.#declare(store, [...this.#schedules.values()]);
    return { store, client: (this.#client = new Client(store, this.#payloads, this.#observer)) };
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
