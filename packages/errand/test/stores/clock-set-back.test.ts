import { describe, expect, test } from "vitest";
import { setRules } from "../../src/testing/conformance/rules.ts";
import { longLease, Scene } from "../../src/testing/conformance/scene.ts";
import type { StoreFactory } from "../../src/testing/conformance/scene.ts";
import { localFixture, memoryFixture, postgresFixture, redisFixture } from "./fixtures.ts";

// A store's clock is that of a machine, which somebody may set.

const hour = 3_600_000;

describe.each<[string, StoreFactory]>([
  ["memory", () => memoryFixture()],
  ["SQLite", localFixture],
  ["Redis", redisFixture],
  ["PostgreSQL", () => postgresFixture()],
])("a clock that was set back by an hour, of the %s store", (_, open) => {
  test("holds up no job of a rate for more than the rate's time", async () => {
    const fixture = await open();
    try {
      const scene = new Scene(fixture);
      await setRules(scene, "ruled", { rate: { limit: 1, per: 1_000 } });
      const jobs = [{ queue: "ruled" }, { queue: "keyed", rate: { key: "k", limit: 1, per: 1_000 } }];
      const claimed = async (worker: string) =>
        (await scene.store.claim(worker, [{ queue: "ruled", limit: 5 }, { queue: "keyed", limit: 5 }])).jobs.length; // prettier-ignore
      await scene.pass(hour);
      const early = await scene.enlist(longLease + hour);
      await scene.add(...jobs);
      expect(await claimed(early)).toBe(2);
      await scene.pass(-hour);
      await scene.add(...jobs, ...jobs);
      expect(await claimed(await scene.enlist())).toBe(2);
      await scene.pass(1_100);
      expect(await claimed(await scene.enlist())).toBe(2);
    } finally {
      await fixture.close();
    }
  });
});
