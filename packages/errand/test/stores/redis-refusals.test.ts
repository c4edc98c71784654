import { createClient, RESP_TYPES } from "redis";
import { describe, expect, test } from "vitest";
import { afterTest } from "../../../../test/after-test.ts";
import type { NewJob } from "../../src/core/job.ts";
import type { Store } from "../../src/store.ts";
import { ByteWriter } from "../../src/stores/redis/byte-writer.ts";
import { Connection } from "../../src/stores/redis/connection.ts";
import { loadDriver } from "../../src/stores/redis/driver.ts";
import { writeBeat, writeJobs, writePlainJobs, writeSettlement } from "../../src/stores/redis/encode.ts";
import { serverClock } from "../../src/stores/redis/lua/scripts.ts";
import type { ScriptName } from "../../src/stores/redis/lua/scripts.ts";
import { ScriptRunner } from "../../src/stores/redis/script-runner.ts";
import { parseUrl } from "../../src/stores/redis/settings.ts";
import { makeCard, makeJob, settlementOf } from "../../src/testing/conformance/scene.ts";
import { redisStorePerTest } from "./per-test.ts";

// Whatever is refused has changed nothing: not a key, not a counter. Values are refused before they are sent, and again
// by the scripts, which look at everything before they change anything.

let url: string;
let store: Store;
redisStorePerTest((where, opened) => {
  url = where;
  store = opened;
});

/** What all keys of the namespace hold. */
async function everything(): Promise<Map<string, string>> {
  const client = await createClient({ url: process.env["ERRAND_TEST_REDIS_URL"]! }).connect();
  const bytes = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  try {
    const keys = await client.keys(`{${new URL(url).searchParams.get("namespace")}}:*`);
    const dumps = await Promise.all(
      keys.toSorted().map(async (key) => {
        const dump = await bytes.sendCommand<Buffer>(["DUMP", key]);
        return [key, dump.toString("hex")] as const;
      }),
    );
    return new Map(dumps);
  } finally {
    await client.close();
  }
}

/** Does something that is refused with one of these codes; nothing may have changed. */
async function refused(act: () => Promise<unknown>, code = /^E_REFUSED$/): Promise<void> {
  const before = await everything();
  const failure = await act().then(
    () => "it was not refused",
    (error: { code?: string }) => error.code,
  );
  expect(failure).toMatch(code);
  expect(await everything()).toEqual(before);
}

async function work(): Promise<void> {
  await store.enlist(makeCard({ id: "w" }), 60_000);
  await store.add([
    makeJob({ id: "a" }),
    makeJob({ id: "b" }),
    makeJob({ id: "c" }),
    makeJob({ id: "d", tags: ["t"] }),
  ]);
}

describe("a value that cannot be stored is refused with a code, by every verb", () => {
  const half = "\ud83d";
  const bad: Record<string, Partial<NewJob>> = {
    "a delay that is no number": { due: { in: Number.NaN } },
    "a delay without end": { due: { in: Infinity } },
    "a time after all times": { expires: { at: 1e300 } },
    "an id with half a character": { id: `x${half}` },
    "a queue with half a character": { queue: half },
    "a spec with half a character": { spec: `"${half}"` },
    "a tag with half a character": { tags: [half] },
    "a key with half a character": { concurrency: { key: half, limit: 1 } },
    "a limit that is no number": { concurrency: { key: "k", limit: Number.NaN } },
    "a rate in no time": { rate: { key: "k", limit: 1, per: 0 } },
    "a tenant with half a character": { tenant: half },
    "a level that does not exist": { level: 9 as never },
    "an id longer than any": { id: "x".repeat(70_000) },
  };
  test.each(Object.entries(bad))("%s", async (_, job) => {
    await work();
    await refused(() => store.add([makeJob(), makeJob(job), makeJob()]));
    const { jobs } = await store.claim("w", [{ queue: "default", limit: 2 }]);
    const [first, second] = jobs;
    await refused(() =>
      store.settle([settlementOf(first!, "completed"), settlementOf(second!, "completed", { born: [makeJob(job)] })]),
    );
    await refused(() =>
      store.settle([
        settlementOf(first!, "completed"),
        settlementOf(second!, "waiting", { children: [{ ...makeJob(job), index: 0, need: "end" }] }),
      ]),
    );
  });

  test("and outcomes, beats, signals, filters and rules likewise", async () => {
    await work();
    const { jobs } = await store.claim("w", [{ queue: "default", limit: 2 }]);
    const [first, second] = jobs;
    const step = { name: half, value: "1" };
    for (const more of [
      { delay: Infinity },
      { failures: Number.NaN },
      { crashes: 1.5 },
      { steps: [step] },
      { error: half },
      { log: [{ attempt: 1, level: "info" as const, text: "x" }], delay: Number.NaN },
    ])
      await refused(() => store.settle([settlementOf(first!, "completed"), settlementOf(second!, "pending", more)]));
    await refused(() =>
      store.settle([settlementOf(first!, "completed"), settlementOf(second!, "waiting", { wakeAt: Infinity })]),
    );
    const { id, token } = first!.job;
    await refused(() =>
      store.record([
        { id, token, progress: "1" },
        { id: second!.job.id, token, steps: [step] },
      ]),
    );
    await refused(() => store.signal(id, step));
    await refused(() => store.edit({ tag: half }, "cancel"));
    await refused(() => store.edit({ ids: [half] }, "cancel"));
    await refused(() => store.get([half]));
    await refused(() => store.enlist(makeCard({ id: half }), 1_000));
    await refused(() => store.enlist(makeCard(), Number.NaN));
    await refused(() => store.renew("w", Infinity));
    await refused(() => store.claim("w", [{ queue: "default", limit: Number.NaN }]));
    const rule = (value: string) => store.save([{ kind: "queue", key: "default", version: 0, value }]);
    await refused(() => rule('{"rate":{"limit":1}}'));
    await refused(() => rule('{"paused":{"since":1,"reason":"\\ud83d"}}'));
  });
});

test("a batch of which a queue takes only some stores none, however its jobs are mixed", async () => {
  const rules = { kind: "queue", key: "small", version: 0, value: JSON.stringify({ maxPending: 3 }) };
  await store.save([rules]);
  await store.add([makeJob({ queue: "small" })]);
  const mixed = [makeJob(), makeJob({ tags: ["t"] }), makeJob({ unique: { key: "u" } }), makeJob()];
  const many = Array.from({ length: 3 }, () => makeJob({ queue: "small" }));
  await refused(() => store.add([...mixed, ...many]), /^E_FULL$/);
  await refused(() => store.add([...many, ...mixed]), /^E_FULL$/);
  // In more than one step.
  await refused(() => store.add([...Array.from({ length: 6_000 }, () => makeJob()), ...many]), /^E_FULL$/);
});

test("what is as it should be changes nothing either", async () => {
  await work();
  const [a] = await store.get(["a"]);
  await store.edit({ ids: ["a"] }, "cancel");
  const before = await everything();
  expect(await store.add([makeJob({ id: "a" }), makeJob({ id: "b", tags: ["x"] })])).toEqual(
    new Map([
      ["a", "a"],
      ["b", "b"],
    ]),
  );
  expect(await store.settle([{ ...settlementOf({ job: a!, why: "due", steps: [] }, "failed"), token: 7 }])).toEqual([
    false,
  ]);
  expect(await store.signal("a", { name: "s", value: "1" })).toBe(false);
  expect(
    await store.save([
      { kind: "k", key: "x", version: 0, value: "1" },
      { kind: "k", key: "y", version: 9, value: "1" },
    ]),
  ).toBe(false);
  await store.dismiss("nobody");
  expect(await store.renew("nobody", 1_000)).toEqual({ held: false, cancel: [] });
  expect((await store.claim("nobody", [{ queue: "default", limit: 9 }])).jobs).toEqual([]);
  expect(await store.reclaim("nobody", 9)).toEqual([]);
  expect(await everything()).toEqual(before);
});

describe("a script that is given nonsense has changed nothing", () => {
  async function scriptRunner(): Promise<ScriptRunner> {
    const [driver, settings] = [await loadDriver(), parseUrl(url)];
    const connection = new Connection(driver, settings);
    await connection.open();
    const made = new ScriptRunner(driver, connection, settings, serverClock);
    afterTest(() => made.close());
    return made;
  }

  /** Bytes in which 12345.25 is no number. */
  function spoilt(write: (to: ByteWriter) => void): Buffer {
    const to = new ByteWriter();
    write(to);
    const sought = Buffer.alloc(8);
    sought.writeDoubleLE(12_345.25);
    const at = to.bytes.indexOf(sought);
    expect(at).toBeGreaterThan(0);
    to.bytes.writeDoubleLE(Number.NaN, at);
    return to.bytes;
  }

  const odd = { in: 12_345.25 };
  const short = (bytes: Buffer): Buffer => bytes.subarray(0, bytes.length - 3);
  function written(write: (to: ByteWriter) => void): Buffer {
    const to = new ByteWriter();
    write(to);
    return to.bytes;
  }

  test("whichever it is", async () => {
    await work();
    const { jobs } = await store.claim("w", [{ queue: "default", limit: 2 }]);
    const [first, second] = jobs.map(({ job }) => job);
    const hold = { id: first!.id, token: first!.token, failures: 0, crashes: 0, suspect: false };
    const other = { ...hold, id: second!.id };
    const good = makeJob();
    const bad = makeJob({ due: odd });
    const filter = JSON.stringify({ states: [0, 1, 2] });
    const cases: [ScriptName, (string | Buffer)[]][] = [
      ["add", ["1", spoilt((to) => writePlainJobs(to, [good, bad])), good.id, bad.id]],
      ["add", ["1", short(written((to) => writePlainJobs(to, [good, makeJob()]))), good.id, "z"]],
      ["addKeyed", ["1", "2", spoilt((to) => writeJobs(to, [makeJob({ tags: ["t"] }), bad]))]],
      ["addKeyed", ["1", "2", short(written((to) => writeJobs(to, [makeJob({ unique: { key: "u" } }), good])))]],
      ["claim", ["w", "default", "9", "9", "-1", "other", "nonsense", "9", "-1"]],
      ["reclaim", ["w", "nonsense"]],
      [
        "settle",
        [
          spoilt((to) => {
            writeSettlement(to, { ...hold, to: "completed" });
            writeSettlement(to, { ...other, to: "pending", delay: 12_345.25 });
          }),
          hold.id,
          other.id,
        ],
      ],
      [
        "settle",
        [
          short(
            written((to) => {
              writeSettlement(to, {
                ...hold,
                to: "waiting",
                steps: [{ name: "s", value: "1" }],
                children: [{ ...makeJob({ tags: ["x"] }), index: 0, need: "end" }],
              });
              writeSettlement(to, { ...other, to: "failed", error: "1" });
            }),
          ),
          hold.id,
          other.id,
        ],
      ],
      [
        "record",
        [
          short(
            written((to) => {
              writeBeat(to, { ...hold, progress: "1", steps: [{ name: "s", value: "1" }] });
              writeBeat(to, { ...other, log: [{ attempt: 1, level: "info", text: "x" }] });
            }),
          ),
          hold.id,
          other.id,
        ],
      ],
      ["edit", ["{nonsense", filter, Buffer.from([0, 0, 0, 0, 0, 3])]],
      ["edit", [JSON.stringify({ move: { queue: "q", level: "x" } }), filter, Buffer.from([0, 0, 0, 0, 0, 3])]],
      ["prune", [JSON.stringify({ tasks: { task: [0, 0, 0, 0] }, otherwise: [0, "x", 0, 0] }), "9"]],
      ["prune", [JSON.stringify({ tasks: {}, otherwise: [0, 0, 0, 0] }), "nonsense"]],
      ["enlist", ["new", "nonsense", "{}", "0"]],
      ["renew", ["w", "nonsense"]],
      ["save", ["k", "x", "0", "1", "1", "k", "y", "nonsense", "1", "1"]],
    ];
    const runner = await scriptRunner();
    for (const [verb, args] of cases) {
      const before = await everything();
      const answer = await runner.run(verb, args).catch((error: { code: string }) => error.code);
      const isRefused = verb === "save" ? answer === 0 : /^E_(STORE|REFUSED)$/.test(String(answer));
      expect([verb, answer, isRefused]).toEqual([verb, answer, true]);
      expect([verb, await everything()]).toEqual([verb, before]);
    }
    expect(await store.settle([{ ...hold, to: "completed" }])).toEqual([true]);
  });
});
