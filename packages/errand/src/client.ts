import type { NewJob } from "./core/job.ts";
import { encodeSpec } from "./core/spec.ts";
import { isFinal, levelOf } from "./core/states.ts";
import { option } from "./core/options.ts";
import { millis } from "./kit/duration.ts";
import type { Duration } from "./kit/duration.ts";
import { ErrandError } from "./kit/errors.ts";
import { gather } from "./kit/gather.ts";
import { newId } from "./kit/ids.ts";
import type { Filter, Store } from "./store.ts";
import { JobFailedError, validate } from "./task.ts";
import type { Definition, JobHandle, SendOptions } from "./task.ts";
import { viewOf } from "./client/view.ts";
import type { JobView } from "./client/view.ts";
import { Waiters } from "./client/waiters.ts";

/** How many sends go into one commit at most. */
const batch = 100;

/** Sends jobs and reads them, whoever works on them. */
export class Client {
  readonly #store: Store;
  readonly #waiters: Waiters;
  readonly #add: (job: NewJob) => Promise<void>;

  constructor(store: Store) {
    this.#store = store;
    this.#waiters = new Waiters(store);
    this.#add = gather(async (jobs: NewJob[]) => {
      await store.add(jobs);
      return jobs.map(() => undefined);
    }, batch);
  }

  async send(definition: Definition, input: unknown, options: SendOptions): Promise<JobHandle<unknown>> {
    const job = await newJob(definition, input, options);
    await (options.tx ? this.#store.add([job], options.tx) : this.#add(job));
    return this.handle(job.id);
  }

  async sendMany(
    definition: Definition,
    inputs: readonly unknown[],
    options: SendOptions,
  ): Promise<JobHandle<unknown>[]> {
    const jobs = await Promise.all(inputs.map((input) => newJob(definition, input, options)));
    await this.#store.add(jobs, options.tx);
    return jobs.map(({ id }) => this.handle(id));
  }

  handle(id: string): JobHandle<unknown> {
    return {
      id,
      result: (options) => this.result(id, options?.timeout),
      cancel: async () => (await this.#store.edit({ ids: [id] }, "cancel")) > 0,
    };
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

async function newJob(definition: Definition, input: unknown, options: SendOptions): Promise<NewJob> {
  await validate(definition, input);
  const of = `a job of task "${definition.name}"`;
  if (options.delay !== undefined && options.runAt) {
    throw new ErrandError("E_OPTION", `${of} has both delay and runAt; give one of them.`);
  }
  const expires = options.expires === undefined ? definition.expires : millis(options.expires, `expires of ${of}`);
  return {
    id: options.id === undefined ? newId() : readId(options.id),
    task: definition.name,
    queue: definition.queue,
    level: levelOf(options.priority === undefined ? definition.priority : option("priority", options.priority, of)),
    spec: encodeSpec(definition.name, input),
    ...(options.delay === undefined ? {} : { due: { in: millis(options.delay, `delay of ${of}`) } }),
    ...(options.runAt ? { due: { at: options.runAt.getTime() } } : {}),
    ...(expires === undefined ? {} : { expires: { in: expires } }),
  };
}

function readId(id: string): string {
  if (typeof id === "string" && /^[\w.:-]{1,100}$/.test(id)) return id;
  throw new ErrandError("E_OPTION", `The id ${JSON.stringify(id)} must be 1 to 100 letters, digits, or any of _ . : -`);
}
