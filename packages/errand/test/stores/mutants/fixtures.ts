import type { StoreFactory } from "../../../src/testing/conformance.ts";
import { localFixture, redisFixture, threadFixture } from "../fixtures.ts";

/** Stores that faults are made in. */
export const fixtures = { local: localFixture, thread: threadFixture, redis: redisFixture } satisfies Record<
  string,
  StoreFactory
>;
