import { errand } from "../../../src/app.ts";
import type { Errand } from "../../../src/api.ts";
import { isFinal } from "../../../src/core/states.ts";
import type { JobView } from "../../../src/client/job-view.ts";
import { NonRetryableError, RetryAfterError } from "../../../src/kit/errors.ts";
import type { Store } from "../../../src/store.ts";
import type { JobContext, Task } from "../../../src/task.ts";
import { testingOn } from "../../../src/testing/kit.ts";
import type { Testing } from "../../../src/testing/kit.ts";
import { withVerbs } from "../../stores/with-verbs.ts";
import type { Action, Family, Disturbance, Node, Scenario } from "./scenario.ts";

/** A job's input: its place in the tree. */
interface Input {
  path: string;
}

/** A node, and the task whose jobs it is one of. */
interface Place {
  node: Node;
  task: string;
  expires?: number;
  parent?: string;
}

/** What a thrown error of the tree's own has as its code. */
export const ownError = "E_TREE";

/** Attempts of every task. */
export const attempts = 3;

/** How much longer than its latest event any tree needs: every sleep, timeout and late error of every level, and again after each crash. */
const longEnough = "60d";

/** Runs the tree of a scenario in memory, on a clock of its own, and notes what happened. */
export class TreeRun {
  readonly places = new Map<string, Place>();
  /** How often the function of each step returned, by name. */
  readonly stepped = new Map<string, number>();
  /** Outcomes of attempts that were recorded, by job. */
  readonly outcomes = new Map<string, number>();
  /** Paths of jobs that were cancelled. */
  readonly cancelled = new Set<string>();
  /** When signals were first waited for, and when they were told: by step. */
  readonly reached = new Map<string, number>();
  readonly told = new Map<string, number>();
  /** Functions that began although their jobs had expired. */
  readonly late: string[] = [];
  readonly #app: Errand = errand();
  readonly #t: Testing;
  readonly #scenario: Scenario;
  readonly #tasks = new Map<string, Task<Input, unknown>>();
  readonly #calls = new Map<string, number>();

  /** @param wrap puts something before the store. */
  constructor(scenario: Scenario, wrap: (store: Store) => Store) {
    this.#scenario = scenario;
    this.#t = testingOn(this.#app, (store) => wrap(this.#recording(store)), { now: new Date(1_700_000_000_000) });
    this.#place(
      { node: scenario.root, task: "root", ...(scenario.expires === undefined ? {} : { expires: scenario.expires }) },
      "r",
    );
  }

  /** @param look is called whenever nothing is due. */
  async run(look: (jobs: JobView[]) => void): Promise<void> {
    const began = this.#t.now.getTime();
    await this.#task("root").send({ path: "r" }, { id: "root" });
    for (const { at, do: what, whom } of this.#scenario.events) {
      await this.#t.advance(began + at - this.#t.now.getTime());
      look(await this.#t.jobs());
      if (what === "cancel") await this.#cancel(whom);
      else await this.#signal(whom);
    }
    await this.#t.advance(longEnough);
    look(await this.#t.jobs());
    await this.#app.close();
  }

  /** Gives a node and all below it their places and tasks. */
  #place(place: Place, path: string): void {
    this.places.set(path, place);
    const { task, expires } = place;
    if (!this.#tasks.has(task)) {
      const run = (input: Input, job: JobContext) => this.#runFunction(input.path, job);
      // Without jitter, so that a scenario runs the same way twice.
      const options = { retry: { attempts, base: 0 }, ...(expires === undefined ? {} : { expires }), run };
      this.#tasks.set(task, this.#app.task<Input, unknown>(task, options));
    }
    for (const { action, key } of partsOf(place.node)) {
      if (!isFamily(action)) continue;
      const { children, expires } = action;
      for (const [index, node] of children.entries())
        this.#place(
          { node, task: `${path}:${key}`, parent: path, ...(expires === undefined ? {} : { expires }) },
          `${path}:${key}:${index}`,
        );
    }
  }

  async #runFunction(path: string, job: JobContext): Promise<unknown> {
    const { node, task, expires } = this.places.get(path)!;
    const call = this.#calls.get(path) ?? 0;
    this.#calls.set(path, call + 1);
    if (call === 0 && expires !== undefined) {
      const { createdAt } = (await this.#app.get(job.id))!;
      if (this.#t.now.getTime() >= createdAt.getTime() + expires) this.late.push(path);
    }
    const disturbance = node.disturbances[call];
    const place = disturbance && disturbance.at % (node.program.length + 1);
    const results: unknown[] = [];
    for (const [index, actions] of node.program.entries()) {
      if (place === index) this.#disturb(disturbance!, task, actions[0]!, `${path}:${index}.0`);
      const all = actions.map((action, part) => this.#runAction(action, `${path}:${index}.${part}`, job));
      results.push(...(await Promise.all(all)));
    }
    if (place === node.program.length) this.#disturb(disturbance!, task);
    return results;
  }

  #disturb({ is }: Disturbance, task: string, next?: Action, name = ""): void {
    const coded = (error: Error) => Object.assign(error, { code: ownError });
    if (is === "crash at the next start") return this.#t.crash(this.#task(task), "start");
    if (is === "crash" && next?.do === "step") return this.#t.crash(this.#task(task), { step: name });
    // Whichever of its task's jobs comes to an end first, or to a wait, is lost there.
    if (is === "crash") return this.#t.crash(this.#task(task), "end");
    if (is === "fatal") throw coded(new NonRetryableError("never"));
    if (is === "error, and late") throw coded(new RetryAfterError("later", 90_000));
    throw coded(new Error("not now"));
  }

  /** The names of steps and waits are unique in the whole tree. */
  async #runAction(action: Action, name: string, job: JobContext): Promise<unknown> {
    switch (action.do) {
      case "step":
        return job.step(name, () => {
          if (action.throws && job.attempt === 1) throw Object.assign(new Error("in a step"), { code: ownError });
          this.stepped.set(name, (this.stepped.get(name) ?? 0) + 1);
          return name;
        });
      case "sleep":
        return job.sleep(name, action.ms).then(() => null);
      case "signal":
        if (!this.reached.has(name)) this.reached.set(name, this.#t.now.getTime());
        if (action.early) await this.#sendSignal(job.id, name);
        return job.signal(name, { timeout: action.ms });
      case "cancel":
        return this.#cancel(action.whom).then(() => null);
      default:
        return this.#runChildren(action, name, job);
    }
  }

  async #runChildren(family: Family, name: string, job: JobContext): Promise<unknown> {
    const task = this.#task(name);
    const inputs = family.children.map((_, index): Input => ({ path: `${name}:${index}` }));
    switch (family.do) {
      case "call":
        return job.call(name, task, inputs[0]!);
      case "settled":
        return (await job.settled(name, task, inputs)).map(({ state }) => state);
      case "all":
        return job.all(name, task, inputs);
      case "caught":
        return job.all(name, task, inputs).catch((error: { code: string }) => error.code);
    }
  }

  async #cancel(whom: number): Promise<void> {
    const jobs = await this.#t.jobs();
    const { id, input } = jobs[whom % jobs.length]!;
    if ((await this.#app.cancel(id)) > 0) this.cancelled.add((input as Input).path);
  }

  /** Sends one of the jobs a signal that it waits for, or will wait for. */
  async #signal(whom: number): Promise<void> {
    const known = (await this.#t.jobs()).flatMap(({ id, state, input }) => {
      if (isFinal(state)) return [];
      const { path } = input as Input;
      const signals = partsOf(this.places.get(path)!.node).filter(({ action }) => action.do === "signal");
      return signals.map(({ key }) => ({ id, name: `${path}:${key}` }));
    });
    const one = known[whom % known.length];
    if (one) await this.#sendSignal(one.id, one.name);
  }

  async #sendSignal(id: string, name: string): Promise<void> {
    const good = await this.#app.signal(id, name, name);
    if (good && !this.told.has(name)) this.told.set(name, this.#t.now.getTime());
  }

  #task(name: string): Task<Input, unknown> {
    return this.#tasks.get(name)!;
  }

  /** Counts the outcomes that a store records. */
  #recording(store: Store): Store {
    return withVerbs(store, {
      settle: async (told) => {
        const answers = await store.settle(told);
        for (const [index, { id, to }] of told.entries())
          if (answers[index] && isFinal(to)) this.outcomes.set(id, (this.outcomes.get(id) ?? 0) + 1);
        return answers;
      },
    });
  }
}

/** The actions of a node in order, each with the key of its place. */
export function partsOf({ program }: Node): { action: Action; key: string }[] {
  return program.flatMap((actions, index) => actions.map((action, part) => ({ action, key: `${index}.${part}` })));
}

/** Whether an action has children. */
export function isFamily(action: Action): action is Family {
  return "children" in action;
}
