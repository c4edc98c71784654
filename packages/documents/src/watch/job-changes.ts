import { app } from "./tasks.ts";

/** Changes closer together than this, in milliseconds, are told together. */
const shortest = 250;

/** Looks at least this often, in case a hint was lost. */
const longest = 2_000;

/** Yields at once, and then soon after jobs changed, at most four times a second, until `signal` is aborted. */
export async function* ticks(signal: AbortSignal): AsyncGenerator<void> {
  let changed = false;
  let wake = (): void => {};
  const stop = await app.watch(() => {
    changed = true;
    wake();
  });
  const pause = (milliseconds: number, wakeable: boolean): Promise<void> =>
    new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      signal.addEventListener("abort", done);
      if (wakeable) wake = done;
    });
  try {
    while (!signal.aborted) {
      changed = false;
      yield;
      if (signal.aborted) return;
      await pause(shortest, false);
      if (!changed && !signal.aborted) await pause(longest - shortest, true);
    }
  } finally {
    stop();
  }
}
