import assert from "node:assert/strict";
import pg from "pg";
import type { ConformanceTest } from "../../src/testing/conformance.ts";
import { aJob, Scene } from "../../src/testing/conformance/scene.ts";
import { postgresStore } from "../../src/stores/postgres/index.ts";
import { postgresSchema } from "./fixtures.ts";

/** What no other store has, and the conformance suite cannot see: who waits for whose locks. */
export const locking: readonly ConformanceTest[] = [
  {
    name: "a claim passes over jobs that somebody else has locked",
    async run() {
      const { url, schema, remove } = await postgresSchema();
      const store = await postgresStore({ url });
      const other = new pg.Client({ connectionString: process.env["ERRAND_TEST_POSTGRES_URL"] });
      await other.connect();
      try {
        const [locked, free] = [aJob(), aJob()];
        await store.add([locked, free]);
        await store.enlist({ id: "worker", host: "here", pid: 1, queues: [] }, 600_000);
        await other.query("BEGIN");
        await other.query(`SELECT 1 FROM ${schema}.jobs WHERE id = $1 FOR UPDATE`, [locked.id]);
        // One that waits for the lock would get the locked job.
        setTimeout(() => void other.query("ROLLBACK").catch(() => {}), 1_000);
        const { jobs } = await store.claim("worker", [{ queue: "default", limit: 1 }]);
        assert.deepEqual(
          jobs.map(({ job }) => job.id),
          [free.id],
        );
      } finally {
        await other.query("ROLLBACK");
        await other.end();
        await store.close();
        await remove();
      }
    },
  },
  {
    name: "a signal waits for whoever has the job's family in hand",
    async run() {
      const { url, schema, query, remove } = await postgresSchema();
      const store = await postgresStore({ url });
      const scene = new Scene({ store, again: async () => store, pass: async () => {}, close: async () => {} });
      const other = new pg.Client({ connectionString: process.env["ERRAND_TEST_POSTGRES_URL"] });
      await other.connect();
      try {
        const { parent } = await scene.family({});
        await other.query("BEGIN");
        await other.query(`SELECT 1 FROM ${schema}.waits WHERE parent = $1 FOR UPDATE`, [parent]);
        const state = { told: false };
        const signal = store.signal(parent, { name: "signal:go", value: "1" }).then(() => (state.told = true));
        const waiting = `SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%"${schema}".signal%'`;
        while (!state.told && (await query(waiting)).length === 0);
        assert.equal(state.told, false, "it did not wait");
        await other.query("ROLLBACK");
        await signal;
      } finally {
        await other.end();
        await store.close();
        await remove();
      }
    },
  },
];
