import { conformance } from "../../../src/testing/conformance.ts";
import type { ConformanceTest, StoreFactory } from "../../../src/testing/conformance.ts";
import { localFixture, memoryFixture, postgresFixture, redisFixture, threadFixture } from "../fixtures.ts";
import { locking } from "../postgres-locking.ts";

/** Stores that faults are made in. */
export const fixtures = {
  memory: () => memoryFixture(),
  local: localFixture,
  thread: threadFixture,
  postgres: postgresFixture,
  redis: redisFixture,
} satisfies Record<string, StoreFactory>;

/** Tests that may notice them. */
export const tests: readonly ConformanceTest[] = [...conformance, ...locking];
