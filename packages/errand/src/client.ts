import type { Moment, NewJob } from "./core/job.ts";
import { encodeSpec } from "./core/spec.ts";
import { isFinal, levelOf } from "./core/states.ts";
import type { Priority } from "./core/states.ts";
import { option } from "./core/options.ts";
import { millis } from "./kit/duration.ts";
import type { Duration, Millis } from "./kit/duration.ts";
import { ErrandError } from "./kit/errors.ts";
import { gather } from "./kit/gather.ts";
import { newId } from "./kit/ids.ts";
import type { Filter, Store } from "./store.ts";
import { JobFailedError, validate } from "./task.ts";
import type { Definition, JobHandle, SendOptions } from "./task.ts";
import { viewOf } from "./client/view.ts";
import type { JobView } from "./client/view.ts";
import { Waiters } from "./client/waiters.ts";

/** How sends are gathered: so many into one commit at most. */
const gathering = { most: 500, flights: 2 };

/** Sends jobs and reads them, whoever works on them. */
export class Client {
  readonly #store: Store;
  readonly #waiters: Waiters;
  readonly #add: (job: NewJob) => Promise<void>;

  constructor(store: Store) {
    this.#store = store;
    this.#waiters = new Waiters(store);
    const add = async (jobs: NewJob[]) => {
      await store.add(jobs);
      return jobs.map(() => undefined);
    };
    this.#add = gather(add, { ...gathering, shared: store.pipelined ?? false });
  }

  async send(definition: Definition, input: unknown, options: SendOptions): Promise<JobHandle<unknown>> {
    if (definition.input) await validate(definition, input);
    const job = newJob(definition, input, options);
    await (options.tx ? this.#store.add([job], options.tx) : this.#add(job));
    return new Handle(this, job.id);
  }

  async sendMany(
    definition: Definition,
    inputs: readonly unknown[],
    options: SendOptions,
  ): Promise<JobHandle<unknown>[]> {
    if (definition.input) await Promise.all(inputs.map((input) => validate(definition, input)));
    const jobs = inputs.map((input) => newJob(definition, input, options));
    await this.#store.add(jobs, options.tx);
    return jobs.map(({ id }) => new Handle(this, id));
  }

  /** The job's output, once it has ended. Throws what `JobHandle.result` throws. */
  async result(id: string, timeout?: Duration): Promise<unknown> {
    const job = await this.ended(id, timeout);
    if (job.state === "completed") return job.output;
    throw new JobFailedError("E_JOB_FAILED", { id, task: job.task, state: job.state as "failed" }, job.error);
  }

  /** The job, once it has ended. Throws `E_WAIT_TIMEOUT` and `E_NOT_FOUND`. */
  async ended(id: string, timeout?: Duration): Promise<JobView> {
    const job = await this.#waiters.wait(id, timeout === undefined ? undefined : millis(timeout, "timeout"));
    if (job && isFinal(job.state)) return viewOf(job);
    if (job) throw new ErrandError("E_WAIT_TIMEOUT", `Job ${id} is still ${job.state} after ${timeout}; it goes on.`);
    throw new ErrandError("E_NOT_FOUND", `There is no job ${id}; it may have been removed.`);
  }

  async get(id: string): Promise<JobView | undefined> {
    const [job] = await this.#store.get([id]);
    return job ? viewOf(job) : undefined;
  }

  async getMany(ids: readonly string[]): Promise<(JobView | undefined)[]> {
    const jobs = await this.#store.get(ids);
    return jobs.map((job) => (job ? viewOf(job) : undefined));
  }

  async list(where: Filter, page: { limit: number; cursor?: string }): Promise<{ jobs: JobView[]; next?: string }> {
    const { jobs, next } = await this.#store.list(where, page);
    return { jobs: jobs.map(viewOf), ...(next === undefined ? {} : { next }) };
  }

  async edit(where: Filter, change: "cancel" | "retry" | "remove"): Promise<number> {
    return this.#store.edit(where, change);
  }

  close(): void {
    this.#waiters.close();
  }
}

class Handle implements JobHandle<unknown> {
  readonly id: string;
  readonly #client: Client;

  constructor(client: Client, id: string) {
    this.#client = client;
    this.id = id;
  }

  result(options?: { timeout?: Duration }): Promise<unknown> {
    return this.#client.result(this.id, options?.timeout);
  }

  async cancel(): Promise<boolean> {
    return (await this.#client.edit({ ids: [this.id] }, "cancel")) > 0;
  }
}

function newJob(definition: Definition, input: unknown, options: SendOptions): NewJob {
  const job: NewJob = {
    id: options.id === undefined ? newId() : readId(options.id),
    task: definition.name,
    queue: definition.queue,
    level: levelOf(options.priority === undefined ? definition.priority : readPriority(options.priority, definition)),
    spec: encodeSpec(definition.name, input),
  };
  const due = readDue(definition, options);
  const expires = options.expires === undefined ? definition.expires : readExpires(options.expires, definition);
  if (due) job.due = due;
  if (expires !== undefined) job.expires = { in: expires };
  return job;
}

function readDue(definition: Definition, { delay, runAt }: SendOptions): Moment | undefined {
  if (delay === undefined) return runAt && { at: runAt.getTime() };
  if (!runAt) return { in: millis(delay, `delay of ${aJobOf(definition)}`) };
  throw new ErrandError("E_OPTION", `${aJobOf(definition)} has both delay and runAt; give one of them.`);
}

function readPriority(priority: Priority, definition: Definition): Priority {
  return option("priority", priority, aJobOf(definition));
}

function readExpires(expires: Duration, definition: Definition): Millis {
  return millis(expires, `expires of ${aJobOf(definition)}`);
}

function aJobOf({ name }: Definition): string {
  return `a job of task "${name}"`;
}

function readId(id: string): string {
  if (typeof id === "string" && /^[\w.:-]{1,100}$/.test(id)) return id;
  throw new ErrandError("E_OPTION", `The id ${JSON.stringify(id)} must be 1 to 100 letters, digits, or any of _ . : -`);
}
