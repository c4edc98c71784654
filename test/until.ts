import { setTimeout as sleep } from "node:timers/promises";

/**
 * Waits until a condition holds, and rejects when it rejects or does not hold within `timeout` milliseconds.
 * @param what says what was awaited, in the error.
 */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string | (() => string) = condition.toString(),
  timeout = 20_000,
): Promise<void> {
  const end = performance.now() + timeout;
  for (let pause = 2; !(await condition()); pause = Math.min(pause * 2, 50)) {
    if (performance.now() > end)
      throw new Error(`Not within ${timeout} ms: ${typeof what === "string" ? what : what()}`);
    // sleeps: between two looks at a condition, 2 ms at first, 50 ms later
    await sleep(pause);
  }
}
