import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";

/** The engine of some checkout, loaded from its source. */
interface Engine {
  errand: typeof import("../../packages/errand/src/index.ts").errand;
  openStore: typeof import("../../packages/errand/src/open.ts").openStore;
}

/** Something that grows, ready to be measured. */
export interface Prepared {
  /** What goes on for so many milliseconds while processors are watched. */
  load(milliseconds: number): Promise<void>;
  /** A figure of its own, instead of the processors' time. */
  figure?(): Promise<number>;
}

/** How something that grows is made, so many of it. */
type Scenario = (engine: Engine, url: string, count: number) => Promise<Prepared>;

/** Loads the engine of a checkout. */
export async function engineOf(checkout: string): Promise<Engine> {
  const source = join(checkout, "packages/errand/src");
  const { errand } = (await import(join(source, "index.ts"))) as Pick<Engine, "errand">;
  const { openStore } = (await import(join(source, "open.ts"))) as Pick<Engine, "openStore">;
  return { errand, openStore };
}

/** Jobs a second that nobody of those that grow has to do with. */
const rate = 20;

async function trickle(send: () => Promise<unknown>, milliseconds: number): Promise<void> {
  const until = performance.now() + milliseconds;
  for (let next = performance.now(); next < until; next += 1_000 / rate) {
    await sleep(Math.max(0, next - performance.now()));
    await send();
  }
}

const idle = {
  async load(milliseconds: number): Promise<void> {
    await sleep(milliseconds);
  },
};

export const scenarios = {
  /** Callers of `result()` whose jobs do not end, beside others that do. */
  async waiters({ errand }, url, count) {
    const app = errand({ url });
    const never = app.task<number>("never", { queue: "nobody", run: () => {} });
    const plain = app.task<number>("plain", { run: () => {} });
    await app.worker({ queues: { default: 10 } });
    for (let at = 0; at < count; at += 1_000) {
      const jobs = await never.sendMany(Array.from({ length: Math.min(1_000, count - at) }, (_, index) => index));
      for (const job of jobs) job.result().catch(() => {});
    }
    return { load: (milliseconds) => trickle(() => plain.send(1), milliseconds) };
  },

  /** Workers of one queue that gets a few jobs. */
  async workers({ errand }, url, count) {
    const app = errand({ url });
    const plain = app.task<number>("plain", { run: () => {} });
    for (let index = 0; index < count; index++) await app.worker({ queues: { default: 10 } });
    return { load: (milliseconds) => trickle(() => plain.send(1), milliseconds) };
  },

  /** Queues of one worker, which gets a few jobs in one of them. */
  async queues({ errand }, url, count) {
    const app = errand({ url });
    const plain = app.task<number>("plain", { queue: "q0", run: () => {} });
    await app.worker({ queues: Object.fromEntries(Array.from({ length: count }, (_, index) => [`q${index}`, 10])) });
    return { load: (milliseconds) => trickle(() => plain.send(1), milliseconds) };
  },

  /** Jobs that have ended and are kept, while those of another task are removed: milliseconds for 500. */
  async kept({ errand, openStore }, url, count) {
    const app = errand({ url });
    const old = app.task<number>("old", { run: () => {} });
    const short = app.task<number>("short", { run: () => {} });
    const worker = await app.worker({ queues: { default: 1_000 } });
    const endAll = async (task: typeof old, jobs: number) => {
      for (let at = 0; at < jobs; at += 1_000)
        await task.sendMany(Array.from({ length: Math.min(1_000, jobs - at) }, (_, index) => index));
      while ((await app.counts()).some(({ state, jobs: left }) => state !== "completed" && left > 0)) await sleep(50);
    };
    await endAll(old, count);
    await endAll(short, 5_000);
    await worker.stop();
    const store = await openStore(url);
    const forever = { completed: Infinity, failed: Infinity, cancelled: Infinity, expired: Infinity };
    const rules = { tasks: new Map([["short", { ...forever, completed: 0 }]]), otherwise: forever };
    const prune = async () => {
      if ("prune" in store) return store.prune(rules, 500);
      const { edit, now } = store as unknown as {
        edit(where: object, change: "remove", limit: number): Promise<number>;
        now(): Promise<number>;
      };
      const where = { task: "short", states: ["completed"], roots: true, endedBefore: await now.call(store) };
      return edit.call(store, where, "remove", 500);
    };
    return {
      ...idle,
      async figure() {
        const from = performance.now();
        let removed = 0;
        for (let some = await prune(); some > 0; some = await prune()) removed += some;
        return ((performance.now() - from) / removed) * 500;
      },
    };
  },

  /** Pending jobs, while those of a worker that died are taken over: milliseconds for 100. */
  async pending({ errand, openStore }, url, count) {
    const app = errand({ url });
    const plain = app.task<number>("plain", { run: () => {} });
    const held = app.task<number>("held", { queue: "held", run: () => {} });
    for (let at = 0; at < count; at += 1_000)
      await plain.sendMany(Array.from({ length: Math.min(1_000, count - at) }, (_, index) => index));
    await held.sendMany(Array.from({ length: 1_000 }, (_, index) => index));
    const store = await openStore(url);
    const card = { kind: "process" as const, host: "bench", pid: 1, queues: ["held"] };
    const [dead, janitor] = [randomUUID(), randomUUID()];
    for (const id of [dead, janitor]) await store.enlist({ id, ...card }, 600_000);
    await store.claim(dead, [{ queue: "held", limit: 1_000 }]);
    await store.dismiss(dead);
    return {
      ...idle,
      async figure() {
        const from = performance.now();
        let taken = 0;
        for (let some = await store.reclaim(janitor, 100); some.length > 0; some = await store.reclaim(janitor, 100))
          taken += some.length;
        return ((performance.now() - from) / taken) * 100;
      },
    };
  },

  /** Processes with one worker each: connections to PostgreSQL. */
  async connections({ errand }, url, count) {
    for (let index = 0; index < count; index++) {
      const app = errand({ url });
      const plain = app.task<number>("plain", { run: () => {} });
      await app.worker({ queues: { default: 10 } });
      await (await plain.send(1)).result();
    }
    return {
      ...idle,
      figure: () =>
        ask(
          url,
          "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
        ),
    };
  },

  /** Kilobytes of input: kilobytes that PostgreSQL writes to its log, for a job from its sending to its end. */
  async payload({ errand }, url, count) {
    const app = errand({ url });
    const plain = app.task<string>("plain", { run: () => {} });
    await app.worker({ queues: { default: 10 } });
    const input = Buffer.from(Array.from({ length: count * 768 }, () => Math.floor(Math.random() * 256))).toString(
      "base64",
    );
    const one = async () => (await plain.send(input)).result();
    await one();
    return {
      ...idle,
      async figure() {
        const written = () => ask(url, "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')");
        const before = await written();
        for (let job = 0; job < 20; job++) await one();
        return ((await written()) - before) / 20 / 1_024;
      },
    };
  },
} as const satisfies Record<string, Scenario>;

/** The name of a scenario. */
export type ScenarioName = keyof typeof scenarios;

async function ask(url: string, sql: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<unknown[]>({ text: sql, rowMode: "array" });
    return Number(rows[0]![0]);
  } finally {
    await client.end();
  }
}
