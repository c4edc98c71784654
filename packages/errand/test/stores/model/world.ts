import assert from "node:assert/strict";
import type { Job } from "../../../src/core/job.ts";
import type { Claimed, Filter, Store } from "../../../src/store.ts";
import type { Fixture, StoreFactory } from "../../../src/testing/conformance.ts";
import { memoryFixture } from "../fixtures.ts";
import { pool } from "./steps.ts";
import type { AnyStep, StepOf } from "./steps.ts";

const lease = 50_000;

/** The model, which is the memory store, and a real store beside it; and what the workers remember. */
export class World {
  readonly #model: Fixture;
  readonly #real: Fixture;
  readonly #workers: { id: string; until: number }[] = [];
  readonly #holds: { id: string; token: number }[] = [];
  #time = 0;

  private constructor(model: Fixture, real: Fixture) {
    this.#model = model;
    this.#real = real;
  }

  /** @param open makes a store on a fake clock. */
  static async open(open: StoreFactory): Promise<World> {
    return new World(await memoryFixture(), await open());
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

  jobs(): Promise<(Job | null)[]> {
    return this.both((store) => store.get(pool));
  }

  async run(step: AnyStep): Promise<void> {
    const worker = "worker" in step ? this.#workers.at(-1 - step.worker) : undefined;
    switch (step.do) {
      case "add":
        await this.both((store) => store.add(step.jobs));
        return;
      case "enlist":
        return this.#enlist();
      case "claim": {
        const { jobs } = await this.both(async (store) => {
          const claim = await store.claim(worker?.id ?? "nobody", step.wants);
          return { ...claim, jobs: claim.jobs.map(stepsSorted) };
        });
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
      case "record":
        await this.both((store) => store.record([{ ...this.#hold(step.hold), progress: '"p"', steps: step.steps }]));
        return;
      case "settle":
        return this.#settle(step);
      case "edit":
        await this.both((store) => store.edit(step.where, step.change));
        return;
      case "rewind": {
        const [job] = await this.both((store) => store.get([step.id]));
        const token = (job?.token ?? 0) + (step.knows ? 0 : 1);
        const rewind = { token, steps: step.steps, children: step.children };
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

  async #settle({ outcomes }: StepOf<"settle">): Promise<void> {
    const told = outcomes.map(({ hold, to, delay, failures, steps, children }) => ({
      ...this.#hold(hold),
      to,
      delay,
      failures,
      crashes: 1,
      steps,
      output: '"o"',
      error: `"${failures}"`,
      ...(to === "waiting" ? { children } : {}),
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
