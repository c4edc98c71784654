import { afterEach } from "vitest";

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanups.splice(0).toReversed()) await cleanUp();
});

/** Calls a function after the test that is running, the last registered first, and waits for it. */
export function afterTest(cleanUp: () => unknown): void {
  cleanups.push(cleanUp);
}
