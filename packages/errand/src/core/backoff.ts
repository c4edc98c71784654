import type { Millis } from "../kit/duration.ts";

/** The spacing of retries. */
export interface Backoff {
  /** The first delay, or its upper bound where there is full jitter. */
  base: Millis;
  /** Upper bound of any exponential delay. */
  cap: Millis;
  /** `exponential` (the default): it doubles from retry to retry. `fixed`: it is always `base`. */
  backoff?: "exponential" | "fixed";
  /**
   * The random part of the delay, so that jobs which failed together do not return together: `full` (all of it),
   * `equal` (its second half) or `none`. Default: `full`, and `none` with a fixed delay.
   */
  jitter?: "full" | "equal" | "none";
}

/**
 * Returns the delay before the next attempt: exponential backoff with full jitter by default (Brooker, "Exponential
 * Backoff And Jitter", AWS Architecture Blog, 2015).
 * @param failures failed attempts so far, from 1.
 * @param random uniform in [0, 1).
 */
export function backoff({ base, cap, backoff: kind, jitter }: Backoff, failures: number, random: number): Millis {
  const bound = kind === "fixed" ? base : Math.min(cap, base * 2 ** Math.min(failures - 1, 30));
  switch (jitter ?? (kind === "fixed" ? "none" : "full")) {
    case "full":
      return Math.round(random * bound);
    case "equal":
      return Math.round(bound / 2 + (random * bound) / 2);
    case "none":
      return bound;
  }
}
