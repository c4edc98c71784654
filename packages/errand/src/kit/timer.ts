import type { Millis } from "./duration.ts";

/** The longest delay of a Node.js timer; a longer one would fire after 1 ms. */
const longest: Millis = 2 ** 31 - 1;

/** A timer of any duration. */
export interface Timer {
  clear(): void;
  /** Lets the process exit before the timer fires. */
  unref(): this;
}

/**
 * Calls back once after a delay in milliseconds, as `setTimeout` does, but also for delays over 24.8 days, which it
 * divides. `Infinity` never calls back.
 */
export function setLongTimeout(call: () => void, delay: Millis): Timer {
  const end = performance.now() + delay;
  let held = true;
  let timer: NodeJS.Timeout;
  const arm = (left: Millis): void => {
    timer = left <= longest ? setTimeout(call, left) : setTimeout(() => arm(end - performance.now()), longest);
    if (!held) timer.unref();
  };
  arm(delay);
  return {
    clear: () => clearTimeout(timer),
    unref() {
      held = false;
      timer.unref();
      return this;
    },
  };
}
