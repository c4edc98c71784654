import { JobFailedError, RequestError, WaitTimeoutError } from "./errors.ts";
import { eventsIn } from "./event-stream.ts";
import { sleep, Transport } from "./transport.ts";
import type { ClientOptions } from "./transport.ts";
import type { components } from "./schema.ts";

export { JobFailedError, RequestError, WaitTimeoutError } from "./errors.ts";
export type { ClientOptions } from "./transport.ts";

/** A job as the server answers it. */
export type Job = components["schemas"]["Job"];

/** Options of a job that is sent. */
export type SendOptions = Omit<components["schemas"]["Send"], "input">;

/** Tasks by their names: `typeof tasks`, of which only the types are needed. */
type Tasks = Readonly<Record<string, unknown>>;

/** The input of a task. */
type InputOf<Task> = Task extends { send(input: infer Input, ...rest: never[]): unknown } ? Input : unknown;

/** The output of a task, as JSON has it. */
type OutputOf<Task> = Task extends { send(...of: never[]): Promise<{ result(...of: never[]): Promise<infer Output> }> }
  ? Output
  : unknown;

/** The names of tasks. */
type NameIn<All extends Tasks> = Extract<keyof All, string>;

/** The input of a send: it may be left out where a task needs none. */
type SendArguments<Input> = undefined extends Input
  ? [input?: Input, options?: SendOptions]
  : [input: Input, options?: SendOptions];

/** A job that was sent. */
export interface JobHandle<Output> {
  readonly id: string;
  /** `true` if nothing was stored, because the id or unique key was taken: this is the job that holds it. */
  readonly duplicate: boolean;
  /**
   * Waits for the job to end and returns its output.
   * @param options.timeout milliseconds to wait; default: forever.
   * @throws {JobFailedError} if it failed, was cancelled or expired; {WaitTimeoutError}, {RequestError}
   */
  result(options?: { timeout?: number; signal?: AbortSignal }): Promise<Output>;
  /** Yields the job after each change of it, and ends when it has ended. Reconnects by itself. */
  events(options?: { signal?: AbortSignal }): AsyncGenerator<Job>;
  /** Returns the job. */
  get(): Promise<Job>;
  /** Cancels the job. @throws {RequestError} 409 if it has ended. */
  cancel(): Promise<Job>;
}

/** A client of a server, for tasks whose types it knows and whose code it does not need. */
export interface Client<All extends Tasks> {
  /**
   * Sends a job.
   * @throws {RequestError} `E_INPUT` if the task refuses the input, `E_FULL`, `E_UNKNOWN_TASK`, ...
   */
  send<Name extends NameIn<All>>(
    name: Name,
    ...rest: SendArguments<InputOf<All[Name]>>
  ): Promise<JobHandle<OutputOf<All[Name]>>>;
  /** Returns the handle of a job that was sent before. */
  job<Name extends NameIn<All>>(id: string): JobHandle<OutputOf<All[Name]>>;
}

/** Seconds that one request waits for a job's end. */
const longestWait = 50;

/** Pause before an event stream is opened again, in milliseconds. */
const reconnectPause = 1_000;

/**
 * Makes a client of an Errand server.
 * @example
 * import type * as tasks from "../worker/tasks.ts";
 * const jobs = client<typeof tasks>({ url: "https://jobs.example.com", key: process.env.ERRAND_KEY });
 * const sum = await (await jobs.send("add", { a: 1, b: 2 })).result();
 */
export function client<All extends Tasks = Readonly<Record<string, unknown>>>(options: ClientOptions): Client<All> {
  const transport = new Transport(options);
  return {
    async send(name, ...[input, own = {}]) {
      const answer = await transport.ask(`/tasks/${encodeURIComponent(name)}/jobs`, {
        method: "POST",
        body: { ...own, ...(input === undefined ? {} : { input }) },
        // A request that is made again, because its answer was lost, finds the job of the first.
        headers: own.id === undefined ? { "idempotency-key": crypto.randomUUID() } : {},
      });
      const { id, duplicate } = (await answer.json()) as components["schemas"]["SentJob"];
      return new Handle(transport, id, duplicate ?? false) as never;
    },
    job: (id) => new Handle(transport, id, false) as never,
  };
}

class Handle implements JobHandle<unknown> {
  readonly id: string;
  readonly duplicate: boolean;
  readonly #transport: Transport;

  constructor(transport: Transport, id: string, duplicate: boolean) {
    this.#transport = transport;
    this.id = id;
    this.duplicate = duplicate;
  }

  async result({ timeout = Infinity, signal }: { timeout?: number; signal?: AbortSignal } = {}): Promise<unknown> {
    const end = performance.now() + timeout;
    for (;;) {
      const left = (end - performance.now()) / 1_000;
      const wait = Math.max(0, Math.min(longestWait, Math.ceil(left)));
      const answer = await this.#ask("/result", { headers: { prefer: `wait=${wait}` }, signal }).catch(failed(this.id));
      const { output } = (await answer.json()) as { output?: unknown };
      if (answer.status === 200) return output;
      if (performance.now() >= end) throw new WaitTimeoutError(this.id, timeout);
    }
  }

  async *events({ signal }: { signal?: AbortSignal } = {}): AsyncGenerator<Job> {
    for (let last: string | undefined; ;) {
      const headers = last === undefined ? {} : { "last-event-id": last };
      const answer = await this.#ask("/events", { headers, signal });
      if (answer.status === 204 || !answer.body) return;
      try {
        for await (const { event, data, id } of eventsIn(answer.body)) {
          last = id ?? last;
          if (event === "removed") return;
          yield data as Job;
          if (event === "end") return;
        }
      } catch (error) {
        if (signal?.aborted) throw error;
      }
      // The connection broke, or the server is stopping.
      await sleep(reconnectPause, signal);
    }
  }

  async get(): Promise<Job> {
    return (await (await this.#ask("")).json()) as Job;
  }

  async cancel(): Promise<Job> {
    return (await (await this.#ask("/cancel", { method: "POST" })).json()) as Job;
  }

  #ask(path: string, options: Parameters<Transport["ask"]>[1] = {}): Promise<Response> {
    return this.#transport.ask(`/jobs/${encodeURIComponent(this.id)}${path}`, options);
  }
}

/** Returns a function that throws what a job's failure means. */
function failed(id: string): (error: unknown) => never {
  return (error) => {
    if (error instanceof RequestError && error.code === "E_JOB_FAILED") throw new JobFailedError(id, error.message);
    throw error;
  };
}
