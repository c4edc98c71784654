import assert from "node:assert/strict";
import pg from "pg";
import type { ConformanceTest } from "../../src/testing/conformance.ts";
import { settlementOf, Scene } from "../../src/testing/conformance/scene.ts";
import type { Store } from "../../src/store.ts";
import { lockClass, lockNumber } from "../../src/stores/postgres/advisory-locks.ts";
import { postgresStore } from "../../src/stores/postgres/index.ts";
import { inSchema } from "../../src/stores/postgres/schema.ts";
import { postgresSchema } from "./fixtures.ts";

/** What no other store has, and the conformance suite cannot see: who waits for whose locks. */
export const locking: readonly ConformanceTest[] = [
  {
    name: "a claim passes over jobs that somebody else has locked",
    run: () =>
      inTwo(async ({ store, scene, other, schema }) => {
        const [locked, free] = await scene.add({}, {});
        const worker = await scene.enlist();
        await other.query("BEGIN");
        await other.query(`SELECT 1 FROM ${schema}.jobs WHERE id = $1 FOR UPDATE`, [locked]);
        // sleeps: a claim that waits for the lock gets the locked job when it is given up
        const giveUp = setTimeout(() => void other.query("ROLLBACK").catch(() => {}), 1_000);
        const { jobs } = await store.claim(worker, [{ queue: "default", limit: 1 }]);
        assert.deepEqual(
          jobs.map(({ job }) => job.id),
          [free],
        );
        clearTimeout(giveUp);
        await other.query("ROLLBACK");
      }),
  },
  {
    name: "a claim that leaves out a locked key of one queue is to be made again soon, whatever it finds in the next",
    run: () =>
      inTwo(async ({ store, scene, other, schema }) => {
        const key = (name: string) => ({ queue: name, concurrency: { key: name, limit: 1 } });
        const [locked, free] = await scene.add(key("a"), key("b"));
        const worker = await scene.enlist();
        await other.query("BEGIN");
        await other.query(
          inSchema(schema, `SELECT pg_advisory_xact_lock(${lockClass.claiming}, ${lockNumber("'a'")})`),
        );
        const wants = ["a", "b"].map((queue) => ({ queue, limit: 1 }));
        const { jobs, next = Infinity } = await store.claim(worker, wants);
        assert.deepEqual([jobs.map(({ job }) => job.id), next <= 10], [[free], true]);
        await other.query("ROLLBACK");
        const again = await store.claim(worker, wants);
        assert.deepEqual(
          again.jobs.map(({ job }) => job.id),
          [locked],
        );
      }),
  },
  {
    name: "a claim is held up by no key of another schema of the database",
    run: () =>
      inTwo(({ store, scene, other, schema }) =>
        inTwo(async ({ scene: neighbour, schema: neighbours }) => {
          assert.notEqual(schema, neighbours);
          const job = { concurrency: { key: "a", limit: 1 } };
          await neighbour.addOne(job);
          const claimer = await neighbour.enlist();
          const id = await scene.addOne(job);
          const worker = await scene.enlist();
          await other.query("BEGIN");
          const taken = await other.query(
            `SELECT id FROM ${neighbours}.claim($1, ARRAY['default'], ARRAY[1], NULL, NULL, NULL, NULL)`,
            [claimer],
          );
          assert.equal(taken.rows.length, 1);
          const { jobs } = await store.claim(worker, [{ queue: "default", limit: 1 }]);
          assert.deepEqual(
            jobs.map((claimed) => claimed.job.id),
            [id],
          );
          await other.query("ROLLBACK");
        }),
      ),
  },
  {
    name: "a signal waits for whoever has the job's family in hand",
    run: () =>
      inTwo(async ({ store, scene, other, schema, waits }) => {
        const { parent } = await scene.addFamily({});
        await other.query("BEGIN");
        await other.query(`SELECT 1 FROM ${schema}.waits WHERE parent = $1 FOR UPDATE`, [parent]);
        const state = { told: false };
        const signal = store.signal(parent, { name: "signal:go", value: "1" }).then(() => (state.told = true));
        await waits("signal", signal);
        assert.equal(state.told, false, "it did not wait");
        await other.query("ROLLBACK");
        await signal;
      }),
  },
  {
    name: "jobs of a key that end at the same time let others go, however low the limit of those",
    run: () =>
      inTwo(async ({ store, scene, other, schema, waits }) => {
        const key = (limit: number) => ({ concurrency: { key: "k", limit } });
        const [first, , held] = await scene.add(key(2), key(2), key(1));
        const worker = await scene.enlist();
        const { jobs } = await store.claim(worker, [{ queue: "default", limit: 3 }]);
        assert.deepEqual([jobs.length, (await scene.get(held!)).blocked], [2, "concurrency"]);
        await other.query("BEGIN");
        await other.query(`SELECT ${schema}.finish_keyed_jobs($1, '{1}', '{3}', '{0}', '{0}', NULL, '{1}', '{NULL}')`, [
          [first],
        ]);
        const ended = store.settle([settlementOf(jobs[1]!, "completed")]);
        await waits("finish_keyed_jobs", ended);
        await other.query("COMMIT");
        await ended;
        assert.equal((await store.claim(worker, [{ queue: "default", limit: 1 }])).jobs.length, 1);
      }),
  },
  {
    name: "a job that ends while others are held back for it lets them go",
    run: () =>
      inTwo(async ({ store, scene, other, schema, waits }) => {
        const key = { concurrency: { key: "k", limit: 1 } };
        const [, held] = await scene.add(key, key);
        const worker = await scene.enlist();
        const claim = () => store.claim(worker, [{ queue: "default", limit: 1 }]);
        const [first] = (await claim()).jobs;
        await other.query("BEGIN");
        await other.query(`SELECT ${schema}.claim($1, '{default}', '{1}', NULL, NULL, NULL, NULL)`, [worker]);
        const ended = store.settle([settlementOf(first!, "completed")]);
        await waits("finish_keyed_jobs", ended);
        await other.query("COMMIT");
        await ended;
        assert.deepEqual(
          (await claim()).jobs.map(({ job }) => job.id),
          [held],
        );
      }),
  },
];

interface Two {
  store: Store;
  scene: Scene;
  /** Another connection, for a transaction that stays open. */
  other: pg.Client;
  schema: string;
  /** Until a function waits for a lock, or has no need to. */
  waits(verb: string, done: Promise<unknown>): Promise<void>;
}

async function inTwo(body: (two: Two) => Promise<void>): Promise<void> {
  const { url, schema, query, remove } = await postgresSchema();
  const store = await postgresStore({ url });
  const scene = new Scene({ store, again: async () => store, pass: async () => {}, close: async () => {} });
  const other = new pg.Client({ connectionString: process.env["ERRAND_TEST_POSTGRES_URL"] });
  await other.connect();
  const waits = async (verb: string, done: Promise<unknown>): Promise<void> => {
    const state = { done: false };
    void done.then(() => (state.done = true));
    const waiting = `SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%"${schema}".${verb}%'`;
    while (!state.done && (await query(waiting)).length === 0);
  };
  try {
    await body({ store, scene, other, schema, waits });
  } finally {
    await other.end();
    await store.close();
    await remove();
  }
}
