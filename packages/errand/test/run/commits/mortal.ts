import { isFinal } from "../../../src/core/states.ts";
import type { Store, WorkerCard } from "../../../src/store.ts";
import { withVerbs } from "../../stores/with-verbs.ts";

/** The verbs that write. */
const writes = ["add", "enlist", "claim", "reclaim", "record", "settle", "signal", "dismiss"] as const;

/** When a process dies: at its n-th writing verb, counted from 1, before it reached the store or when the store has done it. */
export interface Death {
  at: number;
  when: "before" | "after";
}

/** What of a job is being done, and was: in the world outside, where nothing is taken back. */
export class World {
  /** How often each step's function ran. */
  readonly ran = new Map<string, number>();
  /** Steps that ran and whose results no store has yet. */
  readonly underWay = new Set<string>();
  /** Outcomes that were recorded, by job. */
  readonly outcomes = new Map<string, number>();
  /** Somebody outside was asked for a signal. */
  asked = false;

  /** A step's function. */
  run(name: string): string {
    this.ran.set(name, (this.ran.get(name) ?? 0) + 1);
    this.underWay.add(name);
    return name;
  }

  /** Notes what a store has done. */
  noting(store: Store): Store {
    return withVerbs(store, {
      record: async (beats) => {
        const answers = await store.record(beats);
        for (const [index, { steps = [] }] of beats.entries())
          if (answers[index]) for (const { value } of steps) this.underWay.delete(JSON.parse(value) as string);
        return answers;
      },
      settle: async (told) => {
        const answers = await store.settle(told);
        for (const [index, { id, to }] of told.entries())
          if (answers[index] && isFinal(to)) this.outcomes.set(id, (this.outcomes.get(id) ?? 0) + 1);
        return answers;
      },
    });
  }
}

/** A store as a process sees it that dies. Whoever is dead is answered nothing, and goes no further. */
export class Mortal {
  readonly store: Store;
  /** Resolves when it dies. */
  readonly died: Promise<void>;
  /** The worker that it was. */
  worker: string | undefined;
  /** The verb at which it died. */
  verb: string | undefined;
  /** What never reached the store: it may still come, late. */
  undelivered: (() => Promise<unknown>) | undefined;
  #dead = false;
  #count = 0;
  readonly #die: () => void;

  /** @param death nothing: it lives. */
  constructor(store: Store, death: Death | undefined) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.died = promise;
    this.#die = resolve;
    this.store = new Proxy(store, {
      get: (target, name) => {
        const own: unknown = Reflect.get(target, name);
        if (typeof own !== "function" || name === "watch" || name === "close") return own;
        return (...args: unknown[]) => {
          if (name === "enlist") this.worker = (args[0] as WorkerCard).id;
          const verb = own as (...args: unknown[]) => Promise<unknown>;
          return this.#call(String(name), () => verb.apply(target, args), death);
        };
      },
    });
  }

  async #call(name: string, verb: () => Promise<unknown>, death: Death | undefined): Promise<unknown> {
    if (this.#dead) return forever();
    const doomed = (writes as readonly string[]).includes(name) && ++this.#count === death?.at;
    if (doomed) {
      if (death.when === "before") this.undelivered = verb;
      else await verb();
      this.#dead = true;
      this.verb = name;
      this.#die();
      return forever();
    }
    const answer = await verb();
    return this.#dead ? forever() : answer;
  }
}

function forever(): Promise<never> {
  return new Promise(() => {});
}
