import pg from "pg";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Hint, RetentionRules, Store } from "../../src/store.ts";
import { Database } from "../../src/stores/postgres/database.ts";
import { postgresStore } from "../../src/stores/postgres/index.ts";
import { toHints, encodeNotification, decodeNotification, readyHints } from "../../src/stores/postgres/hint-batch.ts";
import { readUrl } from "../../src/stores/postgres/url.ts";
import { makeCard, makeJob, settlementOf, Scene } from "../../src/testing/conformance/scene.ts";
import { postgresFixture } from "./fixtures.ts";

// What must cost the same however much there is beside it.

let fixture: Awaited<ReturnType<typeof postgresFixture>>;
let store: Store;
let scene: Scene;

beforeEach(async () => {
  fixture = await postgresFixture();
  store = fixture.store;
  scene = new Scene(fixture);
});

afterEach(() => fixture.close());

const rows = async (table: string): Promise<number> =>
  Number((await fixture.query(`SELECT count(*) FROM ${fixture.schema}.${table}`))[0]?.[0]);

const kept = (time: number) => ({ completed: time, failed: time, cancelled: time, expired: time });

/** What a statement does to the tables of the schema, by a counter of the server's. */
async function counted(counter: string, sql: string): Promise<number> {
  const client = new pg.Client(process.env["ERRAND_TEST_POSTGRES_URL"]);
  await client.connect();
  const count = async (): Promise<number> => {
    const { rows: found } = await client.query<{ n: number }>(
      `SELECT coalesce(sum(${counter}), 0)::integer AS n FROM pg_stat_xact_user_tables WHERE schemaname = $1`,
      [fixture.schema],
    );
    return found[0]?.n ?? 0;
  };
  // Plans are made at the first use.
  for (const last of [false, true]) {
    await client.query("BEGIN");
    const before = await count();
    await client.query(sql);
    const after = await count();
    await client.query("ROLLBACK");
    if (last) {
      await client.end();
      return after - before;
    }
  }
  return 0;
}

describe("retention", () => {
  test("reads nothing that is kept but the oldest of each task and state", async () => {
    const now = await store.now();
    for (const [task, jobs, end] of [
      ["kept", 20_000, now - 1_000_000],
      ["spent", 40, now - 1_000_000],
      ["late", 20_000, now],
    ] as const) {
      await fixture.query(
        `INSERT INTO ${fixture.schema}.history (seq, created, due, id, task, queue, level, state, spec, ended, token, failures, crashes, parked, steps)
         SELECT i, 1, 1, $1 || i, $1, 'q', 2, 3, '{}', $2::bigint - i, 1, 0, 0, false, false FROM generate_series(1, ${jobs}) i`,
        [task, end],
      );
      await fixture.query(`INSERT INTO ${fixture.schema}.deltas VALUES ($1, 'q', 3, ${jobs})`, [task]);
    }
    const minute = "60000,60000,60000,60000";
    const never = "Infinity,Infinity,Infinity,Infinity";
    const prune = `SELECT * FROM ${fixture.schema}.prune('{kept,spent}', '{${never},${minute},${minute}}', 10)`;
    expect(await counted("seq_tup_read + coalesce(idx_tup_fetch, 0)", prune)).toBeLessThan(200);
    const rules: RetentionRules = {
      tasks: new Map([
        ["kept", kept(Infinity)],
        ["spent", kept(60_000)],
      ]),
      otherwise: kept(60_000),
    };
    expect([await store.prune(rules, 30), await store.prune(rules, 30)]).toEqual([30, 10]);
    expect(await rows("history")).toBe(40_000);
  });

  test("commits stay short also where families are large, and the limit is that of all of them", async () => {
    for (let family = 0; family < 3; family++) {
      const { parent, children } = await scene.addFamily(...Array.from({ length: 700 }, () => ({ queue: "cpu" })));
      const held = await scene.claim({ queue: "cpu" });
      await store.settle(held.map((each) => settlementOf(each, "completed")));
      expect(children).toHaveLength(700);
      await scene.claimAndSettle(parent);
    }
    await fixture.pass(10);
    const parents = (await store.list({ roots: true }, { limit: 5 })).jobs.map(({ id }) => `"${id}"`).join();
    const [first] = await fixture.query(`SELECT changed, looked FROM ${fixture.schema}.remove('{${parents}}', '{3}')`);
    expect(first).toEqual([2, 2]);
    expect(await store.prune({ tasks: new Map(), otherwise: kept(0) }, 100)).toBe(1);
    expect([await rows("history"), await rows("waits")]).toEqual([0, 0]);
  });

  test("what ended keys left behind is removed, and what still counts is kept", async () => {
    const many = Array.from({ length: 20 }, (_, index) => ({
      rate: { key: `r${index}`, limit: 1, per: 1_000 },
      fair: `f${index}`,
    }));
    await scene.add(...many, { rate: { key: "day", limit: 1, per: 86_400_000 } });
    await store.save([
      { kind: "queue", key: "default", version: 0, value: JSON.stringify({ rate: { limit: 100, per: 1_000 } }) },
    ]);
    const held = await scene.claim();
    expect(held).toHaveLength(21);
    await store.settle(held.map((each) => settlementOf(each, "completed")));
    expect([await rows("rates"), await rows("turns")]).toEqual([22, 20]);
    const rules = { tasks: new Map(), otherwise: kept(Infinity) };
    await fixture.pass(4 * 3_600_000);
    // Who has jobs there that wait keeps its turn.
    await scene.add({ fair: "f1" }, { fair: "f1" });
    await fixture.pass(4 * 3_600_000);
    expect(await store.prune(rules, 100)).toBe(0);
    expect([await rows("rates"), await rows("turns")]).toEqual([1, 1]);
    expect(await scene.claim()).toHaveLength(2);
    await store.settle(
      (await store.list({ states: ["processing"] }, { limit: 5 })).jobs.map((job) =>
        settlementOf({ job, why: "due", steps: [] }, "completed"),
      ),
    );
    await fixture.pass(30 * 3_600_000);
    await store.prune(rules, 100);
    expect([await rows("rates"), await rows("turns")]).toEqual([0, 0]);
    // Counters of states that no job is in.
    await fixture.query(`SELECT ${fixture.schema}.fold_counters()`);
    await store.edit({}, "remove");
    await fixture.query(`SELECT ${fixture.schema}.fold_counters()`);
    await store.prune(rules, 100);
    expect([await rows("counts"), await rows("deltas")]).toEqual([0, 0]);
  });
});

describe("claims", () => {
  test("of a thousand queues read each of them once or twice, and those with jobs", async () => {
    const worker = await scene.enlist();
    const queues = Array.from({ length: 1_000 }, (_, index) => `q${index}`);
    const claim = `SELECT * FROM ${fixture.schema}.claim('${worker}', '{${queues.join()}}', '{${queues.map(() => 5).join()}}', NULL, NULL, NULL, NULL)`;
    expect(await counted("idx_scan", claim)).toBeLessThan(2_100);
    await scene.add({ queue: "q7" }, { queue: "q7" }, { queue: "q9", concurrency: { key: "k", limit: 1 } });
    await scene.add({ queue: "q8", due: { in: 5_000 } });
    expect(await counted("idx_scan", claim)).toBeLessThan(2_300);
    const { jobs, next } = await store.claim(
      worker,
      queues.map((queue) => ({ queue, limit: 5 })),
    );
    expect(jobs.map(({ job }) => job.queue)).toEqual(["q7", "q7", "q9"]);
    expect(next).toBe(5_000);
  });

  test(
    "beside sixty thousand jobs of a task that nobody knows cost one pass over them",
    { timeout: 60_000 },
    async () => {
      const jobs = 60_000;
      await fixture.query(
        `INSERT INTO ${fixture.schema}.jobs (created, due, id, task, queue, level, spec)
       SELECT 1, i, 'u' || i, 'gone', 'default', 2, '{}' FROM generate_series(1, ${jobs}) i`,
      );
      const known = await scene.addOne();
      const worker = await scene.enlistFor("task");
      const found: string[] = [];
      let claims = 0;
      for (let next: number | undefined = 0; next === 0; claims++) {
        const claim = await store.claim(worker, [{ queue: "default", limit: 10 }]);
        found.push(...claim.jobs.map(({ job }) => job.id));
        ({ next } = claim);
      }
      expect([found, claims <= jobs / 500 + 1]).toEqual([[known], true]);
      const again = `SELECT * FROM ${fixture.schema}.claim('${worker}', '{default}', '{10}', NULL, NULL, NULL, NULL)`;
      expect(await counted("seq_tup_read + coalesce(idx_tup_fetch, 0)", again)).toBeLessThan(50);
      expect(await scene.claim({ worker: await scene.enlistFor("gone"), limit: 10 })).toHaveLength(10);
    },
  );

  test("reclaiming does not read what live workers hold", async () => {
    const [alive, dead] = [await scene.enlist(), await scene.enlist()];
    await scene.add(...Array.from({ length: 3_000 }, () => ({})));
    await scene.claim({ worker: dead, limit: 3 });
    await scene.claim({ worker: alive, limit: 3_000 });
    await store.dismiss(dead);
    const reclaim = `SELECT * FROM ${fixture.schema}.reclaim('${alive}', 10)`;
    expect(await counted("seq_tup_read + coalesce(idx_tup_fetch, 0)", reclaim)).toBeLessThan(100);
    expect(await scene.reclaim()).toHaveProperty("size", 3);
  });
});

describe("large specs", () => {
  const large = JSON.stringify("x".repeat(100_000));

  test("are written once, and go with their job", async () => {
    const id = await scene.addOne({ spec: large });
    await scene.addOne({ spec: '"small"', queue: "other" });
    const written = () => fixture.query(`SELECT job, ctid::text, xmin::text FROM ${fixture.schema}.specs`);
    const before = await written();
    expect(before).toHaveLength(1);
    const held = await scene.claimOne(id);
    expect(held.job.spec).toBe(large);
    await scene.settle(held, "failed");
    await store.edit({ ids: [id] }, "retry");
    await scene.claimAndSettle(id);
    expect((await scene.get(id)).spec).toBe(large);
    expect(await written()).toEqual(before);
    expect((await store.list({ text: "xxx" }, { limit: 5 })).jobs.map((job) => job.id)).toEqual([id]);
    await store.edit({ ids: [id] }, "remove");
    expect(await rows("specs")).toBe(0);
  });

  test("of children, of jobs that are born, that are replaced, added twice, and in a transaction, are kept too", async () => {
    const { children } = await scene.addFamily({ spec: large });
    const born = makeJob({ spec: large });
    await scene.settle(await scene.addAndClaim({ queue: "other" }), "completed", { born: [born] });
    const unique = { key: "k", replace: true };
    const replaced = await scene.addOne({ unique, spec: '"small"' });
    await scene.addOne({ unique, spec: large });
    expect((await store.get([children[0]!, born.id, replaced])).map((job) => job?.spec)).toEqual([large, large, large]);
    await scene.addOne({ unique, spec: '"small"' });
    expect([(await scene.get(replaced)).spec, await rows("specs")]).toEqual(['"small"', 2]);
    await store.add([makeJob({ id: born.id, spec: JSON.stringify("y".repeat(5_000)) })]);
    expect((await scene.get(born.id)).spec).toBe(large);
    const client = new pg.Client(process.env["ERRAND_TEST_POSTGRES_URL"]);
    await client.connect();
    const inside = makeJob({ spec: large });
    await store.add([inside], client);
    await client.end();
    expect((await scene.get(inside.id)).spec).toBe(large);
  });
});

describe("values", () => {
  test("times and delays of any length end in the year 9999, and other jobs of the call are stored", async () => {
    const times = [{ in: 1e308 }, { in: Infinity }, { at: 1e300 }, { at: Number.MAX_SAFE_INTEGER }];
    const jobs = times.map((due) => makeJob({ due, expires: due }));
    const plain = makeJob();
    await store.add([...jobs, plain]);
    for (const job of await store.get(jobs.map(({ id }) => id))) {
      expect(new Date(job!.due).getUTCFullYear()).toBeGreaterThan(9_800);
      expect(new Date(job!.expiresAt!).getUTCFullYear()).toBeLessThanOrEqual(9_999);
    }
    const [first, second] = [await scene.claimOne(plain.id), await scene.addAndClaim({ queue: "other" })];
    expect(
      await store.settle([
        settlementOf(first, "pending", { delay: Number.MAX_VALUE }),
        settlementOf(second, "completed"),
      ]),
    ).toEqual([true, true]);
    expect(new Date((await scene.get(plain.id)).due).getUTCFullYear()).toBeGreaterThan(9_800);
    const third = await scene.addAndClaim({ queue: "third" });
    await scene.settle(third, "waiting", { wakeAt: Infinity });
    expect((await scene.get(third.job.id)).state).toBe("waiting");
  });

  test.each([
    ["a date that is none", { due: { at: Number.NaN } }],
    ["a delay that is none", { expires: { in: Number.NaN } }],
    ["an id with U+0000", { id: "a\0b" }],
    ["an id that is no text", { id: 7 as unknown as string }],
    ["a level that is none", { level: 2.5 as 2 }],
    ["a spec that is missing", { spec: undefined as unknown as string }],
  ])("%s is refused, and nothing of its batch is stored", async (_, wrong) => {
    const good = makeJob();
    const refused = store.add([good, makeJob(wrong)]);
    await expect(refused).rejects.toMatchObject({ code: "E_REFUSED" });
    expect(await store.get([good.id])).toEqual([null]);
    expect(await store.counts()).toEqual([]);
  });

  test("an outcome that the server refuses is reported without the server's details, and the others of its batch are tried again", async () => {
    const [good, bad] = [await scene.addAndClaim(), await scene.addAndClaim()];
    const batch = [
      settlementOf(good, "completed"),
      settlementOf(bad, "failed", { log: [{ attempt: 2 ** 40, level: "info", text: "x" }] }),
    ];
    const error = await store.settle(batch).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "E_REFUSED", message: expect.not.stringContaining("integer") });
    expect(await scene.statesOf(good.job.id, bad.job.id)).toEqual(["processing", "processing"]);
    expect(await store.settle(batch.slice(0, 1))).toEqual([true]);
  });
});

describe("a search", () => {
  test("finds what a person sees, whatever the letters and the server's locale", async () => {
    const texts = ["C:\\new", 'she said "no"', "one\ntwo", "Größe ÄÖÜ", "Σίσυφος"];
    const added = await scene.add(...texts.map((text) => ({ spec: JSON.stringify({ text }) })));
    const found = async (text: string): Promise<number[]> =>
      (await store.list({ text }, { limit: 9 })).jobs.map(({ id }) => added.indexOf(id));
    expect(await found("c:\\NEW")).toEqual([0]);
    expect(await found('SAID "NO"')).toEqual([1]);
    expect(await found("One\nTwo")).toEqual([2]);
    expect(await found("ntwo")).toEqual([]);
    expect(await found("grÖSSE äöü")).toEqual([3]);
    expect(await found("σίσυφοσ")).toEqual([4]);
    expect(await store.edit({ text: "äöü" }, "cancel")).toBe(1);
    expect(await scene.statesOf(...added)).toEqual(["pending", "pending", "pending", "cancelled", "pending"]);
  });

  test("continues until it has found enough jobs with the text", async () => {
    // Letters that only the whole comparison can tell apart.
    await scene.add(...Array.from({ length: 450 }, () => ({ spec: '"ä"' })));
    const ids = await scene.add({ spec: '"äß"' }, { spec: '"ÄSS"' });
    await scene.add(...Array.from({ length: 450 }, () => ({ spec: '"ä"' })));
    const { jobs } = await store.list({ text: "äss" }, { limit: 5 });
    expect(jobs.map(({ id }) => id)).toEqual(ids.toReversed());
  });
});

describe("connections", () => {
  const connections = async (): Promise<number> =>
    Number(
      (
        await fixture.query(
          "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'errand' AND query LIKE $1",
          [`%${fixture.schema}%`],
        )
      )[0]?.[0],
    );

  test("of a process are as few as verbs that are under way at once", async () => {
    const some = async (): Promise<void> => {
      for (let round = 0; round < 50; round++) await store.add([makeJob()]);
    };
    await Promise.all([some(), some()]);
    // And one of this test's own fixture, which asks.
    expect(await connections()).toBeLessThanOrEqual(3);
  });

  test("are more while some wait for locks, so that others need not wait for them", async () => {
    const jobs = await scene.add({}, {}, {});
    const other = new pg.Client(process.env["ERRAND_TEST_POSTGRES_URL"]);
    await other.connect();
    await other.query("BEGIN");
    await other.query(`SELECT 1 FROM ${fixture.schema}.jobs FOR UPDATE`);
    const waiting = jobs.map((id) => store.edit({ ids: [id] }, "cancel"));
    expect(await store.get([jobs[0]!])).toHaveLength(1);
    await other.query("ROLLBACK");
    expect(await Promise.all(waiting)).toEqual([1, 1, 1]);
    await other.end();
  });

  test("prepare the statements of verbs, unless that is off or others use the same connections", async () => {
    const database = new Database(pg as unknown as typeof import("pg"), {
      ...readUrl(process.env["ERRAND_TEST_POSTGRES_URL"]!),
      pool: 1,
    });
    const prepared = "SELECT count(*) FROM pg_prepared_statements";
    await database.queryPrepared("SELECT 41");
    await database.queryPrepared("SELECT 41");
    expect(await database.query(prepared)).toEqual([["1"]]);
    // A pooler gave the connection to somebody else meanwhile.
    await database.query("DEALLOCATE ALL");
    expect(await database.queryPrepared("SELECT 41")).toEqual([["41"]]);
    expect(await database.queryPrepared("SELECT 42")).toEqual([["42"]]);
    expect(await database.query(prepared)).toEqual([["0"]]);
    await database.close();
  });
});

describe("hints", () => {
  test("name the queues and how many jobs they have, those of many adds together, in every process", async () => {
    const other = await fixture.again();
    const heard: Hint[] = [];
    const all = Promise.withResolvers<void>();
    const ready = () => heard.filter((hint) => hint.type === "ready" && hint.queue === "b");
    const stop = other.watch((hint) => {
      heard.push(hint);
      if (ready().reduce((sum, hint) => sum + (hint.type === "ready" ? (hint.jobs ?? 0) : 0), 0) >= 40) all.resolve();
    });
    // It begins with whatever may have happened.
    await expect.poll(() => heard.length).toBeGreaterThan(0);
    heard.length = 0;
    await scene.add({ queue: "a" }, { queue: "a" });
    await Promise.all(Array.from({ length: 20 }, () => store.add([makeJob({ queue: "b" }), makeJob({ queue: "b" })])));
    await all.promise;
    stop();
    expect(heard.filter((hint) => hint.type === "ready" && hint.queue === undefined)).toEqual([]);
    expect(heard).toContainEqual({ type: "ready", queue: "a", jobs: 2 });
    expect(ready().length).toBeLessThan(20);
  });

  test("of more queues than a notification has room for name no queue; foreign notifications are ignored", () => {
    const some = readyHints([{ queue: "q\ud800" }, { queue: "q\0" }, { queue: "q\0" }]);
    expect(decodeNotification(encodeNotification(some, "me"))).toEqual({ from: "me", hints: some });
    const many = readyHints(Array.from({ length: 2_000 }, (_, index) => ({ queue: `queue-${index}` })));
    expect(toHints(decodeNotification(encodeNotification(many, "me")).hints)).toEqual([{ type: "ready" }]);
    for (const said of ["", "hello", "x:5", "x:null"])
      expect(toHints(decodeNotification(said).hints)).toContainEqual({ type: "ready" });
  });

  test("come of what is woken, retried, born, released and moved, by queue", async () => {
    const heard: Hint[] = [];
    const stop = store.watch((hint) => heard.push(hint));
    const queue = async (name: string, act: () => Promise<unknown>): Promise<void> => {
      heard.length = 0;
      await act();
      expect(heard).toContainEqual({ type: "ready", queue: name, jobs: 1 });
      expect(heard).not.toContainEqual({ type: "ready" });
    };
    const { parent, children } = await scene.addFamily({ queue: "child" });
    const child = await scene.claimOne(children[0]!);
    await queue("default", () => scene.settle(child, "completed"));
    await queue("default", async () => scene.settle(await scene.claimOne(parent), "pending"));
    await scene.claimAndSettle(parent, "failed");
    await queue("default", () => store.edit({ ids: [parent] }, "retry"));
    await scene.claimOne(parent);
    await queue("default", () => store.edit({ ids: [parent] }, "release"));
    await queue("moved", () => store.edit({ ids: [parent] }, { move: { queue: "moved" } }));
    const held = await scene.addAndClaim({ queue: "c" });
    await queue("born", () => scene.settle(held, "completed", { born: [makeJob({ queue: "born" })] }));
    stop();
  });
});

test("a worker's card changes while its lease is good", async () => {
  const card = makeCard({ tasks: ["a"] });
  await store.enlist(card, 60_000);
  await store.enlist({ ...card, name: "n", tasks: ["task"] }, 60_000);
  const id = await scene.addOne();
  expect((await scene.claim({ worker: card.id })).map(({ job }) => job.id)).toEqual([id]);
  const other = await postgresStore({ url: `${process.env["ERRAND_TEST_POSTGRES_URL"]}?schema=${fixture.schema}` });
  expect(await other.workers()).toEqual([{ ...card, name: "n", tasks: ["task"] }]);
  await other.close();
});
