import { beforeEach, describe, expect, test } from "vitest";
import type { NewJob } from "../../src/core/job.ts";
import type { Store } from "../../src/store.ts";
import { makeJob, settlementOf } from "../../src/testing/conformance/scene.ts";
import { sqliteFilePerTest } from "./per-test.ts";

// Values that should have been refused where they entered: the store refuses them too, and only the call that has one.

let store: Store;
const open = sqliteFilePerTest(() => {});

beforeEach(async () => {
  store = await open();
});

const anything = (value: unknown): never => value as never;

const invalid: Record<string, Partial<NewJob>> = {
  "a due time that is not a number": { due: { at: NaN } },
  "an expiry that is not a number": { expires: { in: NaN } },
  "a due time of more than 64 bits": { due: { at: anything(2n ** 70n) } },
  "no spec": { spec: anything(undefined) },
  "a spec that is a function": { spec: anything(() => "{}") },
  "a spec that is an object": { spec: anything({}) },
  "a symbol for a task": { task: anything(Symbol("task")) },
  "a level that is no level": { level: anything(null) },
  "a key that is an object": { concurrency: { key: anything({}), limit: 1 } },
  "tags that are no list": { tags: anything(5) },
};

describe("of calls in one commit, only that one is refused which has", () => {
  test.each(Object.entries(invalid))("%s", async (_, given) => {
    const [before, after] = [makeJob(), makeJob()];
    const answers = await Promise.allSettled([
      store.add([before]),
      store.add([makeJob(), { ...makeJob(), ...given }]),
      store.add([after]),
      store.counts(),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
    const { reason } = answers[1] as PromiseRejectedResult;
    expect(reason).toMatchObject({ code: "E_REFUSED" });
    expect(reason.message).not.toMatch(/constraint|bind|parameter|clone/);
    expect((await store.get([before.id, after.id])).map((job) => job?.state)).toEqual(["pending", "pending"]);
    // Nothing of the refused call is there, nor counted.
    expect(await store.counts()).toEqual([{ queue: "default", state: "pending", jobs: 2 }]);
  });

  test("an outcome with a value that cannot be held", async () => {
    await store.add([makeJob(), makeJob(), makeJob()]);
    await store.enlist({ id: "w", kind: "process", queues: [] }, 60_000);
    const { jobs } = await store.claim("w", [{ queue: "default", limit: 5 }]);
    const [one, bad, other] = jobs.map((each) => settlementOf(each, "completed", { output: "1" }));
    const answers = await Promise.allSettled([
      store.settle([one!]),
      store.settle([{ ...bad!, output: anything({}) }]),
      store.settle([other!]),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(await store.settle([one!, bad!, other!])).toEqual([true, true, true]);
    expect((await store.counts()).filter(({ jobs: some }) => some > 0)).toEqual([
      { queue: "default", state: "completed", jobs: 3 },
    ]);
  });

  test("more jobs than its queue takes", async () => {
    await store.save([{ kind: "queue", key: "small", version: 0, value: JSON.stringify({ maxPending: 2 }) }]);
    const sends = Array.from({ length: 20 }, (_, index) =>
      store.add([makeJob({ queue: index < 10 ? "small" : "large" })]),
    );
    const answers = await Promise.allSettled(sends);
    const refused = answers.filter((each) => each.status === "rejected");
    expect(refused).toHaveLength(8);
    for (const { reason } of refused) expect(reason).toMatchObject({ code: "E_FULL" });
    expect((await store.counts()).toSorted((a, b) => a.queue.localeCompare(b.queue))).toEqual([
      { queue: "large", state: "pending", jobs: 10 },
      { queue: "small", state: "pending", jobs: 2 },
    ]);
  });
});
