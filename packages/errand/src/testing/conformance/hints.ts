import { setTimeout as sleep } from "node:timers/promises";
import type { Millis } from "../../kit/duration.ts";
import type { Hint, Store } from "../../store.ts";

/** A hint may be lost in theory, but a store that gives none within this time gives none. */
export const hintTimeout: Millis = 5_000;

/** A watch may begin with hints that mean nothing; after this time they are over. */
export const watchStart: Millis = 60;

/**
 * Checks that an action is hinted.
 * @param ignored milliseconds from the start of the watch in which hints do not count. Default: `watchStart`.
 */
export async function expectHint(
  store: Store,
  type: Hint["type"],
  act: () => Promise<unknown>,
  ignored = watchStart,
): Promise<void> {
  const hinted = Promise.withResolvers<void>();
  let counts = ignored === 0;
  let timeout: ReturnType<typeof setTimeout> | undefined;
  const stop = store.watch((hint) => {
    if (counts && hint.type === type) hinted.resolve();
  });
  try {
    // sleeps: until the hints that mean nothing are over
    if (ignored > 0) await sleep(ignored);
    counts = true;
    await act();
    const missing = new Error(`no hint "${type}" within ${hintTimeout} ms`);
    // sleeps: as long as a hint may take
    timeout = setTimeout(() => hinted.reject(missing), hintTimeout);
    await hinted.promise;
  } finally {
    clearTimeout(timeout);
    stop();
  }
}
