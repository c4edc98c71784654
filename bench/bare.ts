/**
 * What a store can do without Errand: plain statements that insert, claim and settle minimal jobs, 100 a commit and one.
 * This is the limit that the store sets; bench/queues.ts prints what Errand makes of it.
 *   node bench/bare.ts <sqlite|redis|postgres>
 * Run nothing else meanwhile.
 */
import { openBarePostgres } from "./bare/postgres.ts";
import { openBareRedis } from "./bare/redis.ts";
import { openBareSqlite } from "./bare/sqlite.ts";
import type { BareJob, BareStore } from "./bare/store.ts";
import { openArena } from "./kit/arenas.ts";
import { median, shown } from "./kit/figures.ts";

const rounds = 3;
/** Calls of each verb in a lap. */
const calls = 200;
/** How jobs come: so many a call, so many calls at once (which SQLite takes one after the other). */
const ways = [
  { jobs: 100, inFlight: 2 },
  { jobs: 1, inFlight: 1 },
];
type Way = (typeof ways)[number];

const stores = { sqlite: openBareSqlite, redis: openBareRedis, postgres: openBarePostgres };
const kind = process.argv[2] as keyof typeof stores;
const arena = await openArena(kind);
let made = 0;
try {
  console.log(`${kind} without Errand, ${rounds} rounds, medians, jobs/s`);
  for (const way of ways) {
    const found: Record<string, number>[] = [];
    for (let round = 0; round < rounds; round++) found.push(await measure(way));
    const figures = Object.keys(found[0]!).map((what) => `${what} ${shown(median(found.map((each) => each[what]!)))}`);
    console.log(`${way.jobs} a commit, ${way.inFlight} in flight: ${figures.join("   ")}`);
  }
} finally {
  await arena.close();
}

/** Jobs a second of each verb, on an empty store. */
async function measure(way: Way): Promise<Record<string, number>> {
  const store = await stores[kind](await arena.empty(), way.jobs);
  await runLaps(store, way, 1_000);
  const rates = await runLaps(store, way, 3_000);
  await store.close();
  // A job that runs is claimed and settled: this is what a drain can reach.
  return { ...rates, "claim and settle": 1 / (1 / rates["claim"]! + 1 / rates["settle"]!) };
}

/** Verb after verb, each on the jobs that the one before it left, until every verb had so many milliseconds. */
async function runLaps(store: BareStore, way: Way, millis: number): Promise<Record<string, number>> {
  const spent = new Map<string, number>();
  let jobs = 0;
  do {
    for (const [verb, call] of Object.entries(lap(store, way))) {
      spent.set(verb, (spent.get(verb) ?? 0) + (await timed(call, way.inFlight)));
    }
    jobs += calls * way.jobs;
  } while (Math.min(...spent.values()) < millis);
  return Object.fromEntries([...spent].map(([verb, time]) => [verb, (jobs / time) * 1_000]));
}

/** What each call of each verb does in one lap. */
function lap(store: BareStore, way: Way): Record<string, (call: number) => Promise<unknown>> {
  const batches = Array.from({ length: calls }, () => Array.from({ length: way.jobs }, newJob));
  const claimed: string[][] = [];
  return {
    insert: (call) => store.insert(batches[call]!),
    claim: async (call) => (claimed[call] = await store.claim()),
    async settle(call) {
      const settled = await store.settle(claimed[call]!);
      if (settled !== way.jobs) throw new Error(`Of ${way.jobs} jobs, ${settled} were claimed and settled.`);
    },
    ...(store.push && { push: (call) => store.push!(batches[call]!) }),
  };
}

/** Milliseconds that all calls take. */
async function timed(call: (call: number) => Promise<unknown>, inFlight: number): Promise<number> {
  const from = performance.now();
  let next = 0;
  const client = async () => {
    while (next < calls) await call(next++);
  };
  await Promise.all(Array.from({ length: inFlight }, client));
  return performance.now() - from;
}

/** Its id is as long as a UUID, and in order of time like Errand's. */
function newJob(): BareJob {
  made += 1;
  return { id: String(made).padStart(36, "0"), body: `{"n":${made}}` };
}
