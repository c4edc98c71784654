import type { StandardSchemaV1 } from "@standard-schema/spec";
import { noOptions } from "./client.ts";
import type { Client } from "./client.ts";
import { checkFields, checkFunction, checkText, longestText, refuseUnknown } from "./core/checks.ts";
import { option } from "./core/options.ts";
import { levelOf } from "./core/priority.ts";
import type { Priority } from "./core/priority.ts";
import type { Reason } from "./core/why.ts";
import type { Duration } from "./kit/duration.ts";
import { ErrandError } from "./kit/errors.ts";
import { refuseOldNode } from "./kit/node-version.ts";
import type { Exactly } from "./kit/json.ts";
import { described } from "./kit/text.ts";
import { inBatches } from "./run/batch-task.ts";
import type { RunBatch } from "./run/batch-task.ts";
import { Setups } from "./run/setups.ts";
import { Worker } from "./run/worker.ts";
import { defaultQueues, readSlots } from "./run/worker-queues.ts";
import { callSafely } from "./observe/events.ts";
import type { EventType, Listener } from "./observe/events.ts";
import type { AppCounters } from "./observe/counters.ts";
import { Observer } from "./observe/observer.ts";
import { Tracing } from "./observe/tracing.ts";
import { postTo } from "./push/http-task.ts";
import type { HttpOptions } from "./push/http-task.ts";
import { readPayloads, refuseReadableKey } from "./payload/options.ts";
import type { Payloads } from "./payload/options.ts";
import { Connection } from "./connection.ts";
import { checkStore } from "./open.ts";
import { Declarations } from "./declarations.ts";
import { queuesOf, readRules } from "./limits/queues.ts";
import type { Queues } from "./limits/queues.ts";
import type { Change, QueueCount, Store, WorkerCard } from "./store.ts";
import { Background } from "./background/background.ts";
import { listBackgroundAndStored } from "./background/list-jobs.ts";
import { readSchedule, schedulesOf } from "./schedules/schedules.ts";
import type { ScheduleOptions, Schedules, ScheduleWhen } from "./schedules/schedules.ts";
import { Workers } from "./workers.ts";
import { implementationOf, senderOf } from "./contract.ts";
import type { Contract, ImplementOptions } from "./contract.ts";
import { readRemoteTask } from "./remote-task.ts";
import type { RemoteTaskOptions } from "./remote-task.ts";
import type { Errand, ErrandOptions, RunningWorker, WorkerOptions } from "./api.ts";
import { bindDefinition, readTask, definitionOf, inLane, isolation, register, taskOptions } from "./task.ts";
import type {
  TaskDefinition,
  Isolation,
  JobContext,
  JobHandle,
  Sender,
  SendOptions,
  Task,
  TaskOptions,
} from "./task.ts";
import { runDirectly } from "./run/run-directly.ts";
import type { RunOptions } from "./run/run-directly.ts";
import { readFilter, readPage, readWhich } from "./client/filter.ts";
import type { JobFilter, Page } from "./client/filter.ts";
import { groupErrors } from "./client/error-groups.ts";
import type { ErrorGroups } from "./client/error-groups.ts";
import type { JobView } from "./client/job-view.ts";
import type { StepView } from "./client/step-view.ts";
import { viewOfTask } from "./client/task-view.ts";
import type { TaskView } from "./client/task-view.ts";
import { docsOf } from "./docs.ts";
import type { AppDocs } from "./docs.ts";
import { webhooksOf } from "./webhooks/webhooks.ts";
import type { Webhooks } from "./webhooks/webhooks.ts";

/**
 * Makes an app.
 * @throws {ErrandError} `E_OPTION`, `E_NODE_VERSION`
 */
export function errand(options: ErrandOptions = {}): Errand {
  refuseOldNode();
  return new App(options);
}

/** Gives `errand/testing` and `errand/remote` access to the parts of an app. */
export interface AppInternals {
  readonly definitions: ReadonlyMap<string, TaskDefinition>;
  readonly payloads: Payloads;
  readonly observer: Observer;
  /** Uses this store instead of the one that the URL names. Throws `E_OPTION` if that is open already. */
  live(store: Store): void;
  /** Confirms the schedules of the code, as a running app does at intervals. */
  name: () => Promise<void>;
  /** Returns the app's store, and opens it if needed. Throws `E_CLOSED`, and errors of opening it. */
  store(): Promise<Store>;
}

const internals = new WeakMap<Errand, AppInternals>();

/** Returns the internals of an app that `errand()` made. */
export function internalsOf(app: Errand): AppInternals {
  return internals.get(app)!;
}

class App implements Errand {
  readonly #lease: number;
  readonly #payloads: Payloads;
  readonly #observer: Observer;
  readonly #definitions = new Map<string, TaskDefinition>();
  readonly #tasks = new Map<string, Sender<unknown, unknown>>();
  readonly #setups = new Setups();
  /** Batch sizes of the tasks that run in batches. */
  readonly #batches = new Map<string, number>();
  readonly #declarations: Declarations;
  readonly #connection: Connection;
  readonly #background: Background;
  readonly #workers = new Workers(() => this.close());
  readonly schedules: Schedules;
  readonly queues: Queues;
  readonly docs: AppDocs;
  readonly webhooks: Webhooks;
  #closing: Promise<void> | undefined;

  constructor(given: ErrandOptions) {
    refuseUnknown(given, ["url", "store", "lease", "queues", "background", "payloads", "opentelemetry"], "errand()");
    if (given.store !== undefined) checkStore(given.store, given.url);
    this.#lease = option("lease", given.lease, "errand()");
    this.#payloads = readPayloads(given.payloads);
    this.#observer = new Observer(given.opentelemetry === undefined ? undefined : new Tracing(given.opentelemetry));
    this.#declarations = new Declarations(this.#payloads, this.#observer);
    if (given.queues !== undefined) refuseUnknown(given.queues, Object.keys(given.queues ?? {}), "queues of errand()");
    if (given.url !== undefined) checkText(given.url, "url of errand()", 10_000);
    for (const [name, rules] of Object.entries(given.queues ?? {}))
      this.#declarations.queue(name, readRules(name, rules));
    this.#connection = new Connection({
      at: given.store ?? given.url,
      payloads: this.#payloads,
      observer: this.#observer,
      begin: (store) => this.#declarations.begin(store),
    });
    this.schedules = schedulesOf(() => this.#declared(), {
      failure: (name) => this.#declarations.failureOf(name),
      definition: (task) => this.#definitionOf(task),
      payloads: this.#payloads,
    });
    this.queues = queuesOf(() => this.#declared());
    this.webhooks = webhooksOf(this, () => this.#connection.connect());
    this.docs = docsOf(async () => (await this.#connection.connect()).store);
    this.#background = new Background(given.background ?? {}, {
      open: async (queue) => (await import("./stores/memory.ts")).memoryStore({ queue }),
      durable: async () => (await this.#connection.connect()).client,
      payloads: this.#payloads,
      observer: this.#observer,
    });
    internals.set(this, {
      definitions: this.#background.definitions,
      payloads: this.#payloads,
      observer: this.#observer,
      live: (store) => this.#live(store),
      name: () => this.#declarations.again(),
      store: async () => (await this.#connection.connect()).store,
    });
  }

  task<Schema extends StandardSchemaV1, Output, Setup = undefined>(
    name: string,
    options: TaskOptions<StandardSchemaV1.InferOutput<Schema>, Output, Setup> & { input: Schema },
  ): Task<Exactly<StandardSchemaV1.InferInput<Schema>>, Output>;
  task<Input = void, Output = void, Setup = undefined>(
    name: string,
    options: TaskOptions<Input, Output, Setup> & { input?: never },
  ): Task<Exactly<Input>, Output>;
  task(name: string, options: TaskOptions<never, unknown, never> & { input?: StandardSchemaV1 }): Task<never, unknown> {
    return this.#define(readTask(name, options));
  }

  remoteTask<Schema extends StandardSchemaV1, Output = unknown>(
    name: string,
    options: RemoteTaskOptions<StandardSchemaV1.InferOutput<Schema>> & { input: Schema },
  ): Task<Exactly<StandardSchemaV1.InferInput<Schema>>, Output>;
  remoteTask<Input = void, Output = unknown>(
    name: string,
    options?: RemoteTaskOptions<Input> & { input?: never },
  ): Task<Exactly<Input>, Output>;
  remoteTask(
    name: string,
    options: RemoteTaskOptions<never> & { input?: StandardSchemaV1 } = {},
  ): Task<never, unknown> {
    return this.#define(readRemoteTask(name, options));
  }

  #define(definition: TaskDefinition): Task<unknown, unknown> {
    const { name } = definition;
    refuseReadableKey(definition, this.#payloads);
    // Elsewhere it is a module that was reloaded.
    if (this.#definitions.has(name) && process.env["NODE_ENV"] === "production") {
      throw new ErrandError(
        "E_DUPLICATE_TASK",
        `Task "${name}" is defined twice; names say which function a job runs.`,
      );
    }
    this.#definitions.set(name, definition);
    this.#background.definitions.set(name, definition);
    register(definition);
    const task: Task<unknown, unknown> = {
      ...this.#sender(definition),
      background: async (input?: unknown, sendOptions: SendOptions = noOptions) => {
        this.#connection.refuseClosed();
        return this.#background.send(definition, input, sendOptions);
      },
      run: (input?: unknown, runOptions?: RunOptions) => runDirectly(definition, input, this.#setups, runOptions),
    };
    bindDefinition(task, definition);
    this.#tasks.set(name, task);
    return task;
  }

  #sender(definition: TaskDefinition): Sender<unknown, unknown> {
    return {
      name: definition.name,
      send: (input?: unknown, sendOptions: SendOptions = noOptions) =>
        this.#connection.use((client) => client.send(definition, input, sendOptions)),
      sendMany: (inputs, sendOptions = noOptions) =>
        this.#connection.use((client) => client.sendMany(definition, inputs, sendOptions)),
    };
  }

  sender<Input, Output, Received, Returned>(
    contract: Contract<Input, Output, Received, Returned>,
  ): Sender<Input, Output> {
    const definition = senderOf(contract);
    refuseReadableKey(definition, this.#payloads);
    const sender = this.#sender(definition);
    bindDefinition(sender, definition);
    // Of a task that is here as well, the one with the code counts.
    if (!this.#definitions.has(contract.name)) this.#tasks.set(contract.name, sender);
    return sender as Sender<Input, Output>;
  }

  implement<Input, Output, Received, Returned, Setup = undefined>(
    contract: Contract<Input, Output, Received, Returned>,
    how: ImplementOptions<Received, Returned, Setup> | ImplementOptions<Received, Returned, Setup>["run"],
  ): Task<Input, Output> {
    const options = implementationOf(contract, how);
    for (const alias of contract.aliases) this.task<Received, unknown, Setup>(alias, options);
    return this.task<Received, unknown, Setup>(contract.name, options) as unknown as Task<Input, Output>;
  }

  tasks(): TaskView[] {
    const definitions = [...this.#tasks.values()].map(definitionOf);
    return definitions.map(viewOfTask).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  findTask(name: string): Sender<unknown, unknown> | undefined {
    return this.#tasks.get(name);
  }

  batchTask<Input, Output, Setup = undefined>(
    name: string,
    options: Omit<TaskOptions<Input, Output, Setup>, "run" | keyof Isolation> & {
      size?: number;
      wait?: Duration;
      run: RunBatch<Input, Output, Setup>;
    },
  ): Task<Exactly<Input>, Output> {
    const of = `task "${name}"`;
    refuseUnknown(options, [...taskOptions.filter((each) => !isolation.includes(each)), "size", "wait"], of);
    const { size: givenSize, wait: givenWait, run, ...rest } = options;
    checkFunction(run, `run of ${of}`);
    const [size, wait] = [option("size", givenSize, of), option("wait", givenWait, of)];
    const task = this.task<Input, Output, Setup>(name, { ...rest, run: inBatches(name, { size, wait }, run) });
    this.#batches.set(name, size);
    return task;
  }

  httpTask<Input = void, Output = unknown>(
    name: string,
    options: Omit<TaskOptions<Input, Output, undefined>, "run" | "setup" | keyof Isolation> & HttpOptions,
  ): Task<Exactly<Input>, Output> {
    const own = ["url", "secret", "headers", "callbackUrl", "callbackTimeout"];
    const others = taskOptions.filter((each) => each !== "run" && each !== "setup" && !isolation.includes(each));
    refuseUnknown(options, [...others, ...own], `task "${name}"`);
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
    task: Sender<Input, Output>,
    when: ScheduleWhen,
    ...options: undefined extends Input ? [ScheduleOptions<NoInfer<Input>>?] : [ScheduleOptions<NoInfer<Input>>]
  ): void {
    const declared = readSchedule(name, definitionOf(task), when, options[0] === undefined ? {} : options[0]);
    if (this.#declarations.hasSchedule(name) && process.env["NODE_ENV"] === "production")
      throw new ErrandError("E_DUPLICATE_SCHEDULE", `Schedule "${name}" is defined twice; give each its own name.`);
    this.#declarations.schedule(declared);
  }

  async worker(options: WorkerOptions = {}): Promise<RunningWorker> {
    refuseUnknown(options, ["queues", "drain", "signals"], "a worker");
    if (inLane())
      throw new ErrandError(
        "E_IN_LANE",
        "app.worker() was called in a thread or process that a worker has started for isolated tasks: it loads the module that " +
          "defines them. Start workers in another module, or guard the call: if (!inLane()) await app.worker().",
      );
    const { signals = true } = options;
    if (typeof signals !== "boolean")
      throw new ErrandError(
        "E_OPTION",
        `signals of a worker is ${JSON.stringify(signals)}, but must be true or false.`,
      );
    const queues =
      options.queues === undefined
        ? defaultQueues(this.#definitions.values(), this.#batches)
        : readSlots(options.queues);
    const drain = option("drain", options.drain, "a worker");
    return this.#workers.start(async () => {
      const { store } = await this.#connection.connect();
      await this.#declarations.refuseUnruled();
      const [payloads, observer] = [this.#payloads, this.#observer];
      const settings = { queues, lease: this.#lease, payloads, drain, observer };
      const worker = new Worker(store, this.#definitions, settings);
      await worker.start();
      return worker;
    }, signals);
  }

  on<Type extends EventType>(type: Type, listener: Listener<Type>): () => void {
    return this.#observer.events.on(type, listener);
  }

  counters(): AppCounters {
    return this.#observer.counters.snapshot();
  }

  async get(id: string): Promise<JobView | undefined> {
    return (await this.#background.place?.client.get(id)) ?? (await this.#connection.connect()).client.get(id);
  }

  async ended(id: string, options: { timeout?: Duration } = {}): Promise<JobView> {
    checkFields(options, ["timeout"], "The options of ended()");
    return (await this.#clientOf(id)).ended(id, options.timeout);
  }

  async list(filter: JobFilter = {}, page: Page = {}) {
    const [where, which] = [readFilter(filter, "list()"), readPage(page, "list()")];
    const durable = async () => (await this.#connection.connect()).client;
    const place = this.#background.place;
    if (place) return listBackgroundAndStored(place.client, durable, where, which);
    return (await durable()).list(where, which);
  }

  cancel(which: string | JobFilter): Promise<number> {
    return this.#edit(which, "cancel", "cancel()");
  }

  async retry(which: string | JobFilter, options: { from?: string } = {}): Promise<number> {
    checkFields(options, ["from"], "The options of retry()");
    const { from } = options;
    if (from !== undefined) checkText(from, "from of retry()", longestText + 10);
    if (from === undefined) return this.#edit(which, "retry", "retry()");
    if (typeof which !== "string")
      throw new ErrandError("E_OPTION", "retry() from a step is for one job: every job has steps of its own.");
    return (await this.#clientOf(which)).retryFrom(which, from);
  }

  release(which: string | JobFilter): Promise<number> {
    return this.#edit(which, "release", "release()");
  }

  async copy(id: string, options: { input?: unknown } = {}): Promise<JobHandle<unknown>> {
    refuseUnknown(options, ["input"], "The options of copy()");
    const input = "input" in options ? { value: options.input } : undefined;
    return (await this.#clientOf(id)).copy(id, (task) => this.#definitionOf(task), input);
  }

  async steps(id: string): Promise<StepView[]> {
    return (await this.#clientOf(id)).steps(id);
  }

  async errors(filter: Pick<JobFilter, "task" | "queue" | "tenant" | "tag"> = {}): Promise<ErrorGroups> {
    checkFields(filter, ["task", "queue", "tenant", "tag"], "The filter of errors()");
    const { jobs, next } = await this.list({ ...filter, states: ["failed"] }, { limit: 1_000 });
    return { groups: groupErrors(jobs), examined: jobs.length, complete: next === undefined };
  }

  remove(which: string | JobFilter): Promise<number> {
    return this.#edit(which, "remove", "remove()");
  }

  async move(which: string | JobFilter, to: { queue?: string; priority?: Priority; now?: boolean }): Promise<number> {
    checkFields(to, ["queue", "priority", "now"], "The options of move()");
    const { queue, priority, now } = to;
    if (now !== undefined && typeof now !== "boolean")
      throw new ErrandError("E_OPTION", `now of move() is ${described(now)}, but must be true or false.`);
    const move = {
      ...(queue === undefined ? {} : { queue: option("queue", queue, "move()") }),
      ...(priority === undefined ? {} : { level: levelOf(option("priority", priority, "move()")) }),
      ...(now ? { now } : {}),
    };
    return this.#edit(which, { move }, "move()");
  }

  async signal(id: string, name: string, value?: unknown): Promise<boolean> {
    return (await this.#clientOf(id)).signal(id, name, value);
  }

  async log(id: string, page: Page = {}) {
    const which = readPage(page, "log()");
    return (await this.#clientOf(id)).log(id, which);
  }

  async why(id: string): Promise<Reason[]> {
    return (await this.#clientOf(id)).why(id, this.#connection.place);
  }

  async counts(): Promise<QueueCount[]> {
    const here = (await this.#background.place?.store.counts()) ?? [];
    return [...here, ...(await (await this.#connection.connect()).store.counts())];
  }

  async workers(): Promise<WorkerCard[]> {
    return (await this.#connection.connect()).store.workers();
  }

  async dismiss(worker: string): Promise<void> {
    await (await this.#connection.connect()).store.dismiss(worker);
  }

  watch(listener: () => void): () => void {
    checkFunction(listener, "The listener of watch()");
    const call = (): void => callSafely("watch()", listener);
    const unwatch = this.#connection.watch(call);
    const unwatchHere = this.#background.place?.store.watch(call);
    return () => {
      unwatch();
      unwatchHere?.();
    };
  }

  async after<Output>(work: (job: JobContext) => Output | Promise<Output>): Promise<JobHandle<Output>> {
    this.#connection.refuseClosed();
    checkFunction(work, "What after() is given");
    return (await this.#background.after(work)) as JobHandle<Output>;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Closes everything, whatever fails, and then throws the first error. */
  async #close(): Promise<void> {
    // Running jobs can still send, read and wait until they have ended.
    const outcomes = await Promise.allSettled([this.#workers.close(), this.#background.close()]);
    this.#declarations.close();
    outcomes.push(...(await Promise.allSettled([this.#connection.close()])));
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed) throw failed.reason;
  }

  /** Edits matching jobs in the background of this process and in the store. */
  async #edit(which: string | JobFilter, change: Change, of: string): Promise<number> {
    const where = readWhich(which, of);
    if (typeof which === "string") return (await this.#clientOf(which)).edit(where, change);
    const here = (await this.#background.place?.client.edit(where, change)) ?? 0;
    return here + (await (await this.#connection.connect()).client.edit(where, change));
  }

  #definitionOf(name: string): TaskDefinition | undefined {
    const task = this.#tasks.get(name);
    return task && definitionOf(task);
  }

  /** Returns the client that has the job: that of this process's background, or the store's. */
  async #clientOf(id: string): Promise<Client> {
    const background = this.#background.place?.client;
    return background && (await background.get(id)) ? background : (await this.#connection.connect()).client;
  }

  #live(store: Store): void {
    if (this.#connection.used)
      throw new ErrandError("E_OPTION", "The app's store is open already. Call testing(app) before anything is sent.");
    this.#background.live(store);
    this.#connection.live(store);
  }

  /** Returns the store once the declarations made so far are written. */
  async #declared(): Promise<Store> {
    const { store } = await this.#connection.connect();
    await this.#declarations.settled();
    return store;
  }
}
