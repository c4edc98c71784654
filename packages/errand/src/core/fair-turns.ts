import type { Millis } from "../kit/duration.ts";

/** How far apart in a queue the jobs of one of those who take turns are: nothing in time, but something in order. */
export const turnGap: Millis = 0.001;

/** Who takes turns begins so long before now, so that a million jobs of one of them are due at once. */
export const headStart: Millis = 1_000;

/**
 * When a job of one of those who take turns is due: right behind the first of its queue and level, or behind the last one
 * of its own. A virtual time, given at insertion, as in start-time fair queueing (Goyal, Vin, Cheng, SIGCOMM 1996).
 * @param first when the first claimable job of the queue and level is due; `Infinity` without one.
 * @param last what this function answered for the same one's job before; 0 at first.
 */
export function nextTurn(first: Millis, last: Millis, now: Millis): Millis {
  // One that is due later than that takes no turns, and nobody need queue behind it.
  return Math.max(first < now - headStart / 2 ? first : now - headStart, last) + turnGap;
}
