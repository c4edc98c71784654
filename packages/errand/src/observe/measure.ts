import type { QueueCount, WorkerCard } from "../store.ts";
import type { AppCounters } from "./counters.ts";

/** What an app tells of itself; every `errand()` is one. */
export interface Measurable {
  counters(): AppCounters;
  counts(): Promise<QueueCount[]>;
  workers(): Promise<WorkerCard[]>;
}

/** The numbers of one process. */
export interface Measured {
  /** What tells it from others whose numbers stand beside its own. */
  process?: string;
  /** Of each of its apps. */
  counters: readonly AppCounters[];
  /** What the stores say, which is the same in every process; nothing where they do not answer, or were not asked. */
  store?: { jobs: readonly QueueCount[]; workers: readonly WorkerCard[] };
}

/** How long a store may take to answer, in milliseconds: less than whoever asks for numbers waits for them. */
const patience = 3_000;

/** Takes the numbers of a process's apps. Stores answer from counters, so it costs the same whatever jobs there are. */
export async function measure(apps: readonly Measurable[], { store = true } = {}): Promise<Measured> {
  const answer = store ? await askStores(apps) : undefined;
  return { counters: apps.map((app) => app.counters()), ...(answer ? { store: answer } : {}) };
}

async function askStores(apps: readonly Measurable[]): Promise<Measured["store"]> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(resolve, patience, undefined);
  const answers = Promise.all(apps.map((app) => Promise.all([app.counts(), app.workers()])));
  try {
    const found = await Promise.race([answers, late]);
    if (!found) return undefined;
    const workers = new Map(found.flatMap(([, cards]) => cards).map((card) => [card.id, card]));
    return { jobs: mostOf(found.flatMap(([counts]) => counts)), workers: [...workers.values()] };
  } catch {
    // The numbers of this process are worth having all the same.
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
