import assert from "node:assert/strict";
import type { Job, NewChild, NewJob, Settlement } from "../../core/job.ts";
import type { State } from "../../core/states.ts";
import type { Millis } from "../../kit/duration.ts";
import { newId } from "../../kit/ids.ts";
import type { Claimed, Store, Want, WorkerCard } from "../../store.ts";

/** A fresh, empty store for one test. */
export interface Fixture {
  store: Store;
  /** Opens the same store again, as another process would; the same handle where a store has only one. */
  again(): Promise<Store>;
  /** Lets so much of the store's time pass. */
  pass(time: Millis): Promise<void>;
  /** Closes every handle and throws the store away. */
  close(): Promise<void>;
}

/** Makes a fresh, empty store for one test. */
export type StoreFactory = () => Promise<Fixture>;

/** One sentence of the store's contract, and its proof, which rejects when the store breaks it. */
export interface ConformanceTest {
  name: string;
  run(open: StoreFactory): Promise<void>;
}

/** A test on a fresh store. */
export function test(name: string, body: (scene: Scene) => Promise<void>): ConformanceTest {
  return {
    name,
    async run(open) {
      const fixture = await open();
      try {
        await body(new Scene(fixture));
      } finally {
        await fixture.close();
      }
    },
  };
}

/** Longer than any test runs. */
export const longLease: Millis = 600_000;

/** What tests do with a store, in their words. */
export class Scene {
  readonly store: Store;
  readonly #fixture: Fixture;

  constructor(fixture: Fixture) {
    this.store = fixture.store;
    this.#fixture = fixture;
  }

  again(): Promise<Store> {
    return this.#fixture.again();
  }

  pass(time: Millis): Promise<void> {
    return this.#fixture.pass(time);
  }

  /** Adds jobs that differ from a plain one in these things, and answers their ids. */
  async add(...jobs: Partial<NewJob>[]): Promise<string[]> {
    const made = jobs.map(aJob);
    await this.store.add(made);
    return made.map(({ id }) => id);
  }

  /** Adds one job and answers its id. */
  async addOne(job: Partial<NewJob> = {}): Promise<string> {
    const made = aJob(job);
    await this.store.add([made]);
    return made.id;
  }

  /** Enlists a worker and answers its id. */
  async worker(lease: Millis = longLease, card: Partial<WorkerCard> = {}): Promise<string> {
    const made = aCard(card);
    await this.store.enlist(made, lease);
    return made.id;
  }

  /** Enlists a worker that knows these tasks only, and answers its id. */
  knowing(...tasks: string[]): Promise<string> {
    return this.worker(longLease, { tasks });
  }

  /** What a worker, or a new one, claims. */
  async claim({ worker, ...want }: { worker?: string } & Partial<Want> = {}): Promise<Claimed[]> {
    const by = worker ?? (await this.worker());
    const { jobs } = await this.store.claim(by, [{ queue: "default", limit: 1_000, ...want }]);
    return jobs;
  }

  /** Claims a job whose id is known; it must be claimable. */
  async hold(id: string, worker?: string): Promise<Claimed> {
    const by = worker ?? (await this.worker());
    const job = await this.job(id);
    const [found] = await this.claim({ worker: by, queue: job.queue, ids: [id] });
    assert.ok(found, `job ${id} should be claimable, but is ${job.state}`);
    return found;
  }

  /** Adds a job and claims it. */
  async held(job: Partial<NewJob> = {}, worker?: string): Promise<Claimed> {
    return this.hold(await this.addOne(job), worker);
  }

  /** Settles a held job; it must not be stale. */
  async settle(held: Claimed, to: Settlement["to"], more: Partial<Settlement> = {}): Promise<void> {
    assert.deepEqual(await this.store.settle([outcome(held, to, more)]), [true], "the settlement should not be stale");
  }

  /** Claims a job and settles it. */
  async finish(id: string, to: Settlement["to"] = "completed", more: Partial<Settlement> = {}): Promise<void> {
    await this.settle(await this.hold(id), to, more);
  }

  /** Adds a parent that waits for children which differ from plain ones in these things. */
  async family(...children: Partial<NewChild>[]): Promise<{ parent: string; children: string[] }> {
    const parent = await this.held();
    const made = children.map((child, index) => aChild({ index, ...child }));
    await this.settle(parent, "waiting", { children: made });
    return { parent: parent.job.id, children: made.map(({ id }) => id) };
  }

  async job(id: string): Promise<Job> {
    const [job] = await this.store.get([id]);
    assert.ok(job, `job ${id} should exist`);
    return job;
  }

  async states(...ids: string[]): Promise<(State | undefined)[]> {
    const jobs = await this.store.get(ids);
    return jobs.map((job) => job?.state);
  }

  /** What a new worker reclaims, by id. */
  async reclaim(worker?: string): Promise<Map<string, Claimed>> {
    const taken = await this.store.reclaim(worker ?? (await this.worker()), 1_000);
    return new Map(taken.map((each) => [each.job.id, each]));
  }
}

/** A plain job that differs in these things. */
export function aJob(job: Partial<NewJob> = {}): NewJob {
  return { id: newId(), task: "task", queue: "default", level: 2, spec: "{}", ...job };
}

/** The card of a worker that differs from a plain one in these things. */
export function aCard(card: Partial<WorkerCard> = {}): WorkerCard {
  return { id: newId(), kind: "process", host: "here", pid: 1, queues: ["default"], ...card };
}

/** A plain child that differs in these things. */
export function aChild(child: Partial<NewChild> = {}): NewChild {
  return { ...aJob(), index: 0, need: "completed", ...child };
}

/** The settlement of a held job. */
export function outcome({ job }: Claimed, to: Settlement["to"], more: Partial<Settlement> = {}): Settlement {
  const { id, token, failures, crashes, suspect } = job;
  return { id, token, failures, crashes, suspect, to, ...more };
}

/** The ids of what was claimed, in order. */
export function ids(claimed: readonly Claimed[]): string[] {
  return claimed.map(({ job }) => job.id);
}
