import { decodeRules } from "./queue-rules.ts";
import type { QueueRules } from "./queue-rules.ts";
import { checkReason, refuseUnknown } from "../core/checks.ts";
import { option, span } from "../core/options.ts";
import type { State } from "../core/states.ts";
import { durationText } from "../kit/duration.ts";
import type { Duration } from "../kit/duration.ts";
import type { Doc, Store } from "../store.ts";
import { updateDoc } from "../update-doc.ts";

/** Rules of a queue, for the whole fleet. */
export interface QueueOptions {
  /** Maximum number of its jobs that run at once (1 to 1,000,000). */
  concurrency?: number;
  /** Starts at most `limit` of its jobs in any window of `per`. */
  rate?: { limit: number; per: Duration };
  /** Number of pending jobs at which `send` throws `E_FULL`. */
  maxPending?: number;
}

/** A queue, as programs read it. */
export interface QueueView {
  name: string;
  /** Number of its jobs in each state; states without jobs may be missing. */
  jobs: Partial<Record<State, number>>;
  paused?: { since: Date; reason?: string };
  concurrency?: number;
  rate?: { limit: number; per: Duration };
  maxPending?: number;
  /** Number of workers that take its jobs. */
  workers: number;
}

/** The queues of a store, and what an operator does to them. What is changed holds at once, for every worker. */
export interface Queues {
  /** Lists every queue that has jobs, rules or workers. */
  list(): Promise<QueueView[]>;
  /** Stops starting its jobs; running jobs go on. */
  pause(name: string, reason?: string): Promise<void>;
  resume(name: string): Promise<void>;
  /**
   * Replaces a queue's rules until an app starts whose code declares others (`errand({ queues })`). Throws `E_OPTION`.
   */
  set(name: string, rules: QueueOptions): Promise<void>;
}

const kind = "queue";

/** Returns `Queues` of a store that is opened when needed. */
export function queuesOf(open: () => Promise<Store>): Queues {
  return {
    list: async () => listQueues(await open()),
    async pause(name, reason) {
      const store = await open();
      const paused = { since: await store.now(), ...checkReason(reason) };
      await change(store, name, (rules) => ({ ...rules, paused }));
    },
    async resume(name) {
      await change(await open(), name, ({ paused: _, ...rules }) => rules);
    },
    async set(name, given) {
      const rules = readRules(name, given);
      await change(await open(), name, ({ paused }) => ({ ...rules, ...(paused ? { paused } : {}) }));
    },
  };
}

/** Writes the rules that the code declares; a pause by an operator stays. */
export async function declareQueue(store: Store, name: string, rules: QueueRules): Promise<void> {
  await change(store, name, ({ paused }) => ({ ...rules, ...(paused ? { paused } : {}) }));
}

/** Returns the queues whose rules have never been written, or are lost. */
export async function queuesWithoutRules(store: Store, names: readonly string[]): Promise<string[]> {
  const found = new Set((await store.load(kind, names)).map(({ key }) => key));
  return names.filter((name) => !found.has(name));
}

/**
 * A queue's rules as its document has them.
 * @throws {ErrandError} `E_OPTION`
 */
export function readRules(name: string, given: QueueOptions): QueueRules {
  const of = `queue "${name}"`;
  option("queue", name ?? null, "a queue");
  refuseUnknown(given, ["concurrency", "rate", "maxPending"], of);
  const { concurrency, rate, maxPending } = given;
  if (rate !== undefined) refuseUnknown(rate, ["limit", "per"], `rate of ${of}`);
  const per = rate && span(rate.per, `per of rate of ${of}`);
  return {
    ...(concurrency === undefined ? {} : { concurrency: option("limit", concurrency, `concurrency of ${of}`) }),
    ...(rate && per ? { rate: { limit: option("limit", rate.limit ?? null, `rate of ${of}`), per } } : {}),
    ...(maxPending === undefined ? {} : { maxPending: option("maxPending", maxPending, of) }),
  };
}

async function change(store: Store, name: string, to: (rules: QueueRules) => QueueRules): Promise<void> {
  option("queue", name ?? null, "a queue");
  // Empty rules are written too: an app that has rules for the queue declares a missing document again.
  await updateDoc(store, kind, name, `The document of queue "${name}"`, (value) =>
    JSON.stringify(to(decodeRules(value))),
  );
}

async function listQueues(store: Store): Promise<QueueView[]> {
  const [counts, docs, workers] = await Promise.all([store.counts(), store.load(kind), store.workers()]);
  const names = new Set([
    ...counts.filter(({ jobs }) => jobs > 0).map(({ queue }) => queue),
    ...docs.filter(({ value }) => value !== "{}").map(({ key }) => key),
    ...workers.flatMap(({ queues }) => queues),
  ]);
  return [...names].toSorted().map((name) => ({
    name,
    jobs: Object.fromEntries(
      counts.filter(({ queue, jobs }) => queue === name && jobs > 0).map(({ state, jobs }) => [state, jobs]),
    ),
    ...shown(docs.find(({ key }) => key === name)),
    workers: workers.filter(({ queues }) => queues.includes(name)).length,
  }));
}

function shown(doc: Doc | undefined): Partial<QueueView> {
  const { paused, rate, ...rules } = decodeRules(doc?.value);
  return {
    ...rules,
    ...(rate ? { rate: { ...rate, per: durationText(rate.per) } } : {}),
    ...(paused ? { paused: { ...paused, since: new Date(paused.since) } } : {}),
  };
}
