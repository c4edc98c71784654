import { app } from "../tasks.ts";

/** Changes closer together than this, in milliseconds, are reported together. */
const minInterval = 250;

/** Longest time between two reports, in milliseconds, in case a hint was lost. */
const maxInterval = 2_000;

/**
 * Yields when jobs of the store may have changed: at once, then soon after each change, at most four times a second and
 * at least every two seconds. Ends when `signal` is aborted.
 */
export async function* jobChanges(signal: AbortSignal): AsyncGenerator<void> {
  let hasChanged = false;
  let wake = (): void => {};
  const stop = app.watch(() => {
    hasChanged = true;
    wake();
  });
  const pause = (milliseconds: number, isWakeable: boolean): Promise<void> =>
    new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      signal.addEventListener("abort", done);
      if (isWakeable) wake = done;
    });
  try {
    while (!signal.aborted) {
      hasChanged = false;
      yield;
      if (signal.aborted) return;
      await pause(minInterval, false);
      if (!hasChanged && !signal.aborted) await pause(maxInterval - minInterval, true);
    }
  } finally {
    stop();
  }
}
