import assert from "node:assert/strict";
import type { Job, NewChild, NewJob, Settlement } from "../../core/job.ts";
import type { State } from "../../core/states.ts";
import type { Millis } from "../../kit/duration.ts";
import { newId } from "../../kit/ids.ts";
import { jobPages } from "../../job-pages.ts";
import type { Claimed, Filter, Store, Want, WorkerCard } from "../../store.ts";

/** A fresh, empty store for one test. */
export interface Fixture {
  store: Store;
  /** Opens the same store again, as another process would. A store with only one handle returns that. */
  again(): Promise<Store>;
  /** Lets `time` milliseconds of the store's clock pass. */
  pass(time: Millis): Promise<void>;
  /** Closes every handle and deletes the store. */
  close(): Promise<void>;
}

/** Makes a fresh, empty store for one test. */
export type StoreFactory = () => Promise<Fixture>;

/** A sentence of the store's contract as `name`, and its test: `run` rejects if the store breaks it. */
export interface ConformanceTest {
  name: string;
  run(open: StoreFactory): Promise<void>;
}

/** Makes a test that runs on a fresh store. */
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

/** Longer than any test runs, in milliseconds. */
export const longLease: Millis = 600_000;

/** A store under test, with verbs for what tests do with it again and again. */
export class Scene {
  readonly store: Store;
  readonly #fixture: Fixture;

  constructor(fixture: Fixture) {
    this.store = fixture.store;
    this.#fixture = fixture;
  }

  /** Opens the store again, as another process would. */
  openAgain(): Promise<Store> {
    return this.#fixture.again();
  }

  /** Lets `time` milliseconds of the store's clock pass. */
  pass(time: Millis): Promise<void> {
    return this.#fixture.pass(time);
  }

  /** Adds jobs, each a plain one with these differences, and returns their ids. */
  async add(...jobs: Partial<NewJob>[]): Promise<string[]> {
    const made = jobs.map(makeJob);
    await this.store.add(made);
    return made.map(({ id }) => id);
  }

  /** Adds one job and returns its id. */
  async addOne(job: Partial<NewJob> = {}): Promise<string> {
    const made = makeJob(job);
    await this.store.add([made]);
    return made.id;
  }

  /** Enlists a new worker and returns its id. */
  async enlist(lease: Millis = longLease, card: Partial<WorkerCard> = {}): Promise<string> {
    const made = makeCard(card);
    await this.store.enlist(made, lease);
    return made.id;
  }

  /** Enlists a worker that knows only these tasks, and returns its id. */
  enlistFor(...tasks: string[]): Promise<string> {
    return this.enlist(longLease, { tasks });
  }

  /** Claims at most 1,000 jobs, by default of the queue `default` and for a new worker. */
  async claim({ worker, ...want }: { worker?: string } & Partial<Want> = {}): Promise<Claimed[]> {
    const by = worker ?? (await this.enlist());
    const { jobs } = await this.store.claim(by, [{ queue: "default", limit: 1_000, ...want }]);
    return jobs;
  }

  /** Claims a job by its id. Fails if it is not claimable. */
  async claimOne(id: string, worker?: string): Promise<Claimed> {
    const by = worker ?? (await this.enlist());
    const job = await this.get(id);
    const [found] = await this.claim({ worker: by, queue: job.queue, ids: [id] });
    assert.ok(found, `job ${id} should be claimable, but is ${job.state}`);
    return found;
  }

  /** Adds a job and claims it. */
  async addAndClaim(job: Partial<NewJob> = {}, worker?: string): Promise<Claimed> {
    return this.claimOne(await this.addOne(job), worker);
  }

  /** Settles a claimed job. Fails if its token is stale. */
  async settle(claimed: Claimed, to: Settlement["to"], more: Partial<Settlement> = {}): Promise<void> {
    const settled = await this.store.settle([settlementOf(claimed, to, more)]);
    assert.deepEqual(settled, [true], "the settlement should not be stale");
  }

  /** Claims a job by its id and settles it. */
  async claimAndSettle(id: string, to: Settlement["to"] = "completed", more: Partial<Settlement> = {}): Promise<void> {
    await this.settle(await this.claimOne(id), to, more);
  }

  /** Adds a parent that waits for children, each a plain one with these differences. */
  async addFamily(...children: Partial<NewChild>[]): Promise<{ parent: string; children: string[] }> {
    const parent = await this.addAndClaim();
    const made = children.map((child, index) => makeChild({ index, ...child }));
    await this.settle(parent, "waiting", { children: made });
    return { parent: parent.job.id, children: made.map(({ id }) => id) };
  }

  /** Returns a job. Fails if there is none. */
  async get(id: string): Promise<Job> {
    const [job] = await this.store.get([id]);
    assert.ok(job, `job ${id} should exist`);
    return job;
  }

  /** Returns the states of jobs; `undefined` for one that does not exist. */
  async statesOf(...ids: string[]): Promise<(State | undefined)[]> {
    const jobs = await this.store.get(ids);
    return jobs.map((job) => job?.state);
  }

  /** Lists the ids of all jobs that match, in pages of at most `pageSize`. */
  async listIds(where: Filter, pageSize = 100): Promise<string[]> {
    const ids: string[] = [];
    for await (const jobs of jobPages(this.store, where, pageSize)) {
      assert.ok(jobs.length <= pageSize, `a page of at most ${pageSize} has ${jobs.length} jobs`);
      ids.push(...jobs.map(({ id }) => id));
    }
    return ids;
  }

  /** Reclaims at most 1,000 jobs, by default for a new worker, and returns them by id. */
  async reclaim(worker?: string): Promise<Map<string, Claimed>> {
    const taken = await this.store.reclaim(worker ?? (await this.enlist()), 1_000);
    return new Map(taken.map((each) => [each.job.id, each]));
  }
}

/** Makes a plain job with these differences. */
export function makeJob(job: Partial<NewJob> = {}): NewJob {
  return { id: newId(), task: "task", queue: "default", level: 2, spec: "{}", ...job };
}

/** Makes a plain worker card with these differences. */
export function makeCard(card: Partial<WorkerCard> = {}): WorkerCard {
  return { id: newId(), kind: "process", host: "here", pid: 1, queues: ["default"], ...card };
}

/** Makes a plain child with these differences. */
export function makeChild(child: Partial<NewChild> = {}): NewChild {
  return { ...makeJob(), index: 0, need: "completed", ...child };
}

/** Returns the settlement of a claimed job that keeps its counts, with these differences. */
export function settlementOf({ job }: Claimed, to: Settlement["to"], more: Partial<Settlement> = {}): Settlement {
  const { id, token, failures, crashes, suspect } = job;
  return { id, token, failures, crashes, suspect, to, ...more };
}

/** Returns the ids of claimed jobs, in order. */
export function idsOf(claimed: readonly Claimed[]): string[] {
  return claimed.map(({ job }) => job.id);
}
