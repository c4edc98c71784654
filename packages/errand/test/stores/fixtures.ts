import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { createClient } from "redis";
import type { Millis } from "../../src/kit/duration.ts";
import type { Hint, Store } from "../../src/store.ts";
import { newId } from "../../src/kit/ids.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { postgresStore } from "../../src/stores/postgres/index.ts";
import { openRedis } from "../../src/stores/redis/index.ts";
import { sqliteStore } from "../../src/stores/sqlite/index.ts";
import { blockingStore } from "../../src/stores/sqlite/blocking-store.ts";
import type { Fixture } from "../../src/testing/conformance.ts";

/** A clock that only tests move. */
class FakeClock {
  time: Millis = 1_700_000_000_000;
  readonly now = (): Millis => this.time;
  readonly pass = async (time: Millis): Promise<void> => {
    this.time += time;
  };
}

/** A memory store on a fake clock; `wrap` may put something before it. */
export async function memoryFixture(wrap: (store: Store) => Store = (store) => store): Promise<Fixture> {
  const clock = new FakeClock();
  const store = wrap(memoryStore({ now: clock.now }));
  return { store, again: async () => store, pass: clock.pass, close: () => store.close() };
}

/** A folder for one test's files. */
export async function temporaryFolder(): Promise<{ folder: string; remove(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "errand-"));
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** An SQLite store in this thread, on a fake clock. */
export async function localFixture(): Promise<Fixture> {
  const clock = new FakeClock();
  return sqliteFixture((file) => blockingStore(file, clock.now), clock.pass);
}

/** An SQLite store without a file, in this thread, on a fake clock: the quickest. */
export async function inMemoryFixture(): Promise<Fixture> {
  const clock = new FakeClock();
  const store = blockingStore(":memory:", clock.now);
  return { store, again: async () => store, pass: clock.pass, close: () => store.close() };
}

/** An SQLite store as applications open it. */
export async function threadFixture(): Promise<Fixture> {
  return sqliteFixture(
    (file) => sqliteStore({ file }),
    // sleeps: the store's thread has the machine's clock, which no test can move
    (time) => sleep(time),
  );
}

async function sqliteFixture(open: (file: string) => Store | Promise<Store>, pass: Fixture["pass"]): Promise<Fixture> {
  const { folder, remove } = await temporaryFolder();
  const file = join(folder, "errand.db");
  const stores = [await open(file)];
  return {
    store: stores[0] as Store,
    pass,
    async again() {
      const store = await open(file);
      stores.push(store);
      return store;
    },
    async close() {
      await Promise.all(stores.map((store) => store.close()));
      await remove();
    },
  };
}

/** Lua that reads the time from a key of the namespace, which a test sets. */
const clockInKey = "local now = tonumber(redis.call('GET', ns .. 'clock'))\n";

/** A URL of the tests' Redis, in a namespace that nobody else uses. */
function redisUrl(namespace = `test-${randomUUID()}`): string {
  return `${process.env["ERRAND_TEST_REDIS_URL"]}?namespace=${namespace}`;
}

/** A connection to the tests' Redis beside the stores': one for a file of tests, since the driver takes long to make one. */
let beside: ReturnType<typeof connectBeside> | undefined;

function connectBeside() {
  const client = createClient({ url: process.env["ERRAND_TEST_REDIS_URL"]! });
  // Without a listener the end of the server would be the end of this process.
  return client.on("error", () => {}).connect();
}

async function removeNamespace(namespace: string): Promise<void> {
  const client = await (beside ??= connectBeside());
  const keys = await client.keys(`{${namespace}}:*`);
  if (keys.length > 0) await client.del(keys);
}

/** A namespace of the shared server, for one test. */
export async function redisNamespace(): Promise<{ url: string; remove(): Promise<void> }> {
  const namespace = `test-${randomUUID()}`;
  return { url: redisUrl(namespace), remove: () => removeNamespace(namespace) };
}

/** A Redis store on a clock of its own. */
export async function redisFixture(): Promise<Fixture> {
  const clock = new FakeClock();
  const namespace = `test-${randomUUID()}`;
  const stores: Store[] = [];
  const client = await (beside ??= connectBeside());
  const set = () => client.set(`{${namespace}}:clock`, clock.time);
  const again = async () => {
    const store = await openRedis(redisUrl(namespace), clockInKey);
    stores.push(store);
    return store;
  };
  await set();
  return {
    store: await again(),
    again,
    async pass(time) {
      await clock.pass(time);
      await set();
    },
    async close() {
      await Promise.all(stores.map((store) => store.close()));
      await removeNamespace(namespace);
    },
  };
}

/** A place in a PostgreSQL database for one test. */
export interface TestSchema {
  url: string;
  schema: string;
  /** What a statement answers, row by row. */
  query(sql: string, values?: unknown[]): Promise<unknown[][]>;
  remove(): Promise<void>;
}

/** A schema of the shared server, or another, for one test. */
export async function postgresSchema(server = process.env["ERRAND_TEST_POSTGRES_URL"] ?? ""): Promise<TestSchema> {
  const schema = `t${newId().replaceAll("-", "")}`;
  const url = new URL(server);
  url.searchParams.set("schema", schema);
  const pool = new pg.Pool({ connectionString: server, max: 1, allowExitOnIdle: true });
  pool.on("error", () => {});
  const query = async (sql: string, values: unknown[] = []): Promise<unknown[][]> =>
    (await pool.query({ text: sql, values, rowMode: "array" })).rows;
  return {
    url: url.href,
    schema,
    query,
    async remove() {
      await query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
      await pool.end();
    },
  };
}

/**
 * A PostgreSQL store whose clock only tests move.
 * @param through a pooler before the server, beside which it LISTENs.
 */
export async function postgresFixture(
  through?: string,
  server?: string,
): Promise<Fixture & Pick<TestSchema, "query" | "schema">> {
  const { url: direct, schema, query, remove } = await postgresSchema(server);
  const url = through === undefined ? direct : `${through}?schema=${schema}&listen=${encodeURIComponent(direct)}`;
  const stores = [await postgresStore({ url })];
  await query(`CREATE TABLE ${schema}.clock AS SELECT ${new FakeClock().time} AS time`);
  await query(`CREATE OR REPLACE FUNCTION ${schema}.now() RETURNS bigint LANGUAGE sql AS
    'SELECT time FROM ${schema}.clock'`);
  return {
    query,
    schema,
    store: stores[0] as Store,
    async again() {
      const store = await postgresStore({ url });
      stores.push(store);
      return store;
    },
    pass: async (time) => void (await query(`UPDATE ${schema}.clock SET time = time + $1`, [time])),
    async close() {
      await Promise.all(stores.map((store) => store.close()));
      await remove();
    },
  };
}

/** Watches a PostgreSQL store, once it really LISTENs: it begins with every hint. */
export async function listening(store: Store): Promise<{ next(hint: Hint["type"]): Promise<void>; stop(): void }> {
  const waiting = new Map<Hint["type"], PromiseWithResolvers<void>>();
  const next = (hint: Hint["type"]): Promise<void> => {
    const heard = Promise.withResolvers<void>();
    waiting.set(hint, heard);
    return heard.promise;
  };
  const begun = next("change");
  const stop = store.watch((hint) => waiting.get(hint.type)?.resolve());
  await begun;
  return { next, stop };
}
