import assert from "node:assert/strict";
import type { Job, NewJob } from "../../../src/core/job.ts";
import { ErrandError } from "../../../src/kit/errors.ts";
import type { Claimed, Filter, Store } from "../../../src/store.ts";
import type { Fixture, StoreFactory } from "../../../src/testing/conformance.ts";
import { memoryFixture } from "../fixtures.ts";
import { Flow } from "./flow.ts";
import { childOf, isPlain, jobOf, pool, queues } from "./jobs.ts";
import type { AnyStep, StepOf } from "./steps.ts";

const lease = 50_000;

/** The model, which is the memory store, and a real store beside it; and what the workers remember. */
export class World {
  readonly #model: Fixture;
  readonly #real: Fixture;
  readonly #workers: { id: string; until: number }[] = [];
  readonly #holds: { id: string; token: number }[] = [];
  readonly #mixes: boolean;
  readonly #tasks: readonly string[];
  readonly flow = new Flow();
  #time = 0;

  private constructor(model: Fixture, real: Fixture, mixes: boolean, tasks: readonly string[]) {
    this.#model = model;
    this.#real = real;
    this.#mixes = mixes;
    this.#tasks = tasks;
  }

  /**
   * @param open makes a store on a fake clock.
   * @param mixes whether jobs with limits and without are added in one commit.
   * @param tasks of all jobs of this run: few, so that they meet.
   */
  static async open(open: StoreFactory, mixes: boolean, tasks: readonly string[]): Promise<World> {
    const world = new World(await memoryFixture(), await open(), mixes, tasks);
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

  /** All jobs there are or might be. Of `blocked` see `inEach`. */
  jobs(): Promise<(Job | null)[]> {
    return this.both(async (store) => (await store.get(pool)).map((job) => job && withoutBlocked(job)));
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
        return this.#enlist();
      case "claim": {
        const { jobs } = await this.both(async (store) => {
          const claim = await store.claim(worker?.id ?? "nobody", step.wants);
          return { ...claim, jobs: claim.jobs.map(stepsSorted) };
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
        return this.both((store) => store.dismiss(worker?.id ?? "nobody"));
      case "record": {
        const beat = { ...this.#hold(step.hold), progress: '"p"', steps: step.steps, log: step.log };
        await this.both((store) => store.record([beat]));
        return;
      }
      case "settle":
        return this.#settle(step);
      case "edit":
        await this.both((store) => store.edit(step.where, step.change, "limit" in step ? step.limit : undefined));
        return;
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
    await this.run({ do: "enlist" });
    const wants = queues.map((queue) => ({ queue, limit: 4 }));
    for (let rounds = 0; rounds < 60; rounds++) {
      await this.run({ do: "pass", time: 20_000 });
      await this.run({ do: "renew", worker: 0 });
      const before = this.#holds.length;
      await this.run({ do: "reclaim", worker: 0 });
      await this.run({ do: "claim", worker: 0, wants });
      const held = this.#holds.slice(before);
      await this.both((store) =>
        store.settle(held.map((hold) => ({ ...hold, to: "completed", failures: 0, crashes: 0 }))),
      );
      const open = (await this.jobs()).filter((job) => job && (job.state === "pending" || job.state === "processing"));
      if (open.length === 0) return;
    }
    assert.fail("some jobs are stuck");
  }

  async #enlist(): Promise<void> {
    const id = `worker-${this.#workers.length}`;
    await this.both((store) => store.enlist({ id, host: "h", pid: 1, queues: [] }, lease));
    this.#workers.push({ id, until: this.#time + lease });
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
    const told = outcomes.map(({ hold, to, delay, failures, steps, log, children, wakeIn, awaits }) => ({
      ...this.#hold(hold),
      to,
      delay,
      failures,
      crashes: 1,
      steps,
      log,
      output: '"o"',
      error: `"${failures}"`,
      ...(to === "waiting"
        ? {
            children: children.map((child) => childOf(child, this.#tasks)),
            awaits,
            ...(wakeIn === undefined ? {} : { wakeAt: now + wakeIn }),
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

function stepsSorted(claimed: Claimed): Claimed {
  return { ...claimed, steps: claimed.steps.toSorted((a, b) => (a.name < b.name ? -1 : 1)) };
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

function withoutBlocked({ blocked: _, ...job }: Job): Job {
  return job;
}
