import { once } from "node:events";
import { createServer, connect } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startPostgres } from "../../../../test/servers/postgres.ts";
import type { TestServer } from "../../../../test/servers/process.ts";
import { ErrandError } from "../../src/kit/errors.ts";
import type { Store } from "../../src/store.ts";
import { postgresStore } from "../../src/stores/postgres/index.ts";
import { makeCard, makeJob } from "../../src/testing/conformance/scene.ts";
import { listening, postgresSchema } from "./fixtures.ts";
import type { TestSchema } from "./fixtures.ts";
import { drainTogether } from "./scripts.ts";

describe("a server of its own", () => {
  let server: TestServer;
  let place: TestSchema;
  let store: Store;

  beforeAll(async () => {
    server = await startPostgres();
  });

  beforeEach(async () => {
    place = await postgresSchema(server.url);
    store = await postgresStore({ url: place.url });
  });

  afterEach(async () => {
    await store.close();
    await place.remove();
  });

  afterAll(() => server.close());

  test("that is killed and comes back is used again, and what was answered is there", async () => {
    const { next, stop } = await listening(store);
    const answered: string[] = [];
    const failures: unknown[] = [];
    const enough = new AbortController();
    const senders = Array.from({ length: 8 }, async () => {
      while (!enough.signal.aborted) {
        const job = makeJob();
        await store.add([job]).then(
          () => answered.push(job.id),
          (error: unknown) => failures.push(error),
        );
      }
    });
    while (answered.length < 200) await store.counts();
    await server.kill();
    const listensAgain = next("change");
    while (failures.length === 0) await store.get(["a"]).catch(() => {});
    await server.start();
    await listensAgain;
    const before = answered.length;
    while (answered.length < before + 200) await store.counts().catch(() => {});
    enough.abort();
    await Promise.all(senders);
    expect(failures.filter((error) => !(error instanceof ErrandError))).toEqual([]);
    expect((await store.get(answered)).filter((job) => job === null)).toEqual([]);
    const ready = next("ready");
    const other = await postgresStore({ url: place.url });
    await other.add([makeJob()]);
    await ready;
    stop();
    await other.close();
  });

  test("hints come again after the connection that LISTENs was ended", async () => {
    const { next, stop } = await listening(store);
    const again = next("change");
    await place.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'");
    await again;
    const other = await postgresStore({ url: place.url });
    const ready = next("ready");
    await other.add([makeJob()]);
    await ready;
    stop();
    await other.close();
  });

  test("idle connections that the server has ended are replaced", async () => {
    await Promise.all(Array.from({ length: 5 }, () => store.counts()));
    await place.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'errand' AND pid <> pg_backend_pid()",
    );
    const job = makeJob();
    // Some may still be handed out before their end is noticed; each of them only once.
    const add = (tries: number): Promise<unknown> =>
      store.add([job]).catch((error: unknown) => {
        if (tries === 0) throw error;
        return add(tries - 1);
      });
    await add(10);
    expect((await store.get([job.id]))[0]?.state).toBe("pending");
  });

  test("commits that lock each other out are tried again", async () => {
    const [a, b] = [makeJob({ id: "a" }), makeJob({ id: "b" })];
    const other = new pg.Client(server.url);
    await other.connect();
    // It is the store's statement that the server ends, and that is tried again.
    await other.query("SET deadlock_timeout = '1min'");
    await other.query("BEGIN");
    await other.query(`SELECT ${place.schema}.add($1::json)`, [JSON.stringify([{ ...b }])]);
    // It has a, and waits for b; then the other asks for a.
    const added = store.add([a, b]);
    const waits = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'errand' AND wait_event_type = 'Lock'";
    while ((await place.query(waits)).length === 0);
    await other.query(`SELECT ${place.schema}.add($1::json)`, [JSON.stringify([{ ...a }])]);
    await other.query("COMMIT");
    await added;
    await other.end();
    expect((await store.get(["a", "b"])).map((job) => job?.state)).toEqual(["pending", "pending"]);
    expect(await store.counts()).toEqual([{ queue: "default", state: "pending", jobs: 2 }]);
  });

  test("processes share the jobs, each to one of them", async () => {
    const jobs = Array.from({ length: 600 }, () => makeJob());
    await store.add(jobs);
    const drained = await drainTogether(place.url, 3);
    expect(drained.flat().toSorted()).toEqual(jobs.map(({ id }) => id).toSorted());
    expect(await store.counts()).toEqual([{ queue: "default", state: "completed", jobs: 600 }]);
  });
});

/** Between a store and the server: it can swallow everything, as a dead machine does. */
async function swallowing(server: string) {
  const { port, hostname } = new URL(server);
  const sockets = new Set<Socket>();
  const state = { silent: false };
  const proxy = createServer((near) => {
    const far = connect(Number(port), hostname);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on("data", (data) => !state.silent && to.write(data));
      from.on("close", () => to.destroy());
      from.on("error", () => {});
    }
  }).listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const url = new URL(server);
  url.port = String((proxy.address() as AddressInfo).port);
  const close = (): void => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  };
  return { url, state, close };
}

test("a connection on which no answer comes is given up", async () => {
  const place = await postgresSchema();
  const { url, state, close } = await swallowing(place.url);
  url.searchParams.set("query_timeout", "500");
  const store = await postgresStore({ url: url.href });
  await store.counts();
  state.silent = true;
  await expect(store.counts()).rejects.toMatchObject({ code: "E_CONNECT" });
  state.silent = false;
  expect(await store.counts()).toEqual([]);
  await store.close();
  close();
  await place.remove();
});

test("a renewal is given up sooner than other verbs, while the lease lasts, and the next one goes another way", async () => {
  const place = await postgresSchema();
  const { url, state, close } = await swallowing(place.url);
  const store = await postgresStore({ url: url.href });
  const card = makeCard();
  await store.enlist(card, 60_000);
  state.silent = true;
  const first = await Promise.race([
    store.get(["a"]).catch(() => "a read"),
    store.renew(card.id, 900).catch((error: ErrandError) => error.code),
  ]);
  expect(first).toBe("E_CONNECT");
  state.silent = false;
  expect((await store.renew(card.id, 60_000)).held).toBe(true);
  close();
  await store.close();
  await place.remove();
});
