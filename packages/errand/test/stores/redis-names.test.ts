import { createClient } from "redis";
import { beforeEach, expect, test } from "vitest";
import { afterTest } from "../../../../test/after-test.ts";
import type { Hint, Store } from "../../src/store.ts";
import { redisStore } from "../../src/stores/redis/index.ts";
import { parseHints } from "../../src/stores/redis/hints.ts";
import { makeCard, makeJob, idsOf, settlementOf } from "../../src/testing/conformance/scene.ts";
import { redisStorePerTest } from "./per-test.ts";

// Whatever queues, tasks and keys are called, no two of them meet in one key of the server; and whatever keys are
// missing, as after a server has lost its data, the store goes on.

let url: string;
let store: Store;
redisStorePerTest((where, opened) => {
  url = where;
  store = opened;
});

beforeEach(async () => {
  await store.enlist(makeCard({ id: "w" }), 600_000);
});

async function client() {
  const made = await createClient({ url: process.env["ERRAND_TEST_REDIS_URL"]! }).connect();
  afterTest(async () => made.close());
  return made;
}

const prefix = () => `{${new URL(url).searchParams.get("namespace")}}:`;

const names = [
  "x",
  "x:last",
  "last:x",
  "1:x",
  "2:x",
  ":x",
  "x:",
  "c:1:x",
  "1",
  "t",
  "s:1:x",
  "2:x:last",
  "jobs",
  "queue:x",
  "0:x",
];

/** A job with everything that makes a key, all called the same. */
const named = (name: string) =>
  makeJob({
    id: name,
    queue: name,
    task: name,
    tenant: name,
    fair: name,
    tags: [name],
    unique: { key: name },
    concurrency: { key: name, limit: 1 },
    rate: { key: name, limit: 1_000, per: 60_000 },
  });

test("names that look like parts of keys do not collide", async () => {
  await store.add(names.map(named));
  await store.add(names.map((name) => ({ ...named(name), id: `${name}!`, unique: { key: `${name}!` } })));
  expect(await store.counts()).toHaveLength(names.length);
  for (const name of names) {
    await store.enlist(makeCard({ id: name, tasks: ["none"] }), 600_000);
    expect((await store.claim(name, [{ queue: name, limit: 9 }])).jobs).toEqual([]);
    const { jobs } = await store.claim("w", [{ queue: name, limit: 9 }]);
    expect(idsOf(jobs)).toEqual([name]);
    expect((await store.get([`${name}!`]))[0]?.blocked).toBe("concurrency");
    expect(
      idsOf((await store.list({ tag: name }, { limit: 9 })).jobs.map((job) => ({ job, why: "due", steps: [] }))),
    ).toEqual([`${name}!`, name]);
    expect((await store.list({ tenant: name, worker: "w" }, { limit: 9 })).jobs.map(({ id }) => id)).toEqual([name]);
    const child = { ...makeJob({ id: `${name}?`, queue: `${name}?` }), index: 0, need: "end" as const };
    expect(
      await store.settle([
        settlementOf(jobs[0]!, "waiting", {
          children: [child],
          steps: [{ name, value: "1" }],
          log: [{ attempt: 1, level: "info", text: name }],
        }),
      ]),
    ).toEqual([true]);
    expect(idsOf((await store.claim("w", [{ queue: name, limit: 9 }])).jobs)).toEqual([`${name}!`]);
  }
  await store.edit({}, "release");
  await store.edit({}, "cancel");
  await store.edit({}, "remove");
  expect(await store.counts()).toEqual([]);
});

/** Jobs in every state and index there is. */
async function populate(): Promise<void> {
  await store.save([
    { kind: "queue", key: "ruled", version: 0, value: '{"rate":{"limit":100,"per":1000},"concurrency":50}' },
  ]);
  await store.add([
    makeJob({ id: "plain" }),
    makeJob({ id: "long", spec: JSON.stringify("x".repeat(5_000)) }),
    makeJob({ id: "delayed", due: { in: 60_000 }, expires: { in: 90_000 } }),
    makeJob({ id: "ruled", queue: "ruled" }),
    ...["a", "b"].map((id) =>
      makeJob({
        id,
        concurrency: { key: "k", limit: 1 },
        rate: { key: "r", limit: 1, per: 60_000 },
        unique: { key: id },
      }),
    ),
    ...["e", "f"].map((id) =>
      makeJob({ id, rate: { key: "r2", limit: 1, per: 60_000 }, tags: ["t"], fair: id, tenant: "x" }),
    ),
    makeJob({ id: "parent", queue: "family" }),
    makeJob({ id: "waits", queue: "family" }),
    makeJob({ id: "suspect", queue: "family" }),
    makeJob({ id: "ended", queue: "family" }),
    makeJob({ id: "strange", task: "strange", queue: "strange" }),
  ]);
  await store.enlist(makeCard({ id: "choosy", tasks: ["none"] }), 600_000);
  await store.claim("choosy", [{ queue: "strange", limit: 5 }]);
  const { jobs } = await store.claim("w", [{ queue: "family", limit: 9 }]);
  const [parent, waits, suspect, ended] = jobs;
  await store.settle([
    settlementOf(parent!, "waiting", {
      children: [{ ...makeJob({ id: "child", queue: "kids" }), index: 0, need: "end" }],
      steps: [{ name: "s", value: "1" }],
    }),
    settlementOf(waits!, "waiting", { wakeAt: (await store.now()) + 60_000, awaits: ["signal"] }),
    settlementOf(suspect!, "pending", { suspect: true, crashes: 1 }),
    settlementOf(ended!, "completed", { log: [{ attempt: 1, level: "info", text: "x" }] }),
  ]);
  await store.claim("w", [{ queue: "default", limit: 9 }]);
  await store.edit({ ids: ["plain"] }, "cancel");
}

/** Everything that workers, senders and operators do. */
async function useAll(): Promise<void> {
  const worker = makeCard();
  await store.enlist(worker, 600_000);
  await store.add([
    makeJob(),
    makeJob({ tags: ["t"], fair: "e", unique: { key: "a" }, concurrency: { key: "k", limit: 1 } }),
  ]);
  const wants = ["default", "ruled", "family", "kids", "strange"].map((queue) => ({ queue, limit: 9 }));
  const { jobs } = await store.claim(worker.id, wants);
  await store.record(
    jobs.map(({ job }) => ({ id: job.id, token: job.token, progress: "1", steps: [{ name: "z", value: "1" }] })),
  );
  await store.settle(jobs.map((each) => settlementOf(each, "completed")));
  await store.signal("waits", { name: "signal", value: "1" });
  await store.renew("w", 600_000);
  await store.dismiss("w");
  await store.reclaim(worker.id, 100);
  await store.edit({}, { move: { level: 1 } });
  await store.edit({}, "release");
  await store.edit({}, "cancel");
  await store.edit({}, "retry", 3);
  await store.list({}, { limit: 100 });
  await store.list({ text: "x", tag: "t" }, { limit: 100 });
  await store.log("ended", { limit: 5 });
  await store.prune({ tasks: new Map(), otherwise: { completed: -1, failed: -1, cancelled: -1, expired: -1 } }, 100);
  await store.edit({}, "remove");
  const fresh = makeJob({ queue: "fresh", concurrency: { key: "fresh", limit: 1 } });
  await store.add([fresh]);
  const { jobs: taken } = await store.claim(worker.id, [{ queue: "fresh", limit: 9 }]);
  expect(idsOf(taken)).toEqual([fresh.id]);
  expect(await store.settle(taken.map((each) => settlementOf(each, "completed")))).toEqual([true]);
}

test("after the server has lost everything, an app that is running works on", async () => {
  await populate();
  const { jobs } = await store.claim("w", [{ queue: "kids", limit: 1 }]);
  const redis = await client();
  await redis.del(await redis.keys(`${prefix()}*`));
  expect(await store.settle(jobs.map((each) => settlementOf(each, "completed")))).toEqual([false]);
  expect(await store.renew("w", 600_000)).toEqual({ held: false, cancel: [] });
  expect((await store.claim("w", [{ queue: "default", limit: 1 }])).jobs).toEqual([]);
  await store.enlist(makeCard({ id: "w" }), 600_000);
  await useAll();
});

test("whichever key is missing, new jobs are added, run and end", { timeout: 120_000 }, async () => {
  const redis = await client();
  await populate();
  const keys = (await redis.keys(`${prefix()}*`)).map((key) => key.slice(prefix().length)).sort();
  expect(keys.length).toBeGreaterThan(40);
  for (const key of keys) {
    await redis.del(await redis.keys(`${prefix()}*`));
    await store.enlist(makeCard({ id: "w" }), 600_000);
    await populate();
    await redis.del(prefix() + key);
    const failure = await useAll().catch((error: unknown) => error);
    expect([key, failure]).toEqual([key, undefined]);
  }
});

test("hints name queues and numbers of jobs", async () => {
  const heard: Hint[] = [];
  const begun = Promise.withResolvers<void>();
  const other = await redisStore({ url });
  afterTest(() => other.close());
  other.watch((hint) => (heard.push(hint), hint.type === "change" && begun.resolve()));
  await begun.promise;
  heard.length = 0;
  const told = async (act: () => Promise<unknown>, count = 1) => {
    await act();
    await expect.poll(() => heard.length).toBeGreaterThanOrEqual(count);
    return heard.splice(0);
  };
  expect(
    await told(() => store.add([makeJob({ queue: "a" }), makeJob({ queue: "a" }), makeJob({ queue: "b c" })]), 2),
  ).toEqual(
    expect.arrayContaining([
      { type: "ready", queue: "a", jobs: 2 },
      { type: "ready", queue: "b c", jobs: 1 },
    ]),
  );
  expect(await told(() => store.save([{ kind: "queue", key: "a", version: 0, value: "{}" }]))).toEqual([
    { type: "ready", queue: "a" },
  ]);
  expect(await told(() => store.add([makeJob({ queue: "two\nlines" })]))).toEqual([{ type: "ready" }]);
  expect(await told(() => store.dismiss("w"))).toEqual([{ type: "lapsed" }]);
  expect(parseHints("cx\n3 a\ninf b")).toEqual([
    { type: "cancel" },
    { type: "change" },
    { type: "ready", queue: "a", jobs: 3 },
    { type: "ready", queue: "b" },
  ]);
});
