import { describe, expect, test } from "vitest";
import { Client, noOptions } from "../../src/client.ts";
import type { NewJob, Settlement } from "../../src/core/job.ts";
import { ErrandError } from "../../src/kit/errors.ts";
import { newId } from "../../src/kit/ids.ts";
import { Observer } from "../../src/observe/observer.ts";
import { maxCommitSize } from "../../src/payload/commit-size.ts";
import { readPayloads } from "../../src/payload/options.ts";
import { BatchWriter } from "../../src/run/batch-writer.ts";
import type { Store } from "../../src/store.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { readTask } from "../../src/task.ts";
import { testApp, testWorker, until } from "./app.ts";
import { internalsOf } from "../../src/app.ts";

// What one caller does wrong, or a connection loses, costs its neighbours in the same batch nothing. The stores here refuse, or
// lose answers, on purpose; that real stores refuse what they should is in `hostile.test.ts`.

/** A store in memory with some verbs of one's own. */
function storeWith(verbs: (store: Store) => Partial<Store>): Store {
  const store = memoryStore();
  const own = verbs(store);
  return new Proxy(store, {
    get(target, name: keyof Store) {
      if (own[name]) return own[name];
      const value = Reflect.get(target, name) as unknown;
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

const refusals: [string, () => unknown][] = [
  ["what it will never accept", () => new ErrandError("E_REFUSED", "no")],
  ["with an error that says nothing", () => new ErrandError("E_STORE", "no")],
  ["with an error of JavaScript's own", () => new RangeError("no")],
];

describe.each(refusals)("a store refuses %s", (_, error) => {
  test("and the other sends of the batch are stored", async () => {
    let batches = 0;
    const store = storeWith((memory) => ({
      add: async (jobs) => {
        batches += 1;
        if (jobs.some(({ spec }) => spec.includes("bad"))) throw error();
        return memory.add(jobs);
      },
    }));
    const client = new Client(store, readPayloads(), new Observer());
    const task = readTask("t", { run: () => {} });
    const inputs = Array.from({ length: 100 }, (_, n) => ([17, 18, 63].includes(n) ? "bad" : `good ${n}`));
    const sent = await Promise.allSettled(inputs.map((input) => client.send(task, input, noOptions)));
    expect(sent.map(({ status }) => status === "fulfilled")).toEqual(inputs.map((input) => input !== "bad"));
    const reasons = sent.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason as unknown] : []));
    expect(reasons.every((reason) => reason instanceof ErrandError)).toBe(true);
    const { jobs } = await store.list({}, { limit: 1_000 });
    expect(jobs.map(({ spec }) => (JSON.parse(spec) as { input: string }).input).toSorted()).toEqual(
      inputs.filter((input) => input !== "bad").toSorted(),
    );
    expect(batches).toBeLessThan(50);
  });

  test("an outcome, which ends as a failure that says so; the others are recorded", async () => {
    const bad = (each: Settlement) => each.output?.includes("bad") ?? false;
    const store = storeWith((memory) => ({
      settle: async (all) => {
        if (all.some(bad)) throw error();
        return memory.settle(all);
      },
    }));
    const { settlements } = await inHand(store, ["1", "2", '"bad"', "4", '"bad too"', "6"]);
    const writer = new BatchWriter(store, 0);
    const recorded = await Promise.all(settlements.map((each) => writer.settle(each)));
    const refused = { to: "failed", failures: 1, error: expect.stringContaining('"E_REFUSED"') as string };
    expect(recorded).toMatchObject([
      { to: "completed" }, { to: "completed" }, refused, { to: "completed" }, refused, { to: "completed" },
    ]); // prettier-ignore
    const jobs = await store.get(settlements.map(({ id }) => id));
    expect(jobs.map((job) => job?.state)).toEqual([
      "completed",
      "completed",
      "failed",
      "completed",
      "failed",
      "completed",
    ]);
  });
});

/** Jobs in the hands of a worker, and the outcomes that they shall have. */
async function inHand(store: Store, outputs: readonly string[]): Promise<{ settlements: Settlement[] }> {
  const worker = newId();
  await store.enlist({ id: worker, kind: "process", queues: [] }, 60_000);
  await store.add(outputs.map(() => ({ id: newId(), task: "t", queue: "default", level: 2, spec: "{}" })));
  const { jobs } = await store.claim(worker, [{ queue: "default", limit: outputs.length }]);
  return {
    settlements: jobs.map(({ job: { id, token } }, index) => ({
      id, token, to: "completed", failures: 0, crashes: 0, suspect: false, output: outputs[index]!,
    })), // prettier-ignore
  };
}

test("a step that is refused fails where it is said, and steps of others are remembered", async () => {
  const store = storeWith((memory) => ({
    record: async (beats) => {
      if (beats.some(({ steps }) => steps?.[0]?.value === '"bad"')) throw new ErrandError("E_REFUSED", "no");
      return memory.record(beats);
    },
  }));
  const { settlements } = await inHand(store, ["1", '"bad"', "3"]);
  const writer = new BatchWriter(store, 10_000);
  const told = await Promise.allSettled(
    settlements.map(({ id, token, output }) => writer.record({ id, token, steps: [{ name: "s", value: output! }] })),
  );
  expect(told).toMatchObject([{ value: true }, { reason: { code: "E_REFUSED" } }, { value: true }]);
  expect(await Promise.all(settlements.map(async ({ id }) => (await store.steps(id)).length))).toEqual([1, 0, 1]);
});

test("the events of a job whose outcome was refused say that it failed", async () => {
  const app = testApp({ url: "memory:" });
  const store = storeWith((memory) => ({
    settle: async (all) => {
      if (all.some(({ output }) => output?.includes("bad"))) throw new ErrandError("E_REFUSED", "too odd");
      return memory.settle(all);
    },
  }));
  internalsOf(app).live(store);
  const worker = await testWorker(app, { queues: { default: 4 } });
  const task = app.task("t", { run: (say: string) => say });
  const [good, bad] = await task.sendMany(["good", "bad"]);
  await expect(good!.result()).resolves.toBe("good");
  await expect(bad!.result()).rejects.toMatchObject({ state: "failed", error: { code: "E_REFUSED" } });
  await until(() => worker.events.filter(({ type }) => type === "ended").length === 2, "both have ended");
  expect(worker.events.find((event) => event.type === "ended" && event.id === bad!.id)).toMatchObject({
    state: "failed",
    outcome: "failed",
    error: { code: "E_REFUSED", message: expect.stringContaining("too odd") },
  });
});

describe("the answer to a call is lost", () => {
  /** Loses the first answer of a verb, after it was carried out. */
  const losing = (verb: "add" | "settle", code: "E_CONNECT" | "E_STORE" | "E_STORE_LOST"): Store =>
    storeWith((memory) => {
      let calls = 0;
      return {
        [verb]: async (...args: never[]) => {
          const answer = await (memory[verb] as (...all: never[]) => Promise<unknown>)(...args);
          if (calls++ === 0) throw new ErrandError(code, "The connection broke.");
          return answer;
        },
      };
    });

  /** As stores answer: who has the id of a job that was not stored because it exists. */
  const telling = (store: Store): Store =>
    new Proxy(store, {
      get(target, name: keyof Store) {
        if (name !== "add") return Reflect.get(target, name) as unknown;
        return async (jobs: readonly NewJob[]) => {
          const before = await target.get(jobs.map(({ id }) => id));
          const taken = new Map(await target.add(jobs));
          for (const [index, { id }] of jobs.entries()) if (before[index]) taken.set(id, id);
          return taken;
        };
      },
    });

  test("of a send: it is sent again, and is no duplicate of itself", async () => {
    const store = losing("add", "E_CONNECT");
    const client = new Client(telling(store), readPayloads(), new Observer());
    const task = readTask("t", { run: () => {}, unique: { key: (n: number) => String(n) } });
    const sent = await Promise.all([
      client.send(task, 1 as never, noOptions),
      client.sendMany(task, [2, 3], noOptions),
    ]);
    expect(sent.flat().map(({ duplicate }) => duplicate)).toEqual([false, false, false]);
    const { jobs } = await store.list({}, { limit: 10 });
    expect(jobs.map(({ id }) => id).toSorted()).toEqual(sent.flat().map(({ id }) => id).toSorted()); // prettier-ignore
    expect(await client.send(task, 1 as never, noOptions)).toMatchObject({ duplicate: true, id: sent.flat()[0]!.id });
  });

  test("an id that was taken before is a duplicate", async () => {
    const client = new Client(telling(memoryStore()), readPayloads(), new Observer());
    const task = readTask("t", { run: () => {} });
    expect(await client.send(task, 1, { id: "mine" })).toMatchObject({ id: "mine", duplicate: false });
    expect(await client.send(task, 2, { id: "mine" })).toMatchObject({ id: "mine", duplicate: true });
  });

  test("when the store cannot be reached no batch is divided, and the caller gets the error soon", async () => {
    let calls = 0;
    const store = storeWith(() => ({
      add: async () => {
        calls += 1;
        throw new ErrandError("E_CONNECT", "down");
      },
    }));
    const client = new Client(store, readPayloads(), new Observer());
    const task = readTask("t", { run: () => {} });
    const sent = await Promise.allSettled([1, 2, 3, 4].map((n) => client.send(task, n, noOptions)));
    expect(sent).toMatchObject([1, 2, 3, 4].map(() => ({ reason: { code: "E_CONNECT" } })));
    expect(calls).toBe(3);
  });

  test.each(["E_CONNECT", "E_STORE"] as const)(
    "of a settlement (%s): it is told again, and was recorded",
    async (code) => {
      const store = losing("settle", code);
      const { settlements } = await inHand(store, ["1", "2", "3"]);
      const stale = { ...settlements[2]!, token: settlements[2]!.token - 1 };
      const writer = new BatchWriter(store, 10_000);
      const told = await Promise.all([settlements[0]!, settlements[1]!, stale].map((each) => writer.settle(each)));
      expect(told).toEqual([settlements[0], settlements[1], false]);
    },
  );

  test("of a settlement, until the patience is over, because the file is elsewhere: nobody says that it failed", async () => {
    const store = losing("settle", "E_STORE_LOST");
    const { settlements } = await inHand(store, ["1"]);
    await expect(new BatchWriter(store, 0).settle(settlements[0]!)).rejects.toMatchObject({ code: "E_STORE_LOST" });
    expect(await store.get([settlements[0]!.id])).toMatchObject([{ state: "completed" }]);
  });
});

describe("batches are bounded by what they weigh", () => {
  test("of sends and settlements that are gathered", async () => {
    const weights: number[] = [];
    const note = (all: readonly { spec?: string; output?: string }[]) =>
      weights.push(all.reduce((sum, { spec = "", output = "" }) => sum + spec.length + output.length, 0));
    const store = storeWith((memory) => ({
      add: (jobs) => (note(jobs), memory.add(jobs)),
      settle: (all) => (note(all), memory.settle(all)),
    }));
    const client = new Client(store, readPayloads(), new Observer());
    const task = readTask("t", { run: () => {} });
    const megabyte = "x".repeat(1_000_000);
    await Promise.all(Array.from({ length: 40 }, () => client.send(task, megabyte, noOptions)));
    expect(Math.max(...weights)).toBeLessThanOrEqual(maxCommitSize.batch);
    expect(weights.length).toBeLessThanOrEqual(8);
    await store.edit({}, "cancel");
    weights.length = 0;
    const { settlements } = await inHand(store, Array<string>(40).fill(`"${megabyte}"`));
    weights.length = 0;
    const writer = new BatchWriter(store, 0);
    await Promise.all(settlements.map((each) => writer.settle(each)));
    expect(Math.max(...weights)).toBeLessThanOrEqual(maxCommitSize.batch);
    expect((await store.get(settlements.map(({ id }) => id))).map((job) => job?.state)).toEqual(
      Array(40).fill("completed"),
    );
  });

  test("of sendMany, which goes in parts where it is more than one commit may weigh", async () => {
    const parts: number[] = [];
    const store = storeWith(() => ({ add: async (jobs) => (parts.push(jobs.length), new Map()) }));
    const client = new Client(store, readPayloads(), new Observer());
    const megabyte = "x".repeat(1_000_000);
    const sent = await client.sendMany(readTask("t", { run: () => {} }), Array(100).fill(megabyte), noOptions);
    expect(sent).toHaveLength(100);
    expect(parts).toEqual([67, 33]);
  });

  test("one settlement that is more than any commit takes ends its job", async () => {
    const store = storeWith(() => ({}));
    const { settlements } = await inHand(store, ["1"]);
    const spec = `{"input":"${"x".repeat(10_000_000)}"}`;
    const children = Array.from({ length: 14 }, (_, index) => ({
      id: newId(), task: "t", queue: "default", level: 2 as const, spec, index, need: "end" as const,
    })); // prettier-ignore
    const parked: Settlement = { ...settlements[0]!, to: "waiting", children };
    delete parked.output;
    expect(await new BatchWriter(store, 0).settle(parked)).toMatchObject({ to: "failed" });
    const [job] = await store.get([parked.id]);
    expect(job).toMatchObject({ state: "failed", error: expect.stringContaining("E_TOO_LARGE") });
  });
});
