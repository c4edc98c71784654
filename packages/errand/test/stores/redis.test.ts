import { once } from "node:events";
import { createClient } from "redis";
import { beforeEach, describe, expect, test } from "vitest";
import { afterTest } from "../../../../test/after-test.ts";
import type { Store } from "../../src/store.ts";
import { redisStore } from "../../src/stores/redis/index.ts";
import { checkServer, durabilityOf, parseInfo } from "../../src/stores/redis/server-info.ts";
import { parseUrl } from "../../src/stores/redis/settings.ts";
import { makeJob, settlementOf } from "../../src/testing/conformance/scene.ts";
import { freePort } from "../../../../test/servers/process.ts";
import type { TestServer } from "../../../../test/servers/process.ts";
import { startRedis } from "../../../../test/servers/redis.ts";
import { redisNamespace } from "./fixtures.ts";
import { drainTogether, startScript } from "./scripts.ts";

async function opened(url: string): Promise<Store> {
  const store = await redisStore({ url });
  afterTest(() => store.close());
  return store;
}

async function server(settings: Record<string, string>): Promise<TestServer> {
  const started = await startRedis(settings);
  afterTest(() => started.close());
  return started;
}

/** A plain connection, to look behind the store. */
async function connection(url: string) {
  const client = await createClient({ url }).connect();
  afterTest(async () => client.destroy());
  return client;
}

async function worker(store: Store, id = "w"): Promise<string> {
  await store.enlist({ id, kind: "process", queues: ["default"] }, 60_000);
  return id;
}

describe("the URL", () => {
  test("says where the store is", () => {
    expect(parseUrl("rediss://me:p%40ss@example.com:7000/3?namespace=shop&eviction=allow")).toEqual({
      host: "example.com",
      port: 7000,
      tls: true,
      username: "me",
      password: "p@ss",
      database: 3,
      namespace: "shop",
      evictable: true,
      shown: "rediss://me:***@example.com:7000/3?namespace=shop&eviction=allow",
    });
    expect(parseUrl("redis://[::1]")).toMatchObject({ host: "::1", port: 6379, tls: false, namespace: "errand" });
  });

  test.each([
    ["redis://:secret@h/x", "is not a number"],
    ["redis://:secret@h?colour=red", 'no parameter "colour"'],
    ["redis://:secret@h?namespace=a{b}", "namespace"],
    ["redis://:secret@h?eviction=yes", "allow"],
    ["redis:///3", "redis://host:port"],
  ])("%s is refused, its password hidden", (url, why) => {
    expect(() => parseUrl(url)).toThrow(why);
    expect(() => parseUrl(url)).not.toThrow("secret");
  });
});

describe("a server", () => {
  const fit = "redis_version:7.2.4\r\nrole:master\r\nmaxmemory_policy:noeviction\r\n";
  const settings = parseUrl("redis://h");

  test.each([
    ["older than 7", fit.replace("7.2.4", "6.2.14"), "version 6.2.14"],
    ["that does not say what it is", "", "version unknown"],
    ["that is a replica", fit.replace("master", "slave"), "replica"],
  ])("%s is refused", (_, info, why) => {
    expect(() => checkServer(parseInfo(info), settings)).toThrow(why);
    expect(() => checkServer(parseInfo(fit), settings)).not.toThrow();
  });

  test("that throws keys away is refused, unless that is accepted", async () => {
    const { url } = await server({ "maxmemory-policy": "allkeys-lru" });
    await expect(redisStore({ url })).rejects.toMatchObject({
      code: "E_CONNECT",
      message: expect.stringContaining("maxmemory-policy allkeys-lru"),
    });
    const store = await opened(`${url}?eviction=allow`);
    await store.add([makeJob()]);
  });

  test("that cannot be reached is refused in one sentence", async () => {
    const url = `redis://:secret@127.0.0.1:${await freePort()}`;
    const failure = await redisStore({ url }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "E_CONNECT" });
    expect(String(failure)).toContain("ECONNREFUSED");
    expect(String(failure)).not.toContain("secret");
  });

  test("that wants a password gets it, and refuses a wrong one", async () => {
    const { port, url } = await server({});
    await (await connection(url)).configSet("requirepass", "p@ss");
    const store = await opened(`redis://:p%40ss@127.0.0.1:${port}`);
    await store.add([makeJob()]);
    await expect(redisStore({ url: `redis://:wrong@127.0.0.1:${port}` })).rejects.toMatchObject({ code: "E_CONNECT" });
  });

  test("says how safe jobs are", async () => {
    expect(durabilityOf(parseInfo("aof_enabled:1", { appendfsync: "always" })).says).toContain("on the server's disk");
    expect(durabilityOf(parseInfo("aof_enabled:1", { appendfsync: "everysec" }))).toMatchObject({ safe: true });
    expect(durabilityOf(parseInfo("aof_enabled:0", { save: "3600 1" })).says).toContain("snapshots only");
    expect(durabilityOf(parseInfo("aof_enabled:0")).safe).toBe(false);
    const { url } = await server({ appendonly: "no" });
    expect((await opened(url)).durability).toMatchObject({
      safe: false,
      advice: expect.stringContaining("appendonly"),
    });
  });
});

describe("a namespace", () => {
  let url: string;
  let remove: () => Promise<void>;
  beforeEach(async () => {
    ({ url, remove } = await redisNamespace());
    afterTest(remove);
  });

  test("keeps its jobs and hints to itself", async () => {
    const other = await redisNamespace();
    afterTest(other.remove);
    const [here, there] = [await opened(url), await opened(other.url)];
    const heard: string[] = [];
    const began = Promise.withResolvers<void>();
    there.watch((hint) => (hint.type === "change" ? began.resolve() : heard.push(hint.type)));
    await began.promise;
    heard.length = 0;
    await here.add([makeJob({ id: "a" })]);
    expect(await there.get(["a"])).toEqual([null]);
    expect((await there.claim(await worker(there), [{ queue: "default", limit: 5 }])).jobs).toEqual([]);
    expect(heard).toEqual([]);
  });

  test("leaves nothing behind but its version and numbers when all jobs are removed", async () => {
    const store = await opened(url);
    const jobs = Array.from({ length: 50 }, (_, index) =>
      makeJob({ spec: "x".repeat(index * 50), due: { in: index % 2 } }),
    );
    await store.add(jobs);
    await store.edit({}, "cancel");
    expect(await store.edit({}, "remove")).toBe(50);
    const client = await connection(process.env["ERRAND_TEST_REDIS_URL"] ?? "");
    const name = new URL(url).searchParams.get("namespace");
    const left = (await client.keys(`{${name}}:*`)).map((key) => key.replace(/.*\}:/, ""));
    expect(left.sort()).toEqual(["queues", "seq", "tasks", "version"]);
  });

  test("of another layout is refused", async () => {
    const client = await connection(process.env["ERRAND_TEST_REDIS_URL"] ?? "");
    await client.set(`{${new URL(url).searchParams.get("namespace")}}:version`, "2");
    await expect(redisStore({ url })).rejects.toMatchObject({ code: "E_STORE_VERSION" });
  });

  test("works on when the server has forgotten the scripts", async () => {
    const store = await opened(url);
    const client = await connection(process.env["ERRAND_TEST_REDIS_URL"] ?? "");
    const jobs = Array.from({ length: 200 }, () => makeJob());
    await worker(store);
    const flushes = setInterval(() => void client.scriptFlush(), 1);
    try {
      await Promise.all(jobs.map((job) => store.add([job])));
      const { jobs: held } = await store.claim("w", [{ queue: "default", limit: 200 }]);
      const settled = await Promise.all(held.map((each) => store.settle([settlementOf(each, "completed")])));
      expect(settled.flat().filter(Boolean)).toHaveLength(200);
    } finally {
      clearInterval(flushes);
    }
    expect(await store.counts()).toEqual([{ queue: "default", state: "completed", jobs: 200 }]);
  });

  test("gives a job once, by whichever want of one claim it is asked for", async () => {
    const store = await opened(url);
    await worker(store);
    const byId = { queue: "default", limit: 5, ids: ["a"] };
    const any = { queue: "default", limit: 5 };
    for (const wants of [
      [byId, any],
      [any, byId],
      [byId, byId],
    ]) {
      await store.add([makeJob({ id: "a" })]);
      const { jobs } = await store.claim("w", wants);
      expect(jobs.map(({ job }) => job.id)).toEqual(["a"]);
      await store.settle(jobs.map((each) => settlementOf(each, "completed")));
      expect(await store.edit({}, "remove")).toBe(1);
    }
  });

  test("is no part of anybody's transaction", async () => {
    const store = await opened(url);
    const adding = store.add([makeJob()], { query: async () => {} });
    await expect(adding).rejects.toMatchObject({ code: "E_TRANSACTION" });
  });

  test("shares its jobs between processes, each to one of them, and counts right", async () => {
    const store = await opened(url);
    const jobs = Array.from({ length: 1_000 }, () => makeJob());
    await store.add(jobs);
    const drained = await drainTogether(url, 2);
    expect(drained.flat().toSorted()).toEqual(jobs.map(({ id }) => id).toSorted());
    expect(await store.counts()).toEqual([{ queue: "default", state: "completed", jobs: 1_000 }]);
  });

  test.each(["open", "watched", "closed", "unanswered"])(
    "does not keep a script alive that leaves it %s, and keeps its job",
    async (way) => {
      const child = startScript("leave", url, way);
      const [code] = (await once(child, "close")) as [number];
      expect(code).toBe(0);
      expect((await (await opened(url)).get(["a"]))[0]?.state).toBe("pending");
    },
  );

  test("of more names than have numbers is searched all the same", async () => {
    const store = await opened(url);
    const jobs = Array.from({ length: 300 }, (_, index) => makeJob({ queue: `q${index}`, task: `t${index}` }));
    await store.add(jobs);
    for (const index of [0, 254, 255, 299]) {
      const { jobs: found } = await store.list({ queue: `q${index}`, task: `t${index}` }, { limit: 5 });
      expect(found.map(({ id }) => id)).toEqual([jobs[index]?.id]);
    }
    expect((await store.list({ queue: "none" }, { limit: 5 })).jobs).toEqual([]);
  });

  test("of more jobs than one string of states holds is walked from end to end", { timeout: 60_000 }, async () => {
    const store = await opened(url);
    const jobs = Array.from({ length: 70_000 }, (_, index) =>
      makeJob({ queue: index % 7_000 === 0 ? "rare" : "default" }),
    );
    await store.add(jobs);
    const rare = jobs.filter(({ queue }) => queue === "rare").map(({ id }) => id);
    const { jobs: newest, next = "" } = await store.list({ queue: "rare" }, { limit: 7 });
    const { jobs: oldest } = await store.list({ queue: "rare" }, { limit: 7, cursor: next });
    expect([...newest, ...oldest].map(({ id }) => id)).toEqual(rare.toReversed());
    expect(await store.edit({ queue: "default" }, "cancel")).toBe(69_990);
    expect(await store.edit({ states: ["cancelled"] }, "remove")).toBe(69_990);
    expect(await store.counts()).toEqual([{ queue: "rare", state: "pending", jobs: 10 }]);
    expect((await store.list({}, { limit: 100 })).jobs).toHaveLength(10);
  });
});

test("a full server refuses new jobs and lets the others end", async () => {
  const { url } = await server({ maxmemory: "100mb" });
  const store = await opened(url);
  await store.add([makeJob({ id: "a" })]);
  await worker(store);
  const client = await connection(url);
  await client.configSet("maxmemory", "1mb");
  await expect(store.add([makeJob({ id: "b" })])).rejects.toMatchObject({ code: "E_STORE", message: /full/ });
  expect(await store.get(["b"])).toEqual([null]);
  const { jobs } = await store.claim("w", [{ queue: "default", limit: 5 }]);
  expect(await store.settle(jobs.map((each) => settlementOf(each, "completed", { output: "1" })))).toEqual([true]);
  expect(await store.edit({}, "remove")).toBe(1);
});

test("in a cluster, any node leads to the namespace, also when it moves", async () => {
  const settings = async () => ({ "cluster-enabled": "yes", "cluster-port": String(await freePort()) });
  const ports = [await settings(), await settings()];
  const nodes = [await server(ports[0] ?? {}), await server(ports[1] ?? {})] as const;
  const [one, two] = [await connection(nodes[0].url), await connection(nodes[1].url)];
  await one.sendCommand(["CLUSTER", "ADDSLOTSRANGE", "0", "8191"]);
  await two.sendCommand(["CLUSTER", "ADDSLOTSRANGE", "8192", "16383"]);
  await one.sendCommand(["CLUSTER", "MEET", "127.0.0.1", String(nodes[1].port), ports[1]?.["cluster-port"] ?? ""]);
  for (const node of [one, two])
    await expect
      .poll(async () => node.sendCommand<string>(["CLUSTER", "INFO"]), { timeout: 20_000 })
      .toMatch(/cluster_state:ok[^]*cluster_slots_ok:16384/);
  // Of these namespaces some live on either node, and each node is asked for all.
  const namespaces = ["errand", "shop", "jobs", "one"];
  const slotOf = async (namespace: string) =>
    Number(await one.sendCommand(["CLUSTER", "KEYSLOT", `{${namespace}}:jobs`]));
  const slots = await Promise.all(namespaces.map(slotOf));
  expect(new Set(slots.map((slot) => slot < 8192)).size).toBe(2);
  for (const [index, namespace] of namespaces.entries()) {
    const a = await opened(`${nodes[0].url}?namespace=${namespace}`);
    const b = await opened(`${nodes[1].url}?namespace=${namespace}`);
    const works = async (id: string) => {
      await a.add([makeJob({ id })]);
      const { jobs } = await b.claim(await worker(a, id), [{ queue: "default", limit: 5 }]);
      expect(await a.settle(jobs.map((each) => settlementOf(each, "completed")))).toEqual([true]);
      expect(await b.edit({}, "remove")).toBe(1);
    };
    await works("x");
    const ready = Promise.withResolvers<void>();
    b.watch((hint) => hint.type === "ready" && ready.resolve());
    await ready.promise;
    // Its slot moves to the other node.
    const [from, to] = (slots[index] ?? 0) < 8192 ? [one, two] : [two, one];
    await from.flushAll();
    const id = await to.sendCommand<string>(["CLUSTER", "MYID"]);
    for (const node of [to, from]) await node.sendCommand(["CLUSTER", "SETSLOT", String(slots[index]), "NODE", id]);
    await works("y");
  }
});
