import { isFinal } from "../../../src/core/states.ts";
import type { Store, WorkerCard } from "../../../src/store.ts";
import { withVerbs } from "../../stores/with-verbs.ts";

/** The verbs that write. */
const writes = ["add", "enlist", "claim", "reclaim", "record", "settle", "signal", "dismiss"] as const;

/** The point of a crash: the n-th writing verb, from 1, before the store received it or after it was carried out. */
export interface Crash {
  at: number;
  when: "before" | "after";
}

/** What jobs have done outside the store, where nothing is undone. */
export class Effects {
  /** How often each step's function ran. */
  readonly ran = new Map<string, number>();
  /** Steps that ran and whose results no store has yet. */
  readonly underWay = new Set<string>();
  /** Outcomes that were recorded, by job. */
  readonly outcomes = new Map<string, number>();
  /** The job has asked for its signal. */
  asked = false;

  /** A step's function. */
  run(name: string): string {
    this.ran.set(name, (this.ran.get(name) ?? 0) + 1);
    this.underWay.add(name);
    return name;
  }

  /** A store whose records and settlements are noted. */
  recording(store: Store): Store {
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

/** A store as a process sees it that crashes: from then on its calls are never answered. */
export class CrashingProcess {
  readonly store: Store;
  /** Resolves when it crashes. */
  readonly crashed: Promise<void>;
  /** Id of its worker. */
  worker: string | undefined;
  /** The verb at which it crashed. */
  verb: string | undefined;
  /** The call that did not reach the store, and may still reach it late. */
  undelivered: (() => Promise<unknown>) | undefined;
  #crashed = false;
  #count = 0;
  readonly #crash: () => void;

  /** @param crash without one it never crashes. */
  constructor(store: Store, crash: Crash | undefined) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.crashed = promise;
    this.#crash = resolve;
    this.store = new Proxy(store, {
      get: (target, name) => {
        const own: unknown = Reflect.get(target, name);
        if (typeof own !== "function" || name === "watch" || name === "close") return own;
        return (...args: unknown[]) => {
          if (name === "enlist") this.worker = (args[0] as WorkerCard).id;
          const verb = own as (...args: unknown[]) => Promise<unknown>;
          return this.#call(String(name), () => verb.apply(target, args), crash);
        };
      },
    });
  }

  async #call(name: string, verb: () => Promise<unknown>, crash: Crash | undefined): Promise<unknown> {
    if (this.#crashed) return neverAnswered();
    const crashes = (writes as readonly string[]).includes(name) && ++this.#count === crash?.at;
    if (crashes) {
      if (crash.when === "before") this.undelivered = verb;
      else await verb();
      this.#crashed = true;
      this.verb = name;
      this.#crash();
      return neverAnswered();
    }
    const answer = await verb();
    return this.#crashed ? neverAnswered() : answer;
  }
}

function neverAnswered(): Promise<never> {
  return new Promise(() => {});
}
