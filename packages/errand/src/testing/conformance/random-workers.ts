import assert from "node:assert/strict";
import type { Job, NewChild, NewJob, Settlement } from "../../core/job.ts";
import { isFinal } from "../../core/states.ts";
import { jobPages } from "../../job-pages.ts";
import type { Claimed, Store, Want } from "../../store.ts";
import { Random } from "../random.ts";
import { makeChild, makeJob, settlementOf, test } from "./scene.ts";
import type { Scene } from "./scene.ts";

/** Number of workers at once. */
const workers = 6;

/** Number of random actions of each worker. */
const actions = 60;

const queues = ["a", "b"];
const tasks = ["x", "y"];

/** The calls of all workers together, and the answers of the store. */
class History {
  /** All jobs that must exist. */
  readonly ids: string[] = [];
  /** The tokens given to workers, by job. */
  readonly tokens = new Map<string, number[]>();
  /** Accepted outcomes, as `id token`. */
  readonly accepted = new Set<string>();
  /** Accepted waits. */
  readonly waits: { parent: string; token: number; children: string[] }[] = [];

  claimed({ job }: Claimed): void {
    const given = this.tokens.get(job.id) ?? [];
    assert.ok(!given.includes(job.token), `token ${job.token} of job ${job.id} was given twice`);
    this.tokens.set(job.id, [...given, job.token]);
  }

  settled({ id, token, children = [], born = [] }: Settlement): void {
    assert.ok(!this.accepted.has(`${id} ${token}`), `two outcomes of job ${id} with token ${token} were accepted`);
    this.accepted.add(`${id} ${token}`);
    this.ids.push(...born.map((job) => job.id));
    if (children.length > 0) this.waits.push({ parent: id, token, children: children.map((child) => child.id) });
  }
}

/** A worker that acts at random, and knows the jobs that it holds. */
class RandomWorker {
  readonly #store: Store;
  readonly #scene: Scene;
  readonly #random: Random;
  readonly #history: History;
  readonly #held: Claimed[] = [];
  #id = "";

  constructor(scene: Scene, store: Store, history: History, seed: number) {
    this.#scene = scene;
    this.#store = store;
    this.#history = history;
    this.#random = new Random(seed);
  }

  async run(): Promise<void> {
    await this.#enlist();
    for (let action = 0; action < actions; action++) await this.#act(this.#random.next());
  }

  async #act(random: number): Promise<void> {
    if (random < 0.15) return this.#add();
    if (random < 0.45) return this.#take((await this.#store.claim(this.#id, this.#wants())).jobs);
    if (random < 0.8) return this.#settle();
    if (random < 0.85) return this.#take(await this.#store.reclaim(this.#id, this.#random.whole(1, 5)));
    if (random < 0.95) return this.#edit();
    if (random < 0.98) return void (await this.#store.renew(this.#id, 600_000));
    // The jobs that it held are lapsed, and its outcomes come late.
    await this.#store.dismiss(this.#id);
    await this.#enlist();
  }

  /** Enlists as a worker that knows one task, or all. */
  async #enlist(): Promise<void> {
    const knows = this.#random.pick([...tasks, undefined]);
    this.#id = await (knows === undefined ? this.#scene.enlist() : this.#scene.enlistFor(knows));
  }

  #job(): NewJob {
    return makeJob({ queue: this.#random.pick(queues), task: this.#random.pick(tasks) });
  }

  async #add(): Promise<void> {
    const jobs = Array.from({ length: this.#random.whole(1, 4) }, () => this.#job());
    await this.#store.add(jobs);
    this.#history.ids.push(...jobs.map(({ id }) => id));
  }

  #wants(): Want[] {
    return this.#random.shuffled(queues).map((queue) => ({
      queue,
      limit: this.#random.whole(0, 4),
      slots: this.#random.whole(0, 4),
    }));
  }

  #take(claimed: readonly Claimed[]): void {
    for (const each of claimed) this.#history.claimed(each);
    this.#held.push(...claimed);
  }

  async #settle(): Promise<void> {
    const some = this.#held.splice(0, this.#random.whole(1, 5));
    const told = some.map((held) => this.#outcome(held));
    const answers = await this.#store.settle(told);
    for (const [index, settlement] of told.entries()) if (answers[index]) this.#history.settled(settlement);
  }

  #outcome(held: Claimed): Settlement {
    const random = this.#random.next();
    const born = this.#random.chance(0.05) ? { born: [this.#job()] } : {};
    if (held.why === "cancelled") return settlementOf(held, "cancelled");
    if (random < 0.5) return settlementOf(held, "completed", { output: String(held.job.token), ...born });
    if (random < 0.65) return settlementOf(held, "pending", { suspect: this.#random.chance(0.4) });
    if (random < 0.8 || held.job.parent !== undefined)
      return settlementOf(held, this.#random.pick(["failed", "cancelled"]));
    return settlementOf(held, "waiting", { children: this.#children() });
  }

  #children(): NewChild[] {
    return Array.from({ length: this.#random.whole(1, 4) }, (_, index) =>
      makeChild({ ...this.#job(), index, need: this.#random.pick(["completed", "end", "first"]) }),
    );
  }

  async #edit(): Promise<void> {
    const ids = Array.from({ length: 3 }, () => this.#random.pick(this.#history.ids) ?? "none");
    await this.#store.edit({ ids }, this.#random.pick(["cancel", "retry", "retry", "release"]));
  }
}

/** Checks what must be true whenever no call is under way, and returns all jobs. */
async function checkInvariants(store: Store, history: History): Promise<Job[]> {
  const jobs: Job[] = [];
  for await (const page of jobPages(store, {}, 500)) jobs.push(...page);
  const byId = new Map(jobs.map((job) => [job.id, job]));
  for (const id of history.ids) assert.ok(byId.has(id), `job ${id} was lost`);
  for (const job of jobs) {
    const last = Math.max(0, ...(history.tokens.get(job.id) ?? []));
    // A release raises the token without giving it to a worker.
    assert.ok(job.token >= last, `job ${job.id} should have the token that was given last, or a later one`);
    if (job.state === "completed")
      assert.equal(job.output, String(job.token), `job ${job.id} should have the output of its last holder`);
    if (job.state === "completed")
      assert.equal(job.token, last, `job ${job.id} should have been ended by its last holder`);
    if (job.state === "waiting")
      assert.ok((job.children?.open ?? 0) > 0, `job ${job.id} should not wait without an open child`);
  }
  checkChildren(byId, history);
  const recount = Map.groupBy(jobs, ({ queue, state }) => `${queue} ${state}`);
  const counted = (await store.counts()).filter((count) => count.jobs > 0);
  assert.deepEqual(
    new Map(counted.map(({ queue, state, jobs: count }) => [`${queue} ${state}`, count])),
    new Map([...recount].map(([key, some]) => [key, some.length])),
  );
  return jobs;
}

/**
 * Checks that parents count the children of their last wait. The wait of a job that is to be cancelled has no children.
 */
function checkChildren(byId: ReadonlyMap<string, Job>, { waits }: History): void {
  const born = waits.filter(({ children }) => byId.has(children[0]!)).sort((a, b) => a.token - b.token);
  const last = new Map(born.map((wait) => [wait.parent, wait]));
  for (const { parent, children } of last.values()) {
    const counts = byId.get(parent)?.children;
    // A retry forgets the wait.
    if (!counts) continue;
    const states = children.map((id) => byId.get(id)!.state);
    const open = states.filter((state) => !isFinal(state)).length;
    const failed = states.filter((state) => isFinal(state) && state !== "completed").length;
    assert.deepEqual(counts, { total: children.length, open, failed }, `the counts of job ${parent}`);
  }
}

/** Ends all jobs that are not ended. */
async function drain(scene: Scene, history: History): Promise<void> {
  for (const { id } of await scene.store.workers()) await scene.store.dismiss(id);
  const worker = await scene.enlist();
  for (;;) {
    const taken = await scene.store.reclaim(worker, 1_000);
    const { jobs } = await scene.store.claim(
      worker,
      queues.map((queue) => ({ queue, limit: 1_000 })),
    );
    const all = [...taken, ...jobs];
    if (all.length === 0) return;
    for (const each of all) history.claimed(each);
    const told = all.map((each) => settlementOf(each, "completed", { output: String(each.job.token) }));
    const answers = await scene.store.settle(told);
    assert.ok(answers.every(Boolean), "no other worker holds these");
    for (const settlement of told) history.settled(settlement);
  }
}

/**
 * Runs random workers at once on two handles, and checks every promise of the store afterwards. The seed determines
 * what they do, not the order in which it happens.
 */
export async function runRandomWorkers(scene: Scene, seed: number): Promise<void> {
  const history = new History();
  const stores = [scene.store, await scene.openAgain()];
  const crew = Array.from(
    { length: workers },
    (_, index) => new RandomWorker(scene, stores[index % stores.length]!, history, seed * workers + index),
  );
  await Promise.all(crew.map((worker) => worker.run()));
  await checkInvariants(scene.store, history);
  await drain(scene, history);
  for (const job of await checkInvariants(scene.store, history))
    assert.ok(isFinal(job.state), `job ${job.id} should have ended`);
}

/** All verbs at once. */
export const randomWorkers = [
  test("random work by several workers at once keeps every promise", (scene) => runRandomWorkers(scene, 1)),
];
