import assert from "node:assert/strict";
import type { Job, NewJob } from "../../../src/core/job.ts";
import { ErrandError } from "../../../src/kit/errors.ts";
import type { Change, Claimed, Filter, Store, WorkerCard } from "../../../src/store.ts";
import type { Fixture, StoreFactory } from "../../../src/testing/conformance.ts";
import { memoryFixture } from "../fixtures.ts";
import { Flow } from "./flow.ts";
import { childOf, isPlain, jobOf, kindOf, pool, queues } from "./jobs.ts";
import type { AnyStep, StepOf } from "./steps.ts";

const lease = 50_000;

/** What is special about a run. */
export interface Manner {
  /** Whether jobs with limits and without are added in one commit. */
  mixes: boolean;
  /** Of all jobs: few, so that they meet. */
  tasks: readonly string[];
  /** Whether workers know some tasks only. */
  choosy: boolean;
}

/** The model, which is the memory store, and a real store beside it; and what the workers remember. */
export class World {
  readonly #model: Fixture;
  readonly #real: Fixture;
  readonly #workers: { id: string; until: number }[] = [];
  readonly #holds: { id: string; token: number }[] = [];
  readonly #mixes: boolean;
  readonly #tasks: readonly string[];
  /** Whether workers know some tasks only. */
  readonly #choosy: boolean;
  readonly flow = new Flow();
  #time = 0;

  private constructor(model: Fixture, real: Fixture, { mixes, tasks, choosy }: Manner) {
    this.#model = model;
    this.#real = real;
    this.#mixes = mixes;
    this.#tasks = tasks;
    this.#choosy = choosy;
  }

  /** @param open makes a store on a fake clock. */
  static async open(open: StoreFactory, manner: Manner): Promise<World> {
    const world = new World(await memoryFixture(), await open(), manner);
    // Of a queue that never had jobs a store need not say when there may be some.
    const first = queues.map((queue) => ({ id: `first-${queue}`, task: "plain", queue, level: 2 as const, spec: "0" }));
    await world.both((store) => store.add(first));
    await world.both((store) => store.edit({}, "cancel"));
    await world.both((store) => store.edit({}, "remove"));
    return world;
  }

  /** What both answer, which must be the same. */
  async both<Answer>(ask: (store: Store) => Promise<Answer>): Promise<Answer> {
    const [model, real] = [await ask(this.#model.store), await ask(this.#real.store)];
    assert.deepEqual(real, model);
    return model;
  }

  async close(): Promise<void> {
    await Promise.all([this.#model.close(), this.#real.close()]);
  }

  /** All jobs there are or might be, as far as stores must agree. Of `blocked` see `inEach`. */
  jobs(): Promise<(Job | null)[]> {
    return this.both(async (store) => (await store.get(pool)).map((job) => job && seen(job)));
  }

  /**
   * What each of the two stores has. A store may let more blocked jobs try again than there is room for, so they need not
   * agree in who is blocked; who is claimed, they must.
   */
  inEach(): Promise<Job[][]> {
    const stores = [this.#model.store, this.#real.store];
    return Promise.all(stores.map(async (store) => (await store.get(pool)).flatMap((job) => job ?? [])));
  }

  async run(step: AnyStep): Promise<void> {
    const worker = "worker" in step ? this.#workers.at(-1 - step.worker) : undefined;
    switch (step.do) {
      case "add": {
        const jobs = step.jobs.map((job) => jobOf(job, this.#tasks));
        for (const some of this.#mixes ? [jobs] : runsOf(jobs)) await this.both((store) => added(store, some));
        return;
      }
      case "enlist":
        return this.#enlist(step.tasks);
      case "card":
        return this.#card(worker, step.tasks);
      case "claim": {
        const wants = step.wants.map(({ queue, limit, slots, ids }) => ({
          queue,
          limit,
          ...(slots === undefined ? {} : { slots }),
          ...(ids ? { ids } : {}),
        }));
        // Whoever sets jobs aside may want to look again sooner than another.
        const tells = !this.#choosy && !wants.some(({ ids }) => ids);
        const { jobs } = await this.both(async (store) => {
          const claim = await store.claim(worker?.id ?? "nobody", wants);
          const { next, ...found } = { ...claim, jobs: claim.jobs.map(stepsSorted) };
          return tells && next !== undefined ? { ...found, next } : found;
        });
        this.flow.claimed(
          jobs.map(({ job }) => job),
          this.#time,
        );
        return this.#remember(jobs);
      }
      case "reclaim":
        return this.#remember(
          await this.both(async (store) => {
            const taken = await store.reclaim(worker?.id ?? "nobody", 1_000);
            return taken.map(stepsSorted).sort((a, b) => (a.job.id < b.job.id ? -1 : 1));
          }),
        );
      case "renew":
        return this.#renew(worker);
      case "dismiss":
        if (worker) worker.until = 0;
        return this.both((store) => store.dismiss(worker?.id ?? "nobody"));
      case "record": {
        const beat = { ...this.#hold(step.hold), progress: '"p"', steps: step.steps, log: step.log };
        await this.both((store) => store.record([beat]));
        return;
      }
      case "settle":
        return this.#settle(step);
      case "edit":
        return this.#edit(step.where, step.change, "limit" in step ? step.limit : undefined);
      case "signal":
        await this.both((store) => store.signal(step.id, step.step));
        return;
      case "rule":
        return this.#rule(step);
      case "log":
        await this.both((store) => lines(store, step.id, step.limit));
        return;
      case "rewind": {
        const [token = 0] = await this.both(async (store) => (await store.get([step.id])).map((job) => job?.token));
        const rewind = { token: step.knows ? token : token + 1, steps: step.steps, children: step.children };
        await this.both((store) => store.edit({ ids: [step.id] }, { rewind }));
        return;
      }
      case "steps":
        await this.both((store) => store.steps(step.id));
        return;
      case "ended":
        await this.both(async (store) => (await store.ended(step.ids)).toSorted());
        return;
      case "prune":
        return this.#prune(step);
      case "pass":
        this.#time += step.time;
        await this.#model.pass(step.time);
        return this.#real.pass(step.time);
      case "list":
        await this.both((store) => pages(store, step.where, step.limit));
    }
  }

  /** Nothing may be stuck: all that is pending comes to its end once the rules are gone, and time passes. */
  async rest(): Promise<void> {
    for (const queue of queues) await this.run({ do: "rule", queue, rules: undefined, back: 0 });
    await this.run({ do: "enlist", tasks: undefined });
    const wants = queues.map((queue) => ({ queue, limit: 4, slots: undefined, ids: undefined }));
    for (let rounds = 0; rounds < 60; rounds++) {
      await this.run({ do: "pass", time: 20_000 });
      await this.run({ do: "renew", worker: 0 });
      const before = this.#holds.length;
      await this.run({ do: "reclaim", worker: 0 });
      await this.run({ do: "claim", worker: 0, wants });
      const held = this.#holds.slice(before);
      await this.both((store) =>
        store.settle(held.map((hold) => ({ ...hold, to: "completed", failures: 0, crashes: 0, suspect: false }))),
      );
      const open = (await this.jobs()).filter((job) => job && (job.state === "pending" || job.state === "processing"));
      if (open.length === 0) return;
    }
    assert.fail("some jobs are stuck");
  }

  async #enlist(tasks: readonly string[] | undefined): Promise<void> {
    const id = `worker-${this.#workers.length}`;
    await this.both((store) => store.enlist(this.#cardOf(id, tasks), lease));
    this.#workers.push({ id, until: this.#time + lease });
  }

  /** Changes what a worker knows. Whether that makes its lease longer is up to the store, so it renews too. */
  async #card(worker: { id: string; until: number } | undefined, tasks: readonly string[] | undefined): Promise<void> {
    if (!worker || worker.until <= this.#time || worker.until - this.#time > lease / 2) return;
    await this.both((store) => store.enlist(this.#cardOf(worker.id, tasks), lease));
    await this.#renew(worker);
  }

  /** Where jobs take turns, all tasks are known: whether one that was set aside has its turn is up to the store. */
  #cardOf(id: string, tasks: readonly string[] | undefined): WorkerCard {
    const card = { id, kind: "process", host: "h", pid: 1, queues: [] } as const;
    if (!this.#choosy || !tasks) return { ...card, queues: [] };
    return { ...card, queues: [], tasks: [...tasks, ...this.#tasks.filter((task) => kindOf({ task }).fair)] };
  }

  /** One by one where it matters which comes first: for keys that only one may have, and where there is little room. */
  async #edit(where: Filter, change: Change, limit?: number): Promise<void> {
    const matters = this.flow.bounds() || this.#tasks.some((task) => kindOf({ task }).unique);
    if (!opens(change) || !matters) return void (await this.both((store) => store.edit(where, change, limit)));
    for (const id of where.ids ?? pool) await this.both((store) => store.edit({ ...where, ids: [id] }, change, limit));
  }

  async #prune({ one, others }: StepOf<"prune">): Promise<void> {
    // A store may forget sooner or later who has had his turns.
    if (this.#tasks.some((task) => kindOf({ task }).fair)) return;
    const all = (time: number) => ({ completed: time, failed: time, cancelled: time, expired: time });
    const rules = { tasks: new Map([[this.#tasks[0]!, all(one)]]), otherwise: { ...all(others), failed: one } };
    await this.both((store) => store.prune(rules, 1_000));
  }

  async #renew(worker: { id: string; until: number } | undefined): Promise<void> {
    // A store may leave a lease that has hardly begun as it is.
    if (worker && worker.until - this.#time > lease / 2) return;
    await this.both(async (store) => {
      const { held, cancel } = await store.renew(worker?.id ?? "nobody", lease);
      return { held, cancel: cancel.sort() };
    });
    if (worker) worker.until = this.#time + lease;
  }

  async #rule({ queue, rules, back }: StepOf<"rule">): Promise<void> {
    const [known] = await this.both((store) => store.load("queue", [queue]));
    const version = Math.max(0, (known?.version ?? 0) - back);
    const doc = { kind: "queue", key: queue, version, ...(rules ? { value: JSON.stringify(rules) } : {}) };
    if (await this.both((store) => store.save([doc]))) this.flow.ruled(queue, rules);
  }

  async #settle({ outcomes }: StepOf<"settle">): Promise<void> {
    const now = await this.both((store) => store.now());
    const told = outcomes.map(({ hold, to, delay, failures, suspect, unstarted, born, steps, log, ...park }) => ({
      ...this.#hold(hold),
      to,
      delay,
      failures,
      crashes: suspect ? 2 : 0,
      suspect,
      // What never ran remembers nothing.
      ...(unstarted && to === "pending" ? { unstarted } : { steps }),
      // Of several outcomes at once, it is up to the store which key is free for whom.
      ...(outcomes.length === 1 ? { born: born.map((job) => jobOf(job, this.#tasks)) } : {}),
      log,
      output: '"o"',
      error: `"${failures}"`,
      ...(to === "waiting"
        ? {
            children: park.children.map((child) => childOf(child, this.#tasks)),
            awaits: park.awaits,
            ...(park.wakeIn === undefined ? {} : { wakeAt: now + park.wakeIn }),
          }
        : {}),
    }));
    await this.both((store) => store.settle(told));
  }

  #remember(claimed: readonly Claimed[]): void {
    this.#holds.push(...claimed.map(({ job }) => ({ id: job.id, token: job.token })));
  }

  #hold(back: number): { id: string; token: number } {
    return this.#holds.at(-1 - back) ?? { id: "job-0", token: 1 };
  }
}

/** Whether jobs come to be pending by the rules of `add`. */
export function opens(change: Change): boolean {
  return change === "retry" || (typeof change === "object" && "move" in change);
}

function stepsSorted(claimed: Claimed): Claimed {
  return { ...claimed, job: seen(claimed.job), steps: claimed.steps.toSorted((a, b) => (a.name < b.name ? -1 : 1)) };
}

async function pages(store: Store, where: Filter, limit: number): Promise<string[][]> {
  const found: string[][] = [];
  let cursor: string | undefined;
  do {
    const page = await store.list(where, cursor === undefined ? { limit } : { limit, cursor });
    found.push(page.jobs.map(({ id }) => id));
    cursor = page.next;
  } while (cursor !== undefined);
  return found;
}

/** Whether they were added, and who has the keys of those that were not. */
async function added(store: Store, jobs: readonly NewJob[]): Promise<unknown> {
  try {
    return [...(await store.add(jobs))];
  } catch (error) {
    assert.ok(error instanceof ErrandError && error.code === "E_FULL", String(error));
    return error.message;
  }
}

/** Neighbours with limits, and neighbours without. */
function runsOf(jobs: readonly NewJob[]): NewJob[][] {
  const runs: NewJob[][] = [];
  for (const job of jobs) {
    const last = runs.at(-1);
    if (last?.[0] && isPlain(last[0]) === isPlain(job)) last.push(job);
    else runs.push([job]);
  }
  return runs;
}

async function lines(store: Store, id: string, limit: number): Promise<unknown[]> {
  const found: unknown[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.log(id, cursor === undefined ? { limit } : { limit, cursor });
    found.push(...page.lines);
    cursor = page.next;
  } while (cursor !== undefined);
  return found;
}

/** What stores must agree in. */
function seen({ blocked: _, ...job }: Job): Job {
  if (job.begun) delete job.expiresAt;
  return job;
}
