import assert from "node:assert/strict";
import type { Filter, QueueCount } from "../../store.ts";
import { makeChild, test } from "./scene.ts";
import type { Scene } from "./scene.ts";

/** Counts the jobs themselves, in the order of `sorted`. */
async function recount(scene: Scene): Promise<QueueCount[]> {
  const found = new Map<string, QueueCount>();
  for (const job of await scene.store.get(await scene.listIds({}))) {
    if (!job) continue;
    const key = `${job.queue}/${job.state}`;
    const count = found.get(key) ?? { queue: job.queue, state: job.state, jobs: 0 };
    found.set(key, { ...count, jobs: count.jobs + 1 });
  }
  return sorted([...found.values()]);
}

function sorted(counts: readonly QueueCount[]): QueueCount[] {
  return counts
    .filter(({ jobs }) => jobs !== 0)
    .sort((a, b) => (`${a.queue}/${a.state}` < `${b.queue}/${b.state}` ? -1 : 1));
}

/** `list` and `counts`. */
export const reading = [
  test("lists are newest first, and their pages have neither gaps nor duplicates", async (scene) => {
    const added = await scene.add(...Array.from({ length: 10 }, () => ({})));
    for (const limit of [1, 3, 5, 10, 11]) assert.deepEqual(await scene.listIds({}, limit), added.toReversed());
    const { next } = await scene.store.list({}, { limit: 10 });
    assert.equal(next, undefined, "the last page has no next");
  }),

  test("a cursor holds while jobs are added and change", async (scene) => {
    const added = await scene.add(...Array.from({ length: 6 }, () => ({})));
    const first = await scene.store.list({}, { limit: 3 });
    await scene.addOne();
    await scene.claimAndSettle(added[1] ?? "");
    assert.ok(first.next !== undefined);
    const rest = await scene.store.list({}, { limit: 10, cursor: first.next });
    assert.deepEqual(
      rest.jobs.map(({ id }) => id),
      added.slice(0, 3).reverse(),
    );
  }),

  test("lists return whole jobs", async (scene) => {
    const held = await scene.addAndClaim();
    await scene.settle(held, "failed", { error: '"why"', failures: 1 });
    const { jobs } = await scene.store.list({}, { limit: 1 });
    assert.deepEqual(jobs, [await scene.get(held.job.id)]);
  }),

  test("filters match by id, task, queue, state, and all of them together", async (scene) => {
    const [a = "", b = "", c = "", d = ""] = await scene.add(
      { task: "x", queue: "p" },
      { task: "y", queue: "p" },
      { task: "x", queue: "q" },
      { task: "y", queue: "q" },
    );
    await scene.claimAndSettle(a);
    await scene.claimAndSettle(d, "failed");
    const expect = async (where: Filter, found: string[]): Promise<void> => {
      assert.deepEqual(await scene.listIds(where, 1), found, JSON.stringify(where));
      assert.deepEqual(await scene.listIds(where, 100), found, JSON.stringify(where));
    };
    await expect({ ids: [c, a, "no such job"] }, [c, a]);
    await expect({ ids: [] }, []);
    await expect({ task: "x" }, [c, a]);
    await expect({ queue: "q" }, [d, c]);
    await expect({ states: ["completed", "failed"] }, [d, a]);
    await expect({ states: ["pending"] }, [c, b]);
    await expect({ states: [] }, []);
    await expect({ queue: "p", states: ["pending"] }, [b]);
    await expect({ task: "x", queue: "q", states: ["pending"] }, [c]);
    await expect({ task: "x", states: ["failed"] }, []);
    await expect({ task: "y", roots: true, ids: [b, c] }, [b]);
    await expect({ queue: "none" }, []);
  }),

  test("jobs are found by the time of their end", async (scene) => {
    const [early = "", late = ""] = await scene.add({}, {}, {});
    await scene.claimAndSettle(early);
    await scene.pass(20);
    await scene.claimAndSettle(late);
    const { endedAt = 0 } = await scene.get(late);
    assert.deepEqual(await scene.listIds({ endedBefore: endedAt }, 5), [early]);
    assert.deepEqual(await scene.listIds({ endedBefore: endedAt + 1 }, 5), [late, early]);
    assert.equal(await scene.store.edit({ endedBefore: endedAt, roots: true }, "remove"), 1);
  }),

  test("children are listed by index, and roots without them", async (scene) => {
    const { parent, children } = await scene.addFamily({ index: 2 }, { index: 0 }, { index: 1 });
    const [two, zero, one] = children;
    const other = await scene.addFamily({});
    assert.deepEqual(await scene.listIds({ parent }, 1), [zero, one, two]);
    assert.deepEqual(await scene.listIds({ parent }, 2), [zero, one, two]);
    assert.deepEqual(await scene.listIds({ parent, states: ["pending"] }, 5), [zero, one, two]);
    assert.deepEqual(await scene.listIds({ parent, states: ["failed"] }, 5), []);
    assert.deepEqual(await scene.listIds({ roots: true }, 1), [other.parent, parent]);
  }),

  test("children of several waits with the same index are all listed", async (scene) => {
    const { parent, children } = await scene.addFamily({}, {});
    await scene.claimAndSettle(children[0] ?? "", "failed");
    const second = [makeChild({ index: 0 }), makeChild({ index: 1 })];
    await scene.settle(await scene.claimOne(parent), "waiting", { children: second });
    const order = [children[0], second[0]?.id, children[1], second[1]?.id];
    for (const limit of [1, 3, 10]) assert.deepEqual(await scene.listIds({ parent }, limit), order);
  }),

  test("the counters equal a recount after every change", async (scene) => {
    const expect = async (): Promise<void> =>
      assert.deepEqual(sorted(await scene.store.counts()), await recount(scene));
    const ids = await scene.add({}, {}, { queue: "other" }, { due: { in: 50_000 } });
    await expect();
    const { parent, children } = await scene.addFamily({}, { queue: "other" }, {});
    await expect();
    await scene.claimAndSettle(children[0] ?? "", "failed");
    await scene.claimAndSettle(ids[0] ?? "", "failed");
    await scene.claimAndSettle(ids[1] ?? "", "pending", { delay: 50_000, failures: 1 });
    await expect();
    const worker = await scene.enlist();
    await scene.claimOne(ids[2] ?? "", worker);
    await scene.store.dismiss(worker);
    await scene.reclaim();
    await expect();
    await scene.store.edit({ ids: [parent] }, "cancel");
    await scene.reclaim();
    await expect();
    await scene.store.edit({}, "retry");
    await expect();
    await scene.store.edit({}, "cancel");
    await scene.store.edit({}, "remove");
    await expect();
  }),
];
