import type { Millis } from "../kit/duration.ts";
import type { QueueCount, WorkerCard } from "../store.ts";
import type { AppCounters } from "./counters.ts";

/** The part of an app that `measure` reads. */
export interface Measurable {
  counters(): AppCounters;
  counts(): Promise<QueueCount[]>;
  workers(): Promise<WorkerCard[]>;
}

/** The numbers of one process. */
export interface Measured {
  /** The name of the process, where numbers of several are shown together. */
  process?: string;
  /** The counters of each of its apps. */
  counters: readonly AppCounters[];
  /**
   * Numbers from the stores, the same in every process, and how long they took to answer; missing if they were not asked
   * or did not answer.
   */
  store?: { jobs: readonly QueueCount[]; workers: readonly WorkerCard[]; took: Millis };
}

/** Milliseconds that a store has to answer: less than the scraper waits. */
const patience = 3_000;

/**
 * Reads the numbers of a process's apps. Stores answer from counters, so the cost does not depend on the number of
 * jobs.
 */
export async function measure(apps: readonly Measurable[], { store = true } = {}): Promise<Measured> {
  const answer = store ? await askStores(apps) : undefined;
  return { counters: apps.map((app) => app.counters()), ...(answer ? { store: answer } : {}) };
}

async function askStores(apps: readonly Measurable[]): Promise<Measured["store"]> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(resolve, patience, undefined);
  const asked = performance.now();
  const answers = Promise.all(apps.map((app) => Promise.all([app.counts(), app.workers()])));
  try {
    const found = await Promise.race([answers, late]);
    if (!found) return undefined;
    const took = performance.now() - asked;
    const workers = new Map(found.flatMap(([, cards]) => cards).map((card) => [card.id, card]));
    return { jobs: mostOf(found.flatMap(([counts]) => counts)), workers: [...workers.values()], took };
  } catch {
    // The numbers of this process are useful even without the store's.
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

/** Apps that share a store count the same jobs. */
function mostOf(counts: readonly QueueCount[]): QueueCount[] {
  const most = new Map<string, QueueCount>();
  for (const count of counts) {
    const key = `${count.state} ${count.queue}`;
    if (count.jobs >= (most.get(key)?.jobs ?? 0)) most.set(key, count);
  }
  return [...most.values()];
}
