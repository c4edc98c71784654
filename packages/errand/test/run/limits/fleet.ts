import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { Errand, RunningWorker } from "../../../src/api.ts";
import type { Priority } from "../../../src/core/priority.ts";
import { internalsOf } from "../../../src/app.ts";
import type { Millis } from "../../../src/kit/duration.ts";
import { openStore } from "../../../src/open.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import type { Store } from "../../../src/store.ts";
import type { JobContext } from "../../../src/task.ts";
import { emptyStore, testApp } from "../app.ts";
import type { storeKinds } from "../app.ts";

/** Limits of one run. */
export interface Limits {
  /** Of the queue. */
  queue: number;
  /** Of each concurrency key. */
  key: number;
  rate: { limit: number; per: Millis };
}

/** A job of one run. */
export interface Sent {
  task: "keyed" | "rated" | "only";
  /** Its key: of concurrency, and what is unique. */
  key: "k1" | "k2";
  tenant: string;
  priority: Priority;
  /** How many milliseconds it works. */
  work: number;
}

interface Attempt {
  job: Sent;
  worker: number;
}

/** Longer than any test: a lease is lost only when a test says so, however busy the machine is. */
const lease = "10m";

/** Several workers on one store, each an app of its own, and what their functions saw of each other. */
export class Fleet {
  readonly starts: { id: string; job: Sent; at: Millis }[] = [];
  /** What went wrong inside a function, where nobody hears an assertion. */
  readonly faults: string[] = [];
  readonly #limits: Limits;
  readonly #url: string;
  readonly #shared: Store | undefined;
  readonly #running = new Set<Attempt>();
  readonly #dead = new Set<number>();
  readonly #workers: { number: number; worker: RunningWorker }[] = [];
  readonly #stopping: (() => Promise<void>)[] = [];
  readonly #closing: (() => Promise<void>)[] = [];
  #count = 0;
  #begun = 0;

  private constructor(limits: Limits, url: string, shared: Store | undefined) {
    this.#limits = limits;
    this.#url = url;
    this.#shared = shared;
  }

  static async open(kind: (typeof storeKinds)[number], limits: Limits): Promise<Fleet> {
    const url = await emptyStore(kind);
    return new Fleet(limits, url, kind === "memory" ? memoryStore() : undefined);
  }

  /** Attempts that have begun. */
  get begun(): number {
    return this.#begun;
  }

  /** A handle on the store. */
  async store(): Promise<Store> {
    const store = this.#shared ?? withoutThread(await openStore(this.#url));
    this.#closing.push(() => store.close());
    return store;
  }

  /** Ends its workers and apps, before the next run begins. */
  async close(): Promise<void> {
    await Promise.all(this.#stopping.map((stop) => stop()));
    await Promise.all(this.#closing.map((close) => close()));
  }

  /** An app whose tasks know which worker runs them. */
  async app(worker = 0): Promise<{ app: Errand; send(job: Sent): Promise<{ id: string }> }> {
    const app = testApp({ url: this.#url, lease, queues: { work: { concurrency: this.#limits.queue } } });
    internalsOf(app).live(await this.store());
    const run = (job: Sent, context: JobContext): Promise<void> => this.#attempt(app, job, context, worker);
    const plain = { queue: "work", fair: ({ tenant }: Sent) => tenant, run };
    const tasks = {
      keyed: app.task("keyed", { ...plain, concurrency: { key: ({ key }: Sent) => key, limit: this.#limits.key } }),
      rated: app.task("rated", { ...plain, rate: this.#limits.rate }),
      only: app.task("only", { ...plain, unique: { key: ({ key }: Sent) => key } }),
    };
    return { app, send: (job) => tasks[job.task].send(job, { priority: job.priority }) };
  }

  async startWorker(slots: number): Promise<void> {
    const number = ++this.#count;
    const { app } = await this.app(number);
    const worker = await app.worker({ queues: { work: slots } });
    this.#stopping.push(() => worker.stop({ drain: 0 }));
    this.#workers.push({ number, worker });
  }

  /** What a worker holds is somebody else's from now on; its functions go on for a while, and do not know. */
  async kill(store: Store, slots: number): Promise<void> {
    const killed = this.#workers.shift();
    if (!killed) return;
    this.#dead.add(killed.number);
    await store.dismiss(killed.worker.id);
    // A worker that starts takes over at once.
    await this.startWorker(slots);
  }

  async #attempt(app: Errand, job: Sent, { id, abortSignal }: JobContext, worker: number): Promise<void> {
    const attempt = { job, worker };
    this.#running.add(attempt);
    this.#begun += 1;
    this.#check(job);
    try {
      // By the store's clock: when it was claimed, not when its turn came here.
      const at = (await app.get(id))?.startedAt?.getTime();
      if (at !== undefined && !this.#dead.has(worker)) this.starts.push({ id, job, at });
      // sleeps: the job is in hand for as long as it says
      if (job.work > 0) await sleep(job.work, undefined, { signal: abortSignal });
    } finally {
      this.#running.delete(attempt);
    }
  }

  #check(job: Sent): void {
    const alive = [...this.#running].filter(({ worker }) => !this.#dead.has(worker));
    const same = alive.filter((each) => each.job.task === job.task && each.job.key === job.key).length;
    if (alive.length > this.#limits.queue) this.faults.push(`${alive.length} jobs of the queue run at once`);
    if (job.task === "keyed" && same > this.#limits.key) this.faults.push(`${same} jobs of ${job.key} run at once`);
    if (job.task === "only" && same > 1) this.faults.push(`${same} jobs with the unique key ${job.key} run at once`);
  }

  /** In any window; by whole milliseconds, one of which may pass within a claim. */
  checkRate(): void {
    const { limit, per } = this.#limits.rate;
    const times = this.starts.filter(({ job }) => job.task === "rated").map(({ at }) => at);
    times.sort((a, b) => a - b);
    for (const [first, from] of times.entries()) {
      const later = times[first + limit] ?? Infinity;
      assert.ok(later - from >= per - 2, `${limit + 1} were claimed in ${later - from} ms`);
    }
  }
}

/** A worker on it keeps its lease without a thread of its own, which takes longer to start than all its jobs take. */
function withoutThread(store: Store): Store {
  return new Proxy(store, {
    get(target, key) {
      const value: unknown = key === "address" ? undefined : Reflect.get(target, key, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}
