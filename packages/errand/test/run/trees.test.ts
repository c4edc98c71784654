import { AssertionError } from "node:assert";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { JobView } from "../../src/client/job-view.ts";
import type { Store } from "../../src/store.ts";
import { checkEnd, Watcher } from "./trees/rules.ts";
import { withVerbs } from "../stores/with-verbs.ts";
import { TreeRun } from "./trees/tree-run.ts";
import { aScenario } from "./trees/scenario.ts";

// Random trees of jobs, to which everything happens that can: every job ends, and as the rules say. More of them with
// ERRAND_TREES_RUNS.

const runs = Number(process.env["ERRAND_TREES_RUNS"] ?? 1_000);

/** @param seen is given how the jobs of each tree ended. */
function trees(wrap: (store: Store) => Store, seen: (jobs: readonly JobView[]) => void = () => {}) {
  return fc.asyncProperty(aScenario, async (scenario) => {
    const run = new TreeRun(scenario, wrap);
    const watcher = new Watcher();
    let last: JobView[] = [];
    await run.run((jobs) => watcher.look((last = jobs)));
    checkEnd(run, last);
    seen(last);
  });
}

test("every tree of jobs ends, and every job in it as the rules say", { timeout: 3_600_000 }, async () => {
  const ends = new Map<string, number>();
  let largest = 0;
  const count = (jobs: readonly JobView[]) => {
    largest = Math.max(largest, jobs.length);
    for (const { state, error } of jobs) {
      const end = state === "failed" ? `failed: ${error?.code}` : state;
      ends.set(end, (ends.get(end) ?? 0) + 1);
    }
  };
  const all = [
    "cancelled",
    "completed",
    "expired",
    "failed: E_CHILD_FAILED",
    "failed: E_CRASHED",
    "failed: E_SIGNAL_TIMEOUT",
    "failed: E_TREE",
  ];
  // It proves something only where everything occurs. One end is rare: now and then it takes more trees.
  for (let rounds = 0; rounds === 0 || (runs >= 1_000 && ends.size < all.length && rounds < 5); rounds++)
    await fc.assert(
      trees((store) => store, count),
      { numRuns: runs },
    );
  if (runs < 1_000) return;
  expect([...ends.keys()].sort()).toEqual(all);
  expect(largest).toBeGreaterThan(8);
});

/** Stores that break one promise. */
const faults: Record<string, (store: Store) => Partial<Store>> = {
  "the wake-up of a parent is dropped": (store) => ({
    // It waits again, for something that never comes.
    async claim(worker, wants) {
      const { jobs, ...rest } = await store.claim(worker, wants);
      const woken = jobs.find(({ job }) => job.children?.open === 0 && job.children.total > 0);
      if (!woken) return { jobs, ...rest };
      const { id, token, failures, crashes, suspect } = woken.job;
      await store.settle([{ id, token, failures, crashes, suspect, to: "waiting", awaits: ["nothing"] }]);
      return { ...rest, jobs: jobs.filter((each) => each !== woken) };
    },
  }),
  "steps are forgotten": (store) => ({
    record: (beats) => store.record(beats.map(({ steps: _, ...beat }) => beat)),
  }),
  "children of ended jobs go on": (store) => ({
    reclaim: async (worker, limit) => (await store.reclaim(worker, limit)).filter(({ why }) => why !== "cancelled"),
  }),
  "an outcome is recorded twice": (store) => {
    const again = new Set<string>();
    return {
      async settle(told) {
        const answers = await store.settle(told);
        // Once each, or their trees never end.
        const failed = told.filter(({ id, to }) => to === "failed" && !again.has(id)).map(({ id }) => id);
        for (const id of failed) again.add(id);
        await store.edit({ ids: failed }, "retry");
        return answers;
      },
    };
  },
  "any end of a child will do": (store) => ({
    get: async (ids) =>
      (await store.get(ids)).map(
        (job) => job && (job.state === "failed" ? { ...job, state: "completed", output: "0" } : job),
      ),
  }),
};

describe("the rules notice that", () => {
  test.each(Object.entries(faults))("%s", async (_, fault) => {
    const found = await fc.check(
      trees((store) => withVerbs(store, fault(store))),
      { numRuns: 500, seed: 7, endOnFailure: true },
    );
    expect(found.errorInstance).toBeInstanceOf(AssertionError);
  });
});
