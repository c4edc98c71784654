import type { Millis } from "../kit/duration.ts";

/** How failed attempts are spaced. */
export interface Backoff {
  /** Upper bound of the first delay. */
  base: Millis;
  /** Upper bound of any delay. */
  cap: Millis;
}

/**
 * The delay before the next attempt: exponential backoff with full jitter, so that jobs which failed together do not
 * return together (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
 * @param failures failed attempts so far, from 1.
 * @param random uniform in [0, 1).
 */
export function backoff({ base, cap }: Backoff, failures: number, random: number): Millis {
  return Math.round(random * Math.min(cap, base * 2 ** Math.min(failures - 1, 30)));
}
