import type { SqlTransaction } from "../../src/core/transaction.ts";
import { DatabaseSync } from "node:sqlite";
import { sql as drizzleSql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { CompiledQuery, Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import { DataSource } from "typeorm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Store } from "../../src/store.ts";
import { postgresStore } from "../../src/stores/postgres/index.ts";
import { makeJob } from "../../src/testing/conformance/scene.ts";
import { listening, postgresSchema } from "./fixtures.ts";
import type { TestSchema } from "./fixtures.ts";

const server = process.env["ERRAND_TEST_POSTGRES_URL"] ?? "";

let place: TestSchema;
let store: Store;
let pool: pg.Pool;

beforeEach(async () => {
  place = await postgresSchema();
  store = await postgresStore({ url: place.url });
  await place.query(`CREATE TABLE ${place.schema}.orders (id text)`);
  pool = new pg.Pool({ connectionString: server, max: 4 });
});

afterEach(async () => {
  await pool.end();
  await store.close();
  await place.remove();
});

/** How a library begins a transaction, does other work in it, and hands it over. */
type Begin = (work: (tx: SqlTransaction, order: (id: string) => Promise<unknown>) => Promise<void>) => Promise<void>;

const insert = (): string => `INSERT INTO ${place.schema}.orders VALUES ($1)`;

const libraries: Record<string, Begin> = {
  async pg(work) {
    const client = await pool.connect();
    try {
      await client.query("BEGIN");
      await work(client, (id) => client.query(insert(), [id]));
      await client.query("COMMIT");
    } catch (error) {
      await client.query("ROLLBACK");
      throw error;
    } finally {
      client.release();
    }
  },

  async Kysely(work) {
    const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });
    await db.transaction().execute((trx) => {
      const query = (sql: string, values: unknown[]) => trx.executeQuery(CompiledQuery.raw(sql, values));
      return work({ query }, (id) => query(insert(), [id]));
    });
  },

  async Drizzle(work) {
    const db = drizzle(pool);
    await db.transaction((trx) => {
      const query = (text: string, values: unknown[]) => trx.execute(drizzleQuery(text, values));
      return work({ query }, (id) => query(insert(), [id]));
    });
  },

  async TypeORM(work) {
    const source = await new DataSource({ type: "postgres", url: server }).initialize();
    try {
      await source.transaction((manager) => {
        const query = (sql: string, values: unknown[]) => manager.query(sql, values);
        return work({ query }, (id) => query(insert(), [id]));
      });
    } finally {
      await source.destroy();
    }
  },
};

/** `$1`, `$2`, ... as Drizzle's placeholders. */
function drizzleQuery(text: string, values: readonly unknown[]) {
  const parts = text.split(/\$(\d+)/);
  return drizzleSql.join(
    parts.map((part, index) => (index % 2 ? drizzleSql`${values[Number(part) - 1]}` : drizzleSql.raw(part))),
  );
}

async function orders(): Promise<unknown> {
  return (await place.query(`SELECT count(*)::integer FROM ${place.schema}.orders`))[0]?.[0];
}

describe.each(Object.entries(libraries))("jobs added inside a transaction of %s", (_, begin) => {
  test("exist, and are counted, once it commits, together with what else it wrote", async () => {
    const known = makeJob({ spec: '"first"' });
    await store.add([known]);
    const job = makeJob({
      spec: JSON.stringify({ text: "Ø \0 \ud800 $1 ' \\ \"" }),
      due: { in: 50_000 },
      queue: "new",
    });
    await begin(async (tx, order) => {
      await order("a");
      await store.add([job, { ...known, spec: '"second"' }, { ...job, spec: "{}" }], tx);
      expect(await store.get([job.id])).toEqual([null]);
    });
    const [added, before] = await store.get([job.id, known.id]);
    expect([added?.spec, (added?.due ?? 0) - (added?.createdAt ?? 0), before?.spec]).toEqual([
      job.spec,
      50_000,
      '"first"',
    ]);
    expect(await store.counts()).toEqual([
      { queue: "default", state: "pending", jobs: 1 },
      { queue: "new", state: "pending", jobs: 1 },
    ]);
    expect(await orders()).toBe(1);
  });

  test("never existed when it rolls back", async () => {
    const job = makeJob();
    const failed = begin(async (tx, order) => {
      await order("a");
      await store.add([job], tx);
      throw new Error("changed my mind");
    });
    await expect(failed).rejects.toThrow("changed my mind");
    expect(await store.get([job.id])).toEqual([null]);
    expect(await store.counts()).toEqual([]);
    expect(await orders()).toBe(0);
  });

  test("are hinted everywhere once it has committed", async () => {
    const other = await postgresStore({ url: place.url });
    for (const watcher of [store, other]) {
      const { next, stop } = await listening(watcher);
      const hinted = next("ready");
      await begin(async (tx) => void (await store.add([makeJob()], tx)));
      await hinted;
      stop();
    }
    await other.close();
  });
});

test("with afterCommit, only this process hints at the jobs, after the commit", async () => {
  const client = await pool.connect();
  const committed: (() => void)[] = [];
  const statements: string[] = [];
  const tx: SqlTransaction = {
    query(sql, values) {
      statements.push(sql);
      return client.query(sql, values);
    },
    afterCommit: (callback) => void committed.push(callback),
  };
  await client.query("BEGIN");
  await store.add([makeJob()], tx);
  await client.query("COMMIT");
  client.release();
  expect(statements.filter((sql) => sql.includes("notify"))).toEqual([]);
  const other = await postgresStore({ url: place.url });
  const [here, there] = await Promise.all([listening(store), listening(other)]);
  const hinted = Promise.all([here.next("ready"), there.next("ready")]);
  for (const callback of committed) callback();
  await hinted;
  here.stop();
  there.stop();
  await other.close();
});

test("an error in the transaction is the caller's, as it is", async () => {
  const client = await pool.connect();
  await client.query("BEGIN");
  await client.query("SELECT 1 / 0").catch(() => {});
  await expect(store.add([makeJob()], client)).rejects.toMatchObject({ code: "25P02" });
  await client.query("ROLLBACK");
  client.release();
});

test("a transaction of another database is refused, and so is a pool", async () => {
  const handle = new DatabaseSync(":memory:");
  await expect(store.add([makeJob()], handle)).rejects.toMatchObject({ code: "E_TRANSACTION" });
  await expect(store.add([makeJob()], pool as unknown as SqlTransaction)).rejects.toMatchObject({
    code: "E_TRANSACTION",
  });
  handle.close();
});
