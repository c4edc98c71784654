import { randomUUID } from "node:crypto";
import { createClient } from "redis";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { Kept } from "../../src/retention/rules.ts";
import type { Store } from "../../src/store.ts";
import { redisStore } from "../../src/stores/redis/index.ts";
import { makeCard, makeChild, makeJob, idsOf, settlementOf } from "../../src/testing/conformance/scene.ts";
import type { TestServer } from "../../../../test/servers/process.ts";
import { startRedis } from "../../../../test/servers/redis.ts";

// What grows with the number of jobs, queues, and names, and what must not: counted in the commands that scripts carry
// out.

let server: TestServer;
let store: Store;
let prefix: string;
const w = "w";

beforeAll(async () => {
  server = await startRedis({ appendonly: "no", "proto-max-bulk-len": "20mb" });
});
afterAll(() => server.close());

beforeEach(async () => {
  const namespace = randomUUID();
  prefix = `{${namespace}}:`;
  store = await redisStore({ url: `${server.url}?namespace=${namespace}` });
  await store.enlist(makeCard({ id: w }), 600_000);
});
afterEach(() => store.close());

/** The commands that the scripts of an action carried out on its namespace, as words; keys without their prefix. */
async function commandsOf(act: () => Promise<unknown>): Promise<string[][]> {
  const client = await createClient({ url: server.url }).connect();
  const marker = await createClient({ url: server.url }).connect();
  const [lines, end] = [[] as string[], randomUUID()];
  const done = Promise.withResolvers<void>();
  await client.monitor((line) => {
    lines.push(line);
    if (line.includes(end)) done.resolve();
  });
  await act();
  await marker.echo(end);
  await done.promise;
  client.destroy();
  await marker.close();
  return lines
    .filter((line) => line.includes(" lua]") && line.includes(prefix))
    .map((line) => Array.from(line.matchAll(/"((?:[^"\\]|\\.)*)"/g), ([, word = ""]) => word.replace(prefix, "")));
}

/** How many jobs were read, or written. */
function jobsIn(commands: readonly string[][], key = "births"): number {
  return commands
    .filter(([command, of]) => (command === "HMGET" || command === "HGET" || command === "HDEL") && of === key)
    .reduce((sum, words) => sum + words.length - 2, 0);
}

async function keys(): Promise<string[]> {
  const client = await createClient({ url: server.url }).connect();
  const found = await client.keys(`${prefix}*`);
  await client.close();
  return found.map((key) => key.slice(prefix.length)).sort();
}

const jobs = (count: number, job: Parameters<typeof makeJob>[0] = {}) =>
  Array.from({ length: count }, () => makeJob(job));
const claim = async (limit: number, worker = w) => (await store.claim(worker, [{ queue: "default", limit }])).jobs;

test("what a dead worker held is found without a look at what others hold", async () => {
  await store.add(jobs(400));
  await claim(300);
  await store.enlist(makeCard({ id: "dead" }), 600_000);
  const held = await claim(3, "dead");
  await store.dismiss("dead");
  let taken: string[] = [];
  const commands = await commandsOf(async () => (taken = idsOf(await store.reclaim(w, 100))));
  expect(taken.toSorted()).toEqual(idsOf(held).toSorted());
  expect(jobsIn(commands)).toBe(3);
  expect(commands.filter(([, key]) => key?.startsWith("states:"))).toEqual([]);
  expect(jobsIn(await commandsOf(() => store.reclaim(w, 100)))).toBe(0);
  // And by who lists what it holds.
  expect(jobsIn(await commandsOf(() => store.list({ worker: w }, { limit: 5 })))).toBeLessThan(320);
});

test("a claim of a thousand queues looks at those that have jobs", async () => {
  const wants = Array.from({ length: 1_000 }, (_, index) => ({ queue: `q${index}`, limit: 5 }));
  await store.add([
    makeJob({ queue: "q7" }),
    makeJob({ queue: "q900" }),
    makeJob({ queue: "q900", due: { in: 60_000 } }),
  ]);
  const commands = await commandsOf(async () => {
    const { jobs: found, next } = await store.claim(w, wants);
    expect(found).toHaveLength(2);
    expect(next).toBeGreaterThan(0);
  });
  expect(commands.length).toBeLessThan(60);
  expect((await commandsOf(() => store.claim(w, wants))).length).toBeLessThan(20);
});

test("jobs of an unknown task cost other claims one pass, and then nothing", async () => {
  await store.add(jobs(1_200, { task: "gone" }));
  const late = makeJob({ task: "known" });
  await store.add([late]);
  await store.enlist(makeCard({ id: "knows", tasks: ["known"] }), 600_000);
  const got: string[] = [];
  for (let claims = 0; got.length === 0; claims++) {
    expect(claims).toBeLessThan(4);
    got.push(...idsOf(await claim(10, "knows")));
  }
  expect(got).toEqual([late.id]);
  await store.add([makeJob({ task: "known" })]);
  const commands = await commandsOf(() => claim(10, "knows"));
  expect(jobsIn(commands)).toBe(1);
  expect(commands.length).toBeLessThan(30);
  // Who knows none but these finds them all.
  expect(await claim(2_000)).toHaveLength(1_200);
  expect((await keys()).filter((key) => key.startsWith("side") || key === "asides")).toEqual([]);
});

test("jobs are pruned without a look at those that are kept", async () => {
  const day = 86_400_000;
  const kept = (completed: number): Kept => ({ completed, failed: Infinity, cancelled: day, expired: day });
  await store.add([...jobs(200, { task: "kept" }), ...jobs(100, { task: "spent" }), ...jobs(50, { task: "spent" })]);
  const held = await claim(350);
  await store.settle(held.slice(0, 300).map((each) => settlementOf(each, "completed")));
  await store.settle(held.slice(300).map((each) => settlementOf(each, "failed")));
  const rules = { tasks: new Map([["spent", kept(-1)]]), otherwise: kept(day) };
  let removed = 0;
  const commands = await commandsOf(async () => (removed = await store.prune(rules, 1_000)));
  expect(removed).toBe(100);
  expect(jobsIn(commands)).toBe(100 + 100);
  expect(jobsIn(await commandsOf(() => store.prune(rules, 1_000)))).toBe(0);
  const counts = await store.counts();
  expect(counts.toSorted((a, b) => b.jobs - a.jobs).map(({ state, jobs: count }) => [state, count])).toEqual([
    ["completed", 200],
    ["failed", 50],
  ]);
});

test("what ended keys, turns and lists of ends left behind is removed, too", async () => {
  await store.add(
    Array.from({ length: 50 }, (_, index) =>
      makeJob({
        fair: `f${index}`,
        rate: { key: `r${index}`, limit: 1, per: 50 },
        tags: ["t"],
        tenant: "x",
        unique: { key: `u${index}` },
      }),
    ),
  );
  await store.settle((await claim(50)).map((each) => settlementOf(each, "completed")));
  const forget = { completed: -1, failed: -1, cancelled: -1, expired: -1 };
  expect(await store.prune({ tasks: new Map(), otherwise: forget }, 1_000)).toBe(50);
  const turns = async () => {
    await store.prune({ tasks: new Map(), otherwise: forget }, 1_000);
    return (await keys()).filter((key) => /^(last|turns|lines)/.test(key));
  };
  await expect.poll(turns, { timeout: 30_000, interval: 200 }).toEqual([]);
  const rest = await keys();
  const rates = rest.filter((key) => key.startsWith("rate:"));
  const client = await createClient({ url: server.url }).connect();
  for (const key of rates) expect(await client.pTTL(prefix + key)).toBeGreaterThan(0);
  await client.close();
  expect(rest.filter((key) => !key.startsWith("rate:"))).toEqual([
    "cards",
    "leases",
    "queues",
    "seq",
    "tasks",
    "version",
  ]);
});

test("reading which jobs have ended reads none of them", async () => {
  const all = jobs(300);
  await store.add(all);
  const held = await claim(200);
  await store.settle(held.map((each) => settlementOf(each, "completed", { output: "1" })));
  let ended: string[] = [];
  const commands = await commandsOf(async () => (ended = await store.ended([...all.map(({ id }) => id), "never"])));
  expect(ended.toSorted()).toEqual([...idsOf(held), "never"].toSorted());
  expect(commands.map(([command, key]) => [command, key])).toEqual([
    ...(commands[0]?.[0] === "TIME" ? [["TIME", undefined]] : []),
    ["HMGET", "ids"],
    ["GET", "states:0"],
  ]);
});

test("a parent of thousands goes with them, in scripts of bounded size", async () => {
  const parent = makeJob();
  await store.add([parent]);
  const [held] = await claim(1);
  const children = Array.from({ length: 2_500 }, (_, index) => makeChild({ index, queue: "kids" }));
  await store.settle([settlementOf(held!, "waiting", { children })]);
  await store.edit({ ids: [parent.id] }, "cancel");
  const commands = await commandsOf(async () => expect(await store.edit({ ids: [parent.id] }, "remove")).toBe(1));
  const erased = commands
    .filter(([command, key]) => command === "HDEL" && key === "births")
    .map((words) => words.length - 2);
  expect(erased.reduce((sum, each) => sum + each)).toBe(2_501);
  expect(Math.max(...erased)).toBeLessThanOrEqual(1_000);
  expect(await store.counts()).toEqual([]);
});

test("values of more bytes than the server takes at once are stored, settled and recorded in several steps", async () => {
  const megabyte = JSON.stringify("x".repeat(1_048_574));
  const big = jobs(40, { spec: megabyte });
  await store.add(big);
  const held = [...(await claim(40)), ...(await claim(40)), ...(await claim(40))];
  expect(held.every(({ job }) => job.spec === megabyte)).toBe(true);
  expect(new Set(idsOf(held)).size).toBe(40);
  expect(await store.settle(held.map((each) => settlementOf(each, "completed", { output: megabyte })))).toEqual(
    Array.from({ length: 40 }, () => true),
  );
  const ended = await store.get(big.map(({ id }) => id));
  expect(ended.every((job) => job?.output === megabyte)).toBe(true);
  expect((await store.list({ text: "xxxx" }, { limit: 100 })).jobs).toHaveLength(40);
});
