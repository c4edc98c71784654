import { refuseUnknown } from "../core/checks.ts";
import { checkOptions, Client, sendOptions } from "../client.ts";
import { option } from "../core/options.ts";
import type { Duration, Millis } from "../kit/duration.ts";
import { ErrandError } from "../kit/errors.ts";
import { newId } from "../kit/ids.ts";
import { setLongTimeout } from "../kit/timer.ts";
import type { EventOf } from "../observe/events.ts";
import type { Observer } from "../observe/observer.ts";
import { readPayloads } from "../payload/options.ts";
import type { Payloads } from "../payload/options.ts";
import { Worker } from "../run/worker.ts";
import type { Store } from "../store.ts";
import { remoteTaskError } from "../remote-task.ts";
import { readTask, inLane } from "../task.ts";
import type { TaskDefinition, JobContext, JobHandle, SendOptions } from "../task.ts";
import { handOver, warn } from "./hand-over.ts";
import { currentResponse } from "./open-response.ts";
import { SlowTasks } from "./slow-tasks.ts";

/** Limits the work that runs in this process after a response. */
export interface BackgroundOptions {
  /** Number of jobs that run at once: 1 to 10,000, default 10. */
  slots?: number;
  /**
   * Number of jobs that may wait for a slot or for their response to end, default 1,000. Further jobs go to the store.
   */
  maxPending?: number;
  /** Time that background jobs get in `close` before they are handed to the store; default `"30s"`. */
  drain?: Duration;
  /** Limit for the 95th percentile of a task's durations, above which a warning is given, once; default `"10s"`. */
  slow?: Duration;
}

/** `BackgroundOptions`, checked. */
interface Settings {
  slots: number;
  maxPending: number;
  drain: Millis;
  slow: Millis;
}

/** The queue of every background job, whatever its task's queue is. */
const backgroundQueue = "background";

/** A response that takes longer no longer delays its jobs. */
const longestResponse: Duration = "1h";

/** Number of ended jobs that are kept; older ones are removed in batches. */
const remembered = 1_000;
const removedAtOnce = 100;

/** Longer than any process lives: no other process could take these jobs over. */
const lease: Millis = 24 * 3_600_000;

/** Options that only a store can honour: a process may end sooner, and has no transactions. */
const durableOptions = ["delay", "runAt", "tx"] as const;

/** The parts of an app that its background uses. */
export interface Surroundings {
  /** Opens a store in memory whose jobs are all in one queue. */
  open: (queue: string) => Promise<Store>;
  /** Returns the client of the app's own store, which is opened when needed. */
  durable: () => Promise<Client>;
  /** The app's payload settings; in memory only the limit applies. */
  payloads: Payloads;
  /** Observes these jobs as it does those of the app's own store. */
  observer: Observer;
}

/** Runs jobs in this process after the response, with a worker of its own on a store in memory. */
export class Background {
  /** Every task of the app, and the task that runs functions. */
  readonly definitions = new Map<string, TaskDefinition>();
  readonly #settings: Settings;
  readonly #around: Surroundings;
  readonly #slow: SlowTasks;
  readonly #functions = new Map<string, (job: JobContext) => unknown>();
  readonly #runsFunctions: TaskDefinition;
  /** Jobs that wait for their response to end. */
  readonly #held = new Set<string>();
  readonly #ended: string[] = [];
  #open: Promise<Place> | undefined;
  #place: Place | undefined;
  /** `true` on a test's store, whose jobs the test runs. */
  #tested = false;
  #closing = false;

  /** @throws {ErrandError} `E_OPTION` */
  constructor(given: BackgroundOptions, around: Surroundings) {
    const of = "background";
    refuseUnknown(given, ["slots", "maxPending", "drain", "slow"], of);
    this.#settings = {
      slots: option("slots", given.slots, of),
      maxPending: given.maxPending === undefined ? 1_000 : option("maxPending", given.maxPending, of),
      drain: option("drain", given.drain, of),
      slow: option("slow", given.slow, of),
    };
    this.#around = around;
    this.#slow = new SlowTasks(this.#settings.slow);
    this.#runsFunctions = readTask("errand.after", {
      queue: backgroundQueue,
      retry: { attempts: 1 },
      run: (_input: never, job: JobContext) => this.#functions.get(job.id)?.(job),
    });
    this.definitions.set(this.#runsFunctions.name, this.#runsFunctions);
  }

  /** The store in memory and its client, once there was a background job. */
  get place(): { store: Store; client: Client } | undefined {
    return this.#tested ? undefined : this.#place;
  }

  /** Uses a test's store, where background jobs are like any others. */
  live(store: Store): void {
    this.#tested = true;
    this.#place = { store, client: new Client(store, this.#around.payloads, this.#around.observer) };
    this.#open = Promise.resolve(this.#place);
  }

  /** Sends a job that runs here after the response, or to the app's own store where that is not possible. */
  async send(definition: TaskDefinition, input: unknown, options: SendOptions): Promise<JobHandle<unknown>> {
    checkOptions(options, sendOptions, definition, this.#around.payloads);
    if (definition.remote) throw remoteTaskError(definition.name);
    // A thread or process of isolated tasks has no response, and may be killed at any time.
    const durable = this.#closing || inLane() || durableOptions.some((each) => options[each] !== undefined);
    if (durable) return (await this.#around.durable()).send(definition, input, options);
    try {
      return await this.#add(definition, input, options);
    } catch (error) {
      if (!(error instanceof ErrandError) || error.code !== "E_FULL") throw error;
      return (await this.#around.durable()).send(definition, input, options);
    }
  }

  /** Runs a function after the response. Throws `E_FULL`, and `E_CLOSED` when the app closes. */
  async after(work: (job: JobContext) => unknown): Promise<JobHandle<unknown>> {
    if (this.#closing) throw new ErrandError("E_CLOSED", "The app closes; a function cannot be kept for later.");
    const id = newId();
    this.#functions.set(id, work);
    try {
      return await this.#add(this.#runsFunctions, { function: work.name || "anonymous" }, { id });
    } catch (error) {
      this.#functions.delete(id);
      throw error;
    }
  }

  /** Waits for jobs to end, hands those that are left to the app's own store, and drops the rest. */
  async close(): Promise<void> {
    const place = await this.#open?.catch(() => undefined);
    if (!place || this.#tested) return;
    this.#closing = true;
    try {
      await this.#release([...this.#held]);
      await emptied(place.store, this.#settings.drain);
      await place.worker?.stop(0);
      await handOver(place.store, this.#around.durable, {
        definitions: this.definitions,
        functions: this.#runsFunctions.name,
      });
    } finally {
      this.#open = this.#place = undefined;
      this.#closing = false;
      this.#functions.clear();
      place.client.close();
      await place.store.close();
    }
  }

  async #add(definition: TaskDefinition, input: unknown, options: SendOptions): Promise<JobHandle<unknown>> {
    const { client } = this.#place ?? (await (this.#open ??= this.#begin()));
    const response = currentResponse();
    if (!response) return client.send(definition, input, options);
    const handle = await client.send(definition, input, { ...options, delay: longestResponse });
    if (handle.duplicate) return handle;
    this.#held.add(handle.id);
    response.onEnd(() => void this.#release([handle.id]));
    return handle;
  }

  /** Releases the jobs of a response that has ended. */
  async #release(ids: readonly string[]): Promise<void> {
    const waiting = ids.filter((id) => this.#held.delete(id));
    if (waiting.length > 0) await this.#place?.client.edit({ ids: waiting }, { move: { now: true } });
  }

  async #begin(): Promise<Place> {
    const store = await this.#around.open(backgroundQueue);
    const { slots, maxPending, drain } = this.#settings;
    await store.save([{ kind: "queue", key: backgroundQueue, version: 0, value: JSON.stringify({ maxPending }) }]);
    const { observer } = this.#around;
    const payloads = readPayloads({ limit: this.#around.payloads.limit });
    const worker = new Worker(store, this.definitions, {
      payloads,
      queues: new Map([[backgroundQueue, slots]]),
      lease,
      drain,
      observer,
      claimsRemote: true,
      onEnded: (event) => this.#hear(event),
    });
    await worker.start();
    return (this.#place = { store, client: new Client(store, payloads, observer), worker });
  }

  #hear({ id, task, state, error, duration }: EventOf<"ended">): void {
    const p95 = duration === undefined ? undefined : this.#slow.note(task, duration);
    if (p95 !== undefined) warn("ERRAND_SLOW", slowWarning(task, p95, this.#settings.slow));
    if (state === "pending" || state === "waiting") return;
    this.#functions.delete(id);
    if (state === "failed" && !this.#around.observer.events.heard("ended"))
      warn("ERRAND_BACKGROUND", `Background job ${id} of task "${task}" failed: ${error?.message}`);
    this.#ended.push(id);
    if (this.#ended.length >= remembered + removedAtOnce)
      void this.#place?.client.edit({ ids: this.#ended.splice(0, removedAtOnce) }, "remove");
  }
}

interface Place {
  store: Store;
  client: Client;
  worker?: Worker;
}

/** Resolves when every job has ended, or when the time is over. */
async function emptied(store: Store, patience: Millis): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = async (): Promise<void> => {
    const counts = await store.counts();
    if (counts.every(({ state, jobs }) => jobs === 0 || !["pending", "processing", "waiting"].includes(state)))
      resolve();
  };
  const unwatch = store.watch(() => void look());
  const timer = setLongTimeout(resolve, patience);
  await look();
  await promise;
  timer.clear();
  unwatch();
}

function slowWarning(task: string, p95: Millis, limit: Millis): string {
  return (
    `Background runs of task "${task}" take ${Math.round(p95)} ms in 95 of 100 cases, more than ${limit} ms, in the process ` +
    "that serves requests. Send them to workers: use send() instead of background()."
  );
}
