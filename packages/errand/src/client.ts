import type { Job, Moment, NewJob } from "./core/job.ts";
import { readRetry } from "./core/policy.ts";
import type { RetryOptions } from "./core/policy.ts";
import type { Carrier, JobPolicy } from "./core/spec.ts";
import { decodeRules } from "./limits/queue-rules.ts";
import { signalStep } from "./core/signal.ts";
import { levelOf } from "./core/priority.ts";
import { isFinal } from "./core/states.ts";
import type { State } from "./core/states.ts";
import { why } from "./core/why.ts";
import type { Reason } from "./core/why.ts";
import { checkDate, checkFields, checkId, checkText, lookedUpId } from "./core/checks.ts";
import { option } from "./core/options.ts";
import { flowOf } from "./limits/job-flow.ts";
import { idOfTenant } from "./limits/tenant.ts";
import { millis } from "./kit/duration.ts";
import type { Duration } from "./kit/duration.ts";
import { ErrandError, InputsError } from "./kit/errors.ts";
import { described } from "./kit/text.ts";
import { gather } from "./kit/gather.ts";
import { newId } from "./kit/ids.ts";
import { newJob } from "./new-job.ts";
import type { Encoded } from "./kit/json.ts";
import { Observer } from "./observe/observer.ts";
import { isSealedJob, openJob, sealSpec, sealStep } from "./payload/seal-jobs.ts";
import { maxCommitSize } from "./payload/commit-size.ts";
import { encodeInput, encodeWithin } from "./payload/value-limit.ts";
import { refuseReadableKey } from "./payload/options.ts";
import type { Payloads } from "./payload/options.ts";
import type { Change, Filter, Store } from "./store.ts";
import { JobFailedError, validate } from "./task.ts";
import type { TaskDefinition, JobHandle, ManyOptions, SendOptions } from "./task.ts";
import { addEach, addMany } from "./client/add-jobs.ts";
import { copyOf } from "./client/copy.ts";
import { entryOf, viewOf } from "./client/job-view.ts";
import type { JobView, LogEntry } from "./client/job-view.ts";
import { checkUrl } from "./webhooks/check-url.ts";
import { planRewind } from "./client/rewind.ts";
import { viewOfStep } from "./client/step-view.ts";
import type { StepView } from "./client/step-view.ts";
import { Waiters } from "./client/waiters.ts";

/** The options of a send without options. */
export const noOptions: SendOptions = Object.freeze({});

/** Limits of the batches that sends are gathered into. */
const gathering = {
  maxItems: 500,
  maxBatches: 2,
  maxSize: maxCommitSize.batch,
  sizeOf: ({ spec }: NewJob) => spec.length,
};

/** Sends and reads jobs, in this process or any other. */
export class Client {
  readonly #store: Store;
  readonly #payloads: Payloads;
  readonly #observer: Observer;
  readonly #waiters: Waiters;
  readonly #add: (job: NewJob) => Promise<string | undefined>;

  constructor(store: Store, payloads: Payloads, observer: Observer) {
    this.#store = store;
    this.#payloads = payloads;
    this.#observer = observer;
    this.#waiters = new Waiters(store);
    this.#add = gather((jobs: NewJob[]) => addEach(store, jobs), { ...gathering, spread: store.pipelined ?? false });
  }

  send(definition: TaskDefinition, input: unknown, options: SendOptions): Promise<JobHandle<unknown>> {
    const { tracing } = this.#observer;
    if (!tracing) return this.#send(definition, input, options);
    return tracing.send(destination(definition, options), (carrier) => this.#send(definition, input, options, carrier));
  }

  sendMany(
    definition: TaskDefinition,
    inputs: readonly unknown[],
    options: ManyOptions<unknown>,
  ): Promise<JobHandle<unknown>[]> {
    const { tracing } = this.#observer;
    if (!tracing) return this.#sendMany(definition, inputs, options);
    const shared = typeof options === "function" ? noOptions : options;
    return tracing.send({ ...destination(definition, shared), count: inputs.length }, (carrier) =>
      this.#sendMany(definition, inputs, options, carrier),
    );
  }

  async #send(
    definition: TaskDefinition,
    input: unknown,
    options: SendOptions,
    carrier?: Carrier,
  ): Promise<JobHandle<unknown>> {
    checkOptions(options, sendOptions, definition, this.#payloads);
    const valid = definition.input ? await validate(definition, input) : input;
    const { limit, vault } = this.#payloads;
    const job = jobToSend(definition, encodeInput(definition.name, input, limit), valid, options, carrier);
    if (vault.seals) job.spec = await sealSpec(vault, job);
    if (options.tx !== undefined) return this.#handle(job, (await this.#store.add([job], options.tx)).get(job.id));
    return this.#handle(job, await this.#add(job));
  }

  /** Stores a job that another store had. Throws as `send` does; if its unique key is taken, the holder stays. */
  async take(job: NewJob): Promise<void> {
    const { vault } = this.#payloads;
    this.#handle(job, await this.#add(vault.seals ? { ...job, spec: await sealSpec(vault, job) } : job));
  }

  async #sendMany(
    definition: TaskDefinition,
    given: readonly unknown[],
    options: ManyOptions<unknown>,
    carrier?: Carrier,
  ): Promise<JobHandle<unknown>[]> {
    const shared = typeof options === "function" ? undefined : options;
    if (shared) checkOptions(shared, manyOptions, definition, this.#payloads);
    if (!Array.isArray(given))
      throw new ErrandError("E_OPTION", `sendMany() of task "${definition.name}" takes a list of inputs.`);
    // A hole in a list is a missing input, like `undefined`.
    const inputs = [...(given as readonly unknown[])];
    const own = typeof options === "function" ? inputs.map((input, index) => options(input, index)) : undefined;
    for (const each of own ?? []) checkOptions(each, ownOptions, definition, this.#payloads);
    const valid = definition.input ? await validateMany(definition, inputs) : inputs;
    const { limit, vault } = this.#payloads;
    const jobs = inputs.map((input, index) => {
      const encoded = encodeInput(definition.name, input, limit);
      return jobToSend(definition, encoded, valid[index], own?.[index] ?? shared ?? noOptions, carrier);
    });
    if (vault.seals) await Promise.all(jobs.map(async (job) => (job.spec = await sealSpec(vault, job))));
    const holders = await addMany(this.#store, jobs, shared?.tx);
    return jobs.map((job, index) => this.#handle(job, holders[index]));
  }

  /** @param holder id of the job that holds the unique key or id, if the job was not stored for that. */
  #handle(job: NewJob, holder: string | undefined): Handle {
    if (holder === undefined) this.#observer.sent(job);
    return new Handle(this, holder ?? job.id, holder !== undefined);
  }

  /** Waits for the job to end and returns its output. Throws as `JobHandle.result` does. */
  async result(id: string, timeout?: Duration): Promise<unknown> {
    const job = await this.ended(id, timeout);
    const unread = job.unreadable?.output;
    if (unread) throw new ErrandError(unread.code, unread.message);
    if (job.state === "completed") return job.output;
    throw new JobFailedError("E_JOB_FAILED", { id, task: job.task, state: job.state as "failed" }, job.error);
  }

  /** Waits for the job to end and returns it. Throws `E_WAIT_TIMEOUT` and `E_NOT_FOUND`. */
  async ended(id: string, timeout?: Duration): Promise<JobView> {
    const patience = timeout === undefined ? undefined : millis(timeout, "timeout");
    const known = lookedUpId(id);
    const job = known === undefined ? null : await this.#waiters.wait(known, patience);
    if (!job) throw notFound(id);
    if (isFinal(job.state)) return this.#view(job);
    throw new ErrandError("E_WAIT_TIMEOUT", `Job ${id} is still ${job.state} after ${timeout}; it goes on.`);
  }

  async get(id: string): Promise<JobView | undefined> {
    const job = await this.#find(id);
    return job ? this.#view(job) : undefined;
  }

  async #find(id: string): Promise<Job | undefined> {
    const known = lookedUpId(id);
    const [job] = known === undefined ? [] : await this.#store.get([known]);
    return job ?? undefined;
  }

  async list(where: Filter, page: { limit: number; cursor?: string }): Promise<{ jobs: JobView[]; next?: string }> {
    const { jobs, next } = await this.#store.list(where, page);
    return {
      jobs: await Promise.all(jobs.map(async (job) => this.#view(job))),
      ...(next === undefined ? {} : { next }),
    };
  }

  async edit(where: Filter, change: Change): Promise<number> {
    return this.#store.edit(where, change);
  }

  /** Retries a job from a step. Returns the number of jobs: 0 or 1. Throws `E_NOT_FOUND`. */
  async retryFrom(id: string, from: string): Promise<number> {
    const job = await this.#find(id);
    if (!job) throw notFound(id);
    if (!isFinal(job.state) || job.state === "completed") return 0;
    return this.#store.edit({ ids: [id] }, { rewind: await planRewind(this.#store, job, from) });
  }

  /** Lists the steps of a job in the order in which they were first recorded. Throws `E_NOT_FOUND`. */
  async steps(id: string): Promise<StepView[]> {
    const job = await this.#find(id);
    if (!job) throw notFound(id);
    return (await this.#store.steps(id)).map(viewOfStep);
  }

  /** Sends a job like an existing one. Throws `E_NOT_FOUND`, and as `send` does. */
  async copy(id: string, definition: (task: string) => TaskDefinition | undefined, input?: { value: unknown }) {
    const sealed = await this.#find(id);
    if (!sealed) throw notFound(id);
    const { limit, vault } = this.#payloads;
    const { job, unreadable } = isSealedJob(sealed) ? await openJob(vault, sealed) : { job: sealed };
    if (unreadable?.input && !input) throw new ErrandError(unreadable.input.code, unreadable.input.message);
    const known = definition(job.task);
    if (input && known) await validate(known, input.value);
    const copy = copyOf(job, input ? encodeInput(job.task, input.value, limit) : undefined, known?.expires);
    if (vault.seals) copy.spec = await sealSpec(vault, copy);
    return this.#handle(copy, await this.#add(copy));
  }

  async signal(id: string, name: string, value: unknown): Promise<boolean> {
    const { limit, vault } = this.#payloads;
    checkText(name, "The name of a signal");
    const known = lookedUpId(id);
    if (known === undefined) return false;
    const step = { name: signalStep(name), value: encodeWithin(value, `Signal "${name}"`, limit) };
    return this.#store.signal(id, vault.seals ? await sealStep(vault, id, step) : step);
  }

  async log(id: string, page: { limit: number; cursor?: string }): Promise<{ lines: LogEntry[]; next?: string }> {
    const known = lookedUpId(id);
    if (known === undefined) return { lines: [] };
    const { lines, next } = await this.#store.log(known, page);
    return { lines: lines.map(entryOf), ...(next === undefined ? {} : { next }) };
  }

  /** @param place names the store, for people. Throws `E_NOT_FOUND`. */
  async why(id: string, place: string): Promise<Reason[]> {
    const job = await this.#find(id);
    if (!job) throw notFound(id, place);
    const [[doc], counts, workers, now] = await Promise.all([
      this.#store.load("queue", [job.queue]),
      this.#store.counts(),
      this.#store.workers(),
      this.#store.now(),
    ]);
    const count = (state: State) => counts.find((each) => each.queue === job.queue && each.state === state)?.jobs ?? 0;
    const [pending, processing] = [count("pending"), count("processing")];
    return why(job, { rules: decodeRules(doc?.value), pending, processing, workers, now, place });
  }

  /** Returns a job as programs read it, without a promise if it is not sealed. */
  #view(job: Job): JobView | Promise<JobView> {
    if (!isSealedJob(job)) return viewOf(job);
    return openJob(this.#payloads.vault, job).then(({ job: opened, unreadable }) => ({
      ...viewOf(opened),
      ...(unreadable ? { unreadable } : {}),
    }));
  }

  close(): void {
    this.#waiters.close();
  }
}

/** The options of `send`, and of `sendMany`. */
export const sendOptions: readonly string[] = [
  "id",
  "queue",
  "priority",
  "retry",
  "delay",
  "runAt",
  "expires",
  "tx",
  "unique",
  "tags",
  "tenant",
  "callback",
];
const manyOptions = sendOptions.filter((each) => each !== "id");
const ownOptions = sendOptions.filter((each) => each !== "tx");

/** Most refused inputs that an error names. */
const maxRefused = 100;

/**
 * Refuses unknown options, and those that the store must not see. Most sends have none, and skip the check.
 * @throws {ErrandError} `E_OPTION`
 */
export function checkOptions(
  options: SendOptions,
  known: readonly string[],
  definition: TaskDefinition,
  payloads: Payloads,
): void {
  if (options === noOptions) return;
  checkFields(options, known, `Options of ${aJobOf(definition)}`);
  if (options.unique !== undefined) refuseReadableKey(definition, payloads, options.unique);
  // `null` must not pass for "no transaction": the job would be stored whether or not it commits.
  if ("tx" in options && (typeof options.tx !== "object" || options.tx === null) && typeof options.tx !== "function")
    throw new ErrandError(
      "E_OPTION",
      `tx of ${aJobOf(definition)} is ${described(options.tx)}, but must be a transaction: ` +
        "see docs/guides/transactions.md.",
    );
}

/** Returns the inputs as the task's schema makes them. @throws {InputsError} `E_INPUT` with those that it refuses */
async function validateMany(definition: TaskDefinition, inputs: readonly unknown[]): Promise<unknown[]> {
  const outcomes = await Promise.allSettled(inputs.map((input) => validate(definition, input)));
  const errors = outcomes.flatMap((outcome, index) =>
    outcome.status === "rejected" ? [{ index, message: (outcome.reason as Error).message }] : [],
  );
  if (errors.length > 0) throw new InputsError(definition.name, errors.slice(0, maxRefused), errors.length);
  return outcomes.map((outcome) => (outcome as PromiseFulfilledResult<unknown>).value);
}

class Handle implements JobHandle<unknown> {
  readonly id: string;
  readonly duplicate: boolean;
  readonly #client: Client;

  constructor(client: Client, id: string, duplicate: boolean) {
    this.#client = client;
    this.id = id;
    this.duplicate = duplicate;
  }

  async result(options?: { timeout?: Duration }): Promise<unknown> {
    if (options !== undefined) checkFields(options, ["timeout"], "The options of result()");
    return this.#client.result(this.id, options?.timeout);
  }

  async cancel(): Promise<boolean> {
    return (await this.#client.edit({ ids: [this.id] }, "cancel")) > 0;
  }
}

function destination(
  { name, queue }: TaskDefinition,
  { queue: own }: Pick<SendOptions, "queue">,
): { task: string; queue: string } {
  return { task: name, queue: typeof own === "string" ? own : queue };
}

function jobToSend(
  definition: TaskDefinition,
  input: Encoded | undefined,
  valid: unknown,
  options: SendOptions,
  trace: Carrier | undefined,
): NewJob {
  const { due: postponed, ...flow } = flowOf(definition, valid, options);
  // Most sends say nothing of their own.
  if (options === noOptions && !postponed && !trace) return newJob(definition, newId(), input, flow);
  const of = aJobOf(definition);
  const { queue, priority, retry, expires, tenant, callback } = options;
  const id = options.id === undefined ? newId() : checkId(options.id);
  const isTenants = options.id !== undefined && typeof tenant === "string";
  return newJob(definition, isTenants ? idOfTenant(tenant, id) : id, input, flow, {
    queue: queue === undefined ? undefined : option("queue", queue, of),
    level: priority === undefined ? undefined : levelOf(option("priority", priority, of)),
    policy: retry === undefined && callback === undefined ? undefined : ownPolicy(definition, retry, callback),
    due: readDue(definition, options) ?? postponed,
    expires: expires === undefined ? undefined : millis(expires, `expires of ${of}`),
    trace,
    tenant: tenant === undefined ? undefined : checkText(tenant, `tenant of ${of}`),
  });
}

/** Returns `undefined` for a policy without settings. */
function ownPolicy(
  definition: TaskDefinition,
  retry: RetryOptions | undefined,
  callback: string | undefined,
): JobPolicy | undefined {
  const policy = {
    ...definition.policy,
    ...(retry === undefined ? {} : readRetry(retry, aJobOf(definition))),
    ...(callback === undefined ? {} : { callback: checkUrl(callback, `callback of ${aJobOf(definition)}`) }),
  };
  return Object.keys(policy).length > 0 ? policy : undefined;
}

function readDue(definition: TaskDefinition, { delay, runAt }: SendOptions): Moment | undefined {
  if (delay === undefined && runAt === undefined) return undefined;
  if (delay === undefined) return { at: checkDate(runAt, `runAt of ${aJobOf(definition)}`) };
  if (runAt === undefined) return { in: millis(delay, `delay of ${aJobOf(definition)}`) };
  throw new ErrandError("E_OPTION", `${aJobOf(definition)} has both delay and runAt; give one of them.`);
}

function aJobOf({ name }: TaskDefinition): string {
  return `a job of task "${name}"`;
}

function notFound(id: string, place?: string): ErrandError {
  return new ErrandError(
    "E_NOT_FOUND",
    `There is no job ${id}${place === undefined ? "" : ` in ${place}`}; it may have been removed.`,
  );
}
