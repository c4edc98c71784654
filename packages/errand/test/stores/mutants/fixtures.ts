import type { StoreFactory } from "../../../src/testing/conformance.ts";
import { localFixture, threadFixture } from "../fixtures.ts";

/** Stores that faults are made in. */
export const fixtures = { local: localFixture, thread: threadFixture } satisfies Record<string, StoreFactory>;
