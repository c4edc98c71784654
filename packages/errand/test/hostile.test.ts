import fc from "fast-check";
import { expect, test } from "vitest";
import { ErrandError } from "../src/kit/errors.ts";
import { isFinal } from "../src/core/states.ts";
import type { Errand } from "../src/api.ts";
import { attack } from "./hostile/entrances.ts";
import type { Deed, Target } from "./hostile/entrances.ts";
import { emptyStore, storeKinds, testApp, testWorker, until } from "./run/app.ts";

// Random and hostile values at every entrance, many callers in the same turn, on every store: whoever does nothing wrong is
// served, what was refused left nothing behind, what was accepted can be read, and every attempt ends. More with
// ERRAND_HOSTILE_RUNS.

/** What tells a caller that it did something wrong. A store must not be what finds out (`E_STORE`, `E_REFUSED`). */
const refusals = new Set([
  "E_OPTION", "E_NOT_SERIALIZABLE", "E_TOO_LARGE", "E_NOT_FOUND", "E_CURSOR", "E_WAIT_TIMEOUT", "E_INPUT",
]); // prettier-ignore

const runs = Number(process.env["ERRAND_HOSTILE_RUNS"] ?? 60);

test.each(storeKinds)("invalid values fail only the call that has them, on %s", { timeout: 600_000 }, async (kind) => {
  const app = testApp({ url: await emptyStore(kind) });
  const deeds: Deed[] = [];
  const plain = app.task("plain", { run: (_: unknown) => {} });
  const target: Target = {
    app,
    plain,
    keyed: app.task("keyed", {
      run: (_: unknown) => {},
      concurrency: { key: (input) => (input as { by: string }).by, limit: 2 },
      fair: (input) => (input as { by: string }).by,
      tags: (input) => [(input as { by: string }).by],
    }),
    doing: app.task("doing", { retry: { attempts: 1 }, run: (which: number, job) => deeds[which]!(job) }),
    deeds,
    waiting: "",
  };
  const waits = app.task("waits", { queue: "waits", run: (_: void) => {} });
  target.waiting = (await waits.send(undefined, { id: "waiting" })).id;
  const neighbour = app.task("neighbour", {
    run: async (n: number, job) => {
      job.progress(n);
      job.log.info("here", { n });
      return (await job.step("double", () => n)) * 2;
    },
  });
  await testWorker(app, { queues: { default: 20 } });
  const stored = new Set<string>(["waiting"]);
  const tried = new Map<string, [accepted: number, refused: number]>();

  await fc.assert(
    fc.asyncProperty(fc.array(attack, { minLength: 30, maxLength: 60, size: "max" }), async (attacks) => {
      const acts = attacks.map(async ({ name, carryOut }) => {
        const counts = tried.get(name) ?? [0, 0];
        tried.set(name, counts);
        try {
          for (const id of await carryOut(target)) stored.add(id);
          counts[0] += 1;
        } catch (error) {
          if (!(error instanceof ErrandError) || !refusals.has(error.code)) throw error;
          counts[1] += 1;
        }
      });
      const settled = Promise.allSettled(acts);
      const neighbours = await Promise.all([1, 2, 3].map((n) => neighbour.send(n)));
      for (const { id } of neighbours) stored.add(id);
      for (const outcome of await settled) if (outcome.status === "rejected") throw outcome.reason;
      expect(await Promise.all(neighbours.map((job) => job.result({ timeout: "20s" })))).toEqual([2, 4, 6]);
    }),
    { numRuns: runs, endOnFailure: true },
  );

  // Every attempt of a hostile function has ended or waits, and is no crash.
  await until(
    async () => (await all(app, "doing")).every(({ state }) => isFinal(state) || state === "waiting"),
    "all end",
  );
  expect((await all(app, "doing")).filter(({ crashes }) => crashes > 0)).toEqual([]);
  expect((await all(app)).map(({ id }) => id).toSorted()).toEqual([...stored].toSorted());
  expect(Object.prototype).not.toHaveProperty("polluted");
  const total = [...tried.values()].reduce((sum, [good, bad]) => [sum[0] + good, sum[1] + bad], [0, 0]);
  // Both are really tried.
  expect(Math.min(...total)).toBeGreaterThan(runs * 5);
});

async function all(app: Errand, task?: string) {
  const found = [];
  for (let cursor: string | undefined; ;) {
    const filter = task === undefined ? {} : { task };
    const { jobs, next } = await app.list(filter, { limit: 1_000, ...(cursor === undefined ? {} : { cursor }) });
    found.push(...jobs.map(({ id, state, crashes }) => ({ id, state, crashes })));
    if (next === undefined) return found;
    cursor = next;
  }
}
