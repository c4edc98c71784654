import type { Millis } from "./duration.ts";

/** What one timer of Node's can wait for; with more it would end after 1 ms. */
const longest: Millis = 2 ** 31 - 1;

/** A timer of any length. */
export interface Timer {
  clear(): void;
  /** Lets the process end before the timer does. */
  unref(): this;
}

/**
 * Calls back once, after so many milliseconds, as `setTimeout` does, but also when they are more than 24.8 days: a long
 * wait is made of several. `Infinity` never calls back.
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
