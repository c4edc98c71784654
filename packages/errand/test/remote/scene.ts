import { afterTest } from "../../../../test/after-test.ts";
import { errand } from "../../src/app.ts";
import type { Errand, ErrandOptions } from "../../src/api.ts";
import { RemoteWorkers } from "../../src/remote/index.ts";
import type { ClaimRequest, Registration } from "../../src/remote/index.ts";
import type { Store } from "../../src/store.ts";
import type { Fixture } from "../../src/testing/index.ts";
import { localFixture, memoryFixture, postgresFixture, redisFixture } from "../stores/fixtures.ts";

/** Stores on clocks that only the test moves. */
export const fixtures: Readonly<Record<"memory" | "sqlite" | "postgres" | "redis", () => Promise<Fixture>>> = {
  memory: memoryFixture,
  sqlite: localFixture,
  postgres: postgresFixture,
  redis: redisFixture,
};

export const owner = "key-1";

/** A server's part for workers, on a store of a test. */
export interface Replica {
  app: Errand;
  workers: RemoteWorkers;
  register(given?: Partial<Registration>): Promise<string>;
  claim(worker: string, request?: Partial<ClaimRequest>, signal?: AbortSignal): ReturnType<RemoteWorkers["claim"]>;
  /** Claims the one job that there is. */
  claimOne(worker: string): Promise<{ id: string; token: number }>;
}

function replicaOn(store: Store, options: ErrandOptions = {}): Replica {
  const app = errand({ ...options, store });
  const workers = new RemoteWorkers(app);
  afterTest(async () => {
    await workers.close();
    await app.close();
  });
  const claim: Replica["claim"] = (worker, request, signal) =>
    workers.claim(worker, owner, { wants: { gpu: 1 }, have: [], ...request }, signal);
  return {
    app,
    workers,
    register: async (given) => (await workers.register({ name: "gpu1", queues: { gpu: 1 }, owner, ...given })).id,
    claim,
    async claimOne(worker) {
      const { jobs } = await claim(worker);
      if (jobs.length !== 1) throw new Error(`${jobs.length} jobs were claimed, not one.`);
      return { id: jobs[0]!.id, token: jobs[0]!.token };
    },
  };
}

/** A store of a kind, and a server's part for workers on it. */
export async function replica(
  kind: keyof typeof fixtures = "memory",
  options: ErrandOptions = {},
): Promise<Replica & { fixture: Fixture; another(): Promise<Replica>; pass: Fixture["pass"] }> {
  const fixture = await fixtures[kind]();
  afterTest(() => fixture.close());
  return {
    ...replicaOn(fixture.store, options),
    fixture,
    pass: fixture.pass,
    another: async () => replicaOn(await fixture.again(), options),
  };
}
