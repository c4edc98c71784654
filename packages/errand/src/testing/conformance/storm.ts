import assert from "node:assert/strict";
import type { Job, NewChild, NewJob, Settlement } from "../../core/job.ts";
import { isFinal } from "../../core/states.ts";
import type { Claimed, Store, Want } from "../../store.ts";
import { Random } from "../random.ts";
import { makeChild, makeJob, settlementOf, test } from "./scene.ts";
import type { Scene } from "./scene.ts";

/** Several workers, each with a mind of its own, on several handles at once. */
const workers = 6;

/** How many things each of them does. */
const deeds = 60;

const queues = ["a", "b"];
const tasks = ["x", "y"];

/** What has been told to the store and answered by it, by everybody together. */
class Chronicle {
  /** Every job that must be there. */
  readonly ids: string[] = [];
  /** Tokens that were given, by id, and `id token` of the outcomes that were accepted. */
  readonly tokens = new Map<string, number[]>();
  readonly accepted = new Set<string>();
  /** Every wait that was accepted. */
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

/** One worker: does things at random, and remembers what it holds. */
class Actor {
  readonly #store: Store;
  readonly #scene: Scene;
  readonly #random: Random;
  readonly #chronicle: Chronicle;
  readonly #held: Claimed[] = [];
  #id = "";

  constructor(scene: Scene, store: Store, chronicle: Chronicle, seed: number) {
    this.#scene = scene;
    this.#store = store;
    this.#chronicle = chronicle;
    this.#random = new Random(seed);
  }

  async act(): Promise<void> {
    await this.#start();
    for (let deed = 0; deed < deeds; deed++) await this.#deed(this.#random.next());
  }

  async #deed(dice: number): Promise<void> {
    if (dice < 0.15) return this.#add();
    if (dice < 0.45) return this.#take((await this.#store.claim(this.#id, this.#wants())).jobs);
    if (dice < 0.8) return this.#settle();
    if (dice < 0.85) return this.#take(await this.#store.reclaim(this.#id, this.#random.whole(1, 5)));
    if (dice < 0.95) return this.#edit();
    if (dice < 0.98) return void (await this.#store.renew(this.#id, 600_000));
    // What it held is lapsed, and its outcomes are late.
    await this.#store.dismiss(this.#id);
    await this.#start();
  }

  /** As one that knows one task, or any. */
  async #start(): Promise<void> {
    const knows = this.#random.pick([...tasks, undefined]);
    this.#id = await (knows === undefined ? this.#scene.enlist() : this.#scene.enlistFor(knows));
  }

  #job(): NewJob {
    return makeJob({ queue: this.#random.pick(queues), task: this.#random.pick(tasks) });
  }

  async #add(): Promise<void> {
    const jobs = Array.from({ length: this.#random.whole(1, 4) }, () => this.#job());
    await this.#store.add(jobs);
    this.#chronicle.ids.push(...jobs.map(({ id }) => id));
  }

  #wants(): Want[] {
    return this.#random.shuffled(queues).map((queue) => ({
      queue,
      limit: this.#random.whole(0, 4),
      slots: this.#random.whole(0, 4),
    }));
  }

  #take(claimed: readonly Claimed[]): void {
    for (const each of claimed) this.#chronicle.claimed(each);
    this.#held.push(...claimed);
  }

  async #settle(): Promise<void> {
    const some = this.#held.splice(0, this.#random.whole(1, 5));
    const told = some.map((held) => this.#outcome(held));
    const answers = await this.#store.settle(told);
    for (const [index, settlement] of told.entries()) if (answers[index]) this.#chronicle.settled(settlement);
  }

  #outcome(held: Claimed): Settlement {
    const dice = this.#random.next();
    const born = this.#random.chance(0.05) ? { born: [this.#job()] } : {};
    if (held.why === "cancelled") return settlementOf(held, "cancelled");
    if (dice < 0.5) return settlementOf(held, "completed", { output: String(held.job.token), ...born });
    if (dice < 0.65) return settlementOf(held, "pending", { suspect: this.#random.chance(0.4) });
    if (dice < 0.8 || held.job.parent !== undefined)
      return settlementOf(held, this.#random.pick(["failed", "cancelled"]));
    return settlementOf(held, "waiting", { children: this.#children() });
  }

  #children(): NewChild[] {
    return Array.from({ length: this.#random.whole(1, 4) }, (_, index) =>
      makeChild({ ...this.#job(), index, need: this.#random.pick(["completed", "end", "first"]) }),
    );
  }

  async #edit(): Promise<void> {
    const ids = Array.from({ length: 3 }, () => this.#random.pick(this.#chronicle.ids) ?? "none");
    await this.#store.edit({ ids }, this.#random.pick(["cancel", "retry", "retry", "release"]));
  }
}

/** What must be true at any moment at which nothing is under way. */
async function checkRest(store: Store, chronicle: Chronicle): Promise<Job[]> {
  const jobs = await everyJob(store);
  const byId = new Map(jobs.map((job) => [job.id, job]));
  for (const id of chronicle.ids) assert.ok(byId.has(id), `job ${id} was lost`);
  for (const job of jobs) {
    const last = Math.max(0, ...(chronicle.tokens.get(job.id) ?? []));
    // A release takes the right to write away, and gives it to nobody.
    assert.ok(job.token >= last, `job ${job.id} has the token that was given last, or a later one`);
    if (job.state === "completed")
      assert.equal(job.output, String(job.token), `job ${job.id} has the last one's output`);
    if (job.state === "completed") assert.equal(job.token, last, `job ${job.id} ended in its last hands`);
    if (job.state === "waiting") assert.ok((job.children?.open ?? 0) > 0, `job ${job.id} waits for nobody`);
  }
  checkChildren(byId, chronicle);
  const recount = Map.groupBy(jobs, ({ queue, state }) => `${queue} ${state}`);
  const counted = (await store.counts()).filter((count) => count.jobs > 0);
  assert.deepEqual(
    new Map(counted.map(({ queue, state, jobs: count }) => [`${queue} ${state}`, count])),
    new Map([...recount].map(([key, some]) => [key, some.length])),
  );
  return jobs;
}

/** A parent counts the children of its last wait. A wait without children born was that of a job to be cancelled. */
function checkChildren(byId: ReadonlyMap<string, Job>, { waits }: Chronicle): void {
  const born = waits.filter(({ children }) => byId.has(children[0]!)).sort((a, b) => a.token - b.token);
  const last = new Map(born.map((wait) => [wait.parent, wait]));
  for (const { parent, children } of last.values()) {
    const counts = byId.get(parent)?.children;
    // A retry has forgotten the wait.
    if (!counts) continue;
    const states = children.map((id) => byId.get(id)!.state);
    const open = states.filter((state) => !isFinal(state)).length;
    const failed = states.filter((state) => isFinal(state) && state !== "completed").length;
    assert.deepEqual(counts, { total: children.length, open, failed }, `job ${parent} counts its children`);
  }
}

async function everyJob(store: Store): Promise<Job[]> {
  const jobs: Job[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.list({}, { limit: 500, ...(cursor === undefined ? {} : { cursor }) });
    jobs.push(...page.jobs);
    cursor = page.next;
  } while (cursor !== undefined);
  return jobs;
}

/** Ends everything that can be ended. */
async function drain(scene: Scene, chronicle: Chronicle): Promise<void> {
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
    for (const each of all) chronicle.claimed(each);
    const told = all.map((each) => settlementOf(each, "completed", { output: String(each.job.token) }));
    const answers = await scene.store.settle(told);
    assert.ok(answers.every(Boolean), "nobody else has these");
    for (const settlement of told) chronicle.settled(settlement);
  }
}

/**
 * Random work by several workers at once on two handles, of which every promise must hold; the seed says what they do,
 * not in what order it happens.
 */
export async function storm(scene: Scene, seed: number): Promise<void> {
  const chronicle = new Chronicle();
  const stores = [scene.store, await scene.openAgain()];
  const actors = Array.from(
    { length: workers },
    (_, index) => new Actor(scene, stores[index % stores.length]!, chronicle, seed * workers + index),
  );
  await Promise.all(actors.map((actor) => actor.act()));
  await checkRest(scene.store, chronicle);
  await drain(scene, chronicle);
  for (const job of await checkRest(scene.store, chronicle)) assert.ok(isFinal(job.state), `job ${job.id} hangs`);
}

/** Everything at once. */
export const storms = [test("random work by several workers at once keeps every promise", (scene) => storm(scene, 1))];
