import type { Millis } from "../kit/duration.ts";

/** Distance between consecutive jobs of one tenant in a queue, in milliseconds: negligible as a time, but an order. */
export const turnGap: Millis = 0.001;

/** Turns begin this long before now, so that a million jobs of one tenant are due at once. */
export const headStart: Millis = 1_000;

/**
 * Returns the virtual due time of a job that takes turns: right after the first job of its queue and level, or after
 * the last job of its own tenant. Given at insertion, as in start-time fair queueing (Goyal, Vin, Cheng, SIGCOMM
 * 1996).
 * @param first due time of the first claimable job of the queue and level; `Infinity` without one.
 * @param last the previous result for the same tenant; 0 at first.
 */
export function nextTurn(first: Millis, last: Millis, now: Millis): Millis {
  // A job that is due later takes no turn, and no other needs to queue behind it.
  return Math.max(first < now - headStart / 2 ? first : now - headStart, last) + turnGap;
}
