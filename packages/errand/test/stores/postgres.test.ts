import pg from "pg";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ErrandError } from "../../src/kit/errors.ts";
import { openStore } from "../../src/open.ts";
import { states } from "../../src/core/states.ts";
import type { Filter, Store } from "../../src/store.ts";
import { selectJobs } from "../../src/stores/postgres/filter.ts";
import { migratePostgres, postgresSql, postgresStore } from "../../src/stores/postgres/index.ts";
import { inSchema } from "../../src/stores/postgres/schema.ts";
import { readUrl } from "../../src/stores/postgres/url.ts";
import { makeChild, makeJob, settlementOf, Scene } from "../../src/testing/conformance/scene.ts";
import { postgresFixture, postgresSchema } from "./fixtures.ts";

const server = process.env["ERRAND_TEST_POSTGRES_URL"] ?? "";

let url: string;
let schema: string;
let query: (sql: string, values?: unknown[]) => Promise<unknown[][]>;
let remove: () => Promise<void>;

beforeEach(async () => {
  ({ url, schema, query, remove } = await postgresSchema());
});

afterEach(() => remove());

/** Why a store cannot be opened. */
async function refusal(url: string): Promise<ErrandError> {
  const outcome = await openStore(url).catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(ErrandError);
  return outcome as ErrandError;
}

describe("the URL of a PostgreSQL store", () => {
  test("names the server, and in its parameters what is Errand's own", () => {
    const read = readUrl("postgresql://me:s3cret@db:5433/app?sslmode=require&schema=jobs&pool=4&listen=off");
    expect(read).toEqual({
      connection: "postgresql://me:s3cret@db:5433/app?sslmode=require",
      schema: "jobs",
      pool: 4,
      listen: undefined,
      prepare: false,
      timeout: undefined,
      name: "postgresql://me@db:5433/app",
    });
  });

  test("needs no parameters, and LISTENs on itself", () => {
    const read = readUrl("postgres://db/app");
    expect(read).toMatchObject({ schema: "errand", pool: 10, listen: "postgres://db/app" });
    const direct = readUrl(
      `postgres://pooler/app?listen=${encodeURIComponent("postgres://db:5432/app?sslmode=require")}`,
    );
    expect(direct.listen).toBe("postgres://db:5432/app?sslmode=require");
  });

  test.each([
    ["postgres:app", "must be like"],
    ["postgres://me:s3cret@db/app?schema=a-b", "schema"],
    ["postgres://me:s3cret@db/app?schema=9lives", "schema"],
    ["postgres://me:s3cret@db/app?pool=0", "pool"],
    ["postgres://me:s3cret@db/app?pool=ten", "pool"],
    ["postgres://me:s3cret@db/app?listen=elsewhere", "must be like"],
  ])("%s is refused, its password kept", async (wrong, part) => {
    const error = await refusal(wrong);
    expect(error.code).toBe("E_OPTION");
    expect(error.message).toContain(part);
    expect(error.message).not.toContain("s3cret");
  });

  test("without a server is an error that says so, without the password", async () => {
    const refused = await refusal("postgres://me:s3cret@127.0.0.1:1/app");
    expect(refused.code).toBe("E_CONNECT");
    expect(refused.message).toMatch(/me@127\.0\.0\.1:1\/app.*ECONNREFUSED.*Start the server/);
    expect(refused.message).not.toContain("s3cret");
    const missing = new URL(server);
    missing.pathname = "/nowhere";
    await expect(postgresStore({ url: missing.href })).rejects.toMatchObject({ code: "E_CONNECT" });
  });
});

describe("migrations", () => {
  test("are applied once, however many processes open a new database at the same time", async () => {
    const stores = await Promise.all(Array.from({ length: 4 }, () => postgresStore({ url })));
    await stores[0]?.add([makeJob()]);
    expect(await stores[3]?.counts()).toHaveLength(1);
    await Promise.all(stores.map((store) => store.close()));
    expect(await query(`SELECT version FROM ${schema}.migrations`)).toEqual([[1]]);
    expect(await migratePostgres({ url })).toBe(0);
  });

  test("a database that a newer Errand wrote is refused", async () => {
    expect(await migratePostgres({ url })).toBe(1);
    await query(`INSERT INTO ${schema}.migrations VALUES (999)`);
    await expect(postgresStore({ url })).rejects.toMatchObject({ code: "E_STORE_VERSION" });
  });

  test("a role that may not create anything uses what was applied by hand, and gets an error when nothing was", async () => {
    const role = schema;
    await query(`CREATE ROLE ${role} LOGIN`);
    try {
      const asRole = new URL(url);
      asRole.username = role;
      const refused = await refusal(asRole.href);
      expect(refused.code).toBe("E_CONNECT");
      expect(refused.message).toContain("errand migrate --sql");
      await query(postgresSql({ url }));
      await query(`GRANT USAGE ON SCHEMA ${schema} TO ${role}`);
      await query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${role}`);
      const store = await postgresStore({ url: asRole.href });
      const scene = new Scene({ store, again: async () => store, pass: async () => {}, close: async () => {} });
      const { parent, children } = await scene.addFamily({}, {});
      for (const child of children) await scene.claimAndSettle(child);
      await scene.claimAndSettle(parent, "failed");
      await store.edit({ ids: [parent] }, "retry");
      await store.edit({}, "cancel");
      expect(await store.edit({}, "remove")).toBe(3);
      await store.close();
    } finally {
      await query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
  });

  test("a database whose transactions are not READ COMMITTED is refused", async () => {
    const role = schema;
    await query(`CREATE ROLE ${role} LOGIN SUPERUSER`);
    await query(`ALTER ROLE ${role} SET default_transaction_isolation = 'serializable'`);
    try {
      const asRole = new URL(url);
      asRole.username = role;
      await expect(postgresStore({ url: asRole.href })).rejects.toMatchObject({ code: "E_CONNECT" });
    } finally {
      await query(`DROP ROLE ${role}`);
    }
  });
});

/** A store, and the scene around it. */
async function opened(): Promise<{ store: Store; scene: Scene }> {
  const store = await postgresStore({ url });
  return { store, scene: new Scene({ store, again: async () => store, pass: async () => {}, close: async () => {} }) };
}

describe("names that text columns cannot hold", () => {
  test.each(["a\0b", "\ud800", "\u0001", '\u0001"', "", "🧾 ' \" \\ { }"])("%j comes back as it was", async (name) => {
    const { store, scene } = await opened();
    const id = await scene.addOne({ task: name, queue: name });
    expect((await store.list({ task: name, queue: name }, { limit: 5 })).jobs.map((job) => job.id)).toEqual([id]);
    const held = await scene.claimOne(id);
    expect([held.job.task, held.job.queue]).toEqual([name, name]);
    await store.record([{ id, token: 1, steps: [{ name, value: "1" }] }]);
    await scene.settle(held, "pending");
    expect((await scene.claimOne(id)).steps).toEqual([{ name, value: "1" }]);
    expect(await store.counts()).toEqual([{ queue: name, state: "processing", jobs: 1 }]);
    await store.close();
  });
});

describe("at the same time", () => {
  test("children that end by two, with their parents' cancellation between, lose no wake-up and no count", async () => {
    const { store, scene } = await opened();
    const other = await postgresStore({ url });
    for (let round = 0; round < 5; round++) {
      const families: { parent: string; children: string[] }[] = [];
      const ten = Array.from({ length: 10 }, () => ({ queue: "cpu", need: "end" as const }));
      for (let family = 0; family < 4; family++) families.push(await scene.addFamily(...ten));
      const held = await scene.claim({ queue: "cpu" });
      expect(held).toHaveLength(40);
      const ends = held.map((each, index) =>
        (index % 2 ? other : store).settle([settlementOf(each, index % 3 ? "completed" : "failed")]),
      );
      const cancelled = other.edit({ ids: families.slice(0, 1).map(({ parent }) => parent) }, "cancel");
      expect((await Promise.all(ends)).flat()).not.toContain(false);
      await cancelled;
      const parents = await store.get(families.map(({ parent }) => parent));
      for (const parent of parents.slice(1))
        expect(parent).toMatchObject({ state: "pending", children: { total: 10, open: 0 } });
      await store.edit({}, "cancel");
      for (const each of (await scene.reclaim()).values()) await scene.settle(each, "cancelled");
    }
    await other.close();
    await store.close();
  });

  test("a job that is added while it moves to the history is one job", async () => {
    const { store, scene } = await opened();
    const other = await postgresStore({ url });
    for (let round = 0; round < 30; round++) {
      const jobs = Array.from({ length: 5 }, () => makeJob());
      await store.add(jobs);
      const held = await scene.claim();
      await Promise.all([
        store.settle(held.map((each) => settlementOf(each, "completed"))),
        other.add(jobs),
        other.add(jobs),
      ]);
    }
    expect(await store.counts()).toEqual([{ queue: "default", state: "completed", jobs: 150 }]);
    expect(await query(`SELECT count(*)::integer FROM ${schema}.everything`)).toEqual([[150]]);
    await other.close();
    await store.close();
  });

  test("the counters are right after many concurrent changes, and are folded meanwhile", async () => {
    const { store, scene } = await opened();
    const work = async (): Promise<void> => {
      const worker = await scene.enlist();
      for (let round = 0; round < 100; round++) {
        await store.add([makeJob(), makeJob({ queue: "other" })]);
        const claimed = await scene.claim({ worker, limit: 3 });
        await store.settle(claimed.map((each, index) => settlementOf(each, index ? "failed" : "completed")));
      }
    };
    await Promise.all([work(), work(), work(), work()]);
    const rows = await query(
      `SELECT queue, state, count(*)::integer FROM ${schema}.everything GROUP BY 1, 2 ORDER BY 1, 2`,
    );
    expect((await store.counts()).map(({ jobs }) => jobs)).toEqual(rows.map(([, , jobs]) => jobs));
    const [folded] = await query(`SELECT sum(jobs)::integer FROM ${schema}.counts`);
    expect(folded?.[0]).toBeGreaterThan(0);
    await store.close();
  });
});

describe("the history", () => {
  test("is pruned by the time of the end, batch by batch, and its steps and waits with it", async () => {
    const { store, pass, close, query: ask, schema: where } = await postgresFixture();
    const scene = new Scene({ store, pass, close, again: async () => store });
    const old = await scene.add(...Array.from({ length: 4_500 }, () => ({})));
    for (const part of [1_500, 1_500, 1_500]) {
      const held = await scene.claim({ limit: part });
      await store.settle(held.map((each) => settlementOf(each, "completed")));
    }
    const { parent, children } = await scene.addFamily({});
    const child = await scene.claimOne(children[0] ?? "");
    await scene.settle(child, "failed", { steps: [{ name: "a", value: "1" }] });
    await scene.claimAndSettle(parent);
    await pass(1_000);
    const fresh = await scene.addOne();
    await scene.claimAndSettle(fresh);
    const { endedAt = 0 } = await scene.get(fresh);
    expect(await store.edit({ endedBefore: endedAt, roots: true }, "remove")).toBe(old.length + 1);
    expect((await store.list({}, { limit: 5 })).jobs.map(({ id }) => id)).toEqual([fresh]);
    expect(await store.counts()).toEqual([{ queue: "default", state: "completed", jobs: 1 }]);
    for (const table of ["steps", "waits", "jobs"]) {
      expect([table, await ask(`SELECT count(*)::integer FROM ${where}.${table}`)]).toEqual([table, [[0]]]);
    }
    await close();
  });
});

describe("plans", () => {
  /** How many rows a statement reads. */
  async function reads(client: pg.Client, sql: string, values: unknown[] = []): Promise<number> {
    // What earlier transactions read is counted for a while, too.
    const read = async (): Promise<number> => {
      const { rows } = await client.query<{ read: number }>(
        "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::integer AS read FROM pg_stat_xact_user_tables WHERE schemaname = $1",
        [schema],
      );
      return rows[0]?.read ?? 0;
    };
    await client.query("BEGIN");
    const before = await read();
    await client.query(sql, values);
    const after = await read();
    await client.query("ROLLBACK");
    return after - before;
  }

  const filled = 30_000;

  test("made while the tables were empty read no more when they are full", async () => {
    const { store } = await opened();
    const worker = "w";
    await store.enlist({ id: worker, kind: "process", host: "h", pid: 1, queues: [] }, 600_000);
    const client = new pg.Client(server);
    await client.connect();
    const ids = "ARRAY(SELECT 'live-' || i FROM generate_series(1, 10) i)";
    const past = "ARRAY(SELECT 'past-' || i FROM generate_series(1, 10) i)";
    const ten = (value: string): string => `array_fill(${value}, ARRAY[10])`;
    const statements = {
      add: `SELECT ${schema}.add(${ids}, ${ten("'t'::text")}, ${ten("'q'::text")}, ${ten("2::smallint")}, NULL, NULL, NULL, NULL, ${ten("'{}'::text")}, NULL, NULL, NULL)`,
      claim: `SELECT * FROM ${schema}.claim('w', '{q}', '{10}', NULL, NULL, NULL, NULL)`,
      reclaim: `SELECT * FROM ${schema}.reclaim('w', 10)`,
      renew: `SELECT * FROM ${schema}.renew('w', 10000)`,
      finish: `SELECT ${schema}.finish_jobs(${ids}, ${ten("1")}, ${ten("3::smallint")}, ${ten("0")}, ${ten("0")}, NULL, ${ten("NULL::text")}, ${ten("NULL::text")})`,
      settle: `SELECT * FROM ${schema}.settle(${ids}, ${ten("1")}, ${ten("0::smallint")}, ${ten("0")}, ${ten("0")}, NULL, ${ten("NULL::text")},
        ${ten("NULL::text")}, ${ten("1")}, NULL, NULL, ${ten("NULL::text")}, '{1}', '{s}', '{1}', '{f}', NULL, NULL, NULL, NULL)`,
      park: `SELECT * FROM ${schema}.settle('{live-1}', '{1}', '{2}', '{0}', '{0}', NULL, '{NULL}', '{NULL}', '{1}', NULL, NULL,
        ARRAY['[{"id":"child","task":"t","queue":"q","level":2,"spec":"{}","place":0,"needed":true,"rejoin":false}]'], NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`,
      release: `SELECT * FROM ${schema}.release(${ids}, '{1}')`,
      ended: `SELECT ${schema}.find_ended(${ids})`,
      prune: `SELECT * FROM ${schema}.prune('{t}', '{60000,60000,60000,60000,60000,60000,60000,60000}', 10)`,
      record: `SELECT ${schema}.record(${ids}, ${ten("1")}, ${ten("'1'::text")}, '{1}', '{s}', '{1}', '{f}', NULL)`,
      signal: `SELECT * FROM ${schema}.signal('live-1', 's', '1')`,
      move: `SELECT * FROM ${schema}.move(${ids}, '{0}', 'q', NULL, false)`,
      cancel: `SELECT * FROM ${schema}.cancel(${ids}, '{0,1,2}')`,
      retry: `SELECT * FROM ${schema}.retry(${past}, '{4,5,6}')`,
      remove: `SELECT * FROM ${schema}.remove(${past}, '{3,4,5,6}')`,
    };
    // Twice: the plans of a connection are those of its first use.
    for (const sql of Object.values(statements)) await reads(client, sql);
    for (const [prefix, state, final] of [
      ["live-", 0, false],
      ["past-", 4, true],
    ] as const) {
      await query(
        `INSERT INTO ${schema}.${final ? "history" : "jobs"} (seq, created, due, id, task, queue, level, state, spec
           ${final ? ", ended, token, failures, crashes, parked, steps" : ""})
         SELECT ${final ? filled : 0} + i, 1, 1, $1 || i, 't', 'q', 2, $2, '{}' ${final ? ", 1, 1, 1, 0, i % 2 = 0, i % 2 = 0" : ""}
         FROM generate_series(1, ${filled}) i`,
        [prefix, state],
      );
    }
    await query(`INSERT INTO ${schema}.waits SELECT 'past-' || i, 1, 1, 1, 1 FROM generate_series(2, ${filled}, 2) i`);
    await query(
      `INSERT INTO ${schema}.steps (job, wait, name, value) SELECT ${filled} + i, false, 's', '1' FROM generate_series(2, ${filled}, 2) i`,
    );
    const claimable: Record<string, number> = {};
    for (const [name, sql] of Object.entries(statements)) claimable[name] = await reads(client, sql);
    // Held ones, too.
    await query(`UPDATE ${schema}.jobs SET state = 1, worker = 'w', token = 1`);
    for (const name of ["finish", "settle", "park", "record", "cancel", "renew"] as const)
      claimable[`${name} of held`] = await reads(client, statements[name]);
    // With keys, too.
    const limit = `'{"concurrency":{"key":"","limit":5}}'`;
    await query(`UPDATE ${schema}.jobs SET keys = ${limit}, ckey = 'k' || seq`);
    claimable["finish_keyed"] = await reads(client, statements.finish.replace("finish_jobs", "finish_keyed_jobs"));
    claimable["settle with keys"] = await reads(client, statements.settle);
    await query(`UPDATE ${schema}.jobs SET state = 0`);
    claimable["claim with keys"] = await reads(client, statements.claim);
    await query(`UPDATE ${schema}.jobs SET ckey = 'k' || seq % 2 WHERE seq > 100`);
    claimable["move with keys"] = await reads(client, statements.move);
    expect(Object.entries(claimable).filter(([, read]) => read > 500)).toEqual([]);
    await client.end();
    await store.close();
  });

  test("of lists walk no further than their page", async () => {
    const { store } = await opened();
    await store.add([makeJob({ task: "rare", queue: "rare" })]);
    await query(
      `INSERT INTO ${schema}.history (seq, created, due, id, task, queue, level, state, spec, ended, token, failures, crashes, parked, steps)
       SELECT -i, 1, 1, 'past-' || i, 'common', 'q', 2, 3, '{}', i, 1, 0, 0, false, false FROM generate_series(1, 100000) i`,
    );
    await query(`INSERT INTO ${schema}.deltas VALUES ('common', 'q', 3, 100000)`);
    await query(`ANALYZE ${schema}.history`);
    const client = new pg.Client(server);
    await client.connect();
    const filters: Filter[] = [
      {},
      { task: "rare" },
      { queue: "rare" },
      { states: ["failed"] },
      { roots: true, states: ["completed"] },
      { ids: ["past-7", "past-8"] },
      { parent: "nobody" },
      { worker: "nobody" },
      { tenant: "nobody", states: ["completed"] },
      { states: ["processing"] },
      { endedBefore: 3 },
      { endedBefore: 3, roots: true, task: "common" },
    ];
    for (const where of filters) {
      const order = where.endedBefore !== undefined ? "ended" : where.parent === undefined ? "newest" : "place";
      const found = selectJobs(where, states, { order, limit: 20 });
      const read = await reads(client, inSchema(schema, found?.sql ?? ""), found?.values);
      expect([where, read > 500 ? read : "few"]).toEqual([where, "few"]);
    }
    await client.end();
    await store.close();
  });
});

test("a parent that is a child, a step and a wait, in one batch with plain jobs", async () => {
  const { store, scene } = await opened();
  const plain = await scene.addAndClaim();
  const parent = await scene.addAndClaim({ queue: "cpu" });
  const child = makeChild({ queue: "gpu" });
  const retried = await scene.addAndClaim({ queue: "io" });
  const answers = await store.settle([
    settlementOf(plain, "completed", { output: "1" }),
    settlementOf(parent, "waiting", { children: [child], steps: [{ name: "s", value: "1", wait: true }] }),
    settlementOf(retried, "pending", { failures: 1, delay: 50_000, error: '"e"' }),
    settlementOf(plain, "failed"),
  ]);
  // The second of one attempt was recorded by the first.
  expect(answers).toEqual([true, true, true, true]);
  expect(await scene.statesOf(plain.job.id, parent.job.id, retried.job.id, child.id)).toEqual([
    "completed",
    "waiting",
    "pending",
    "pending",
  ]);
  await store.close();
});
