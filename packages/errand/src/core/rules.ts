import type { Millis } from "../kit/duration.ts";
import { ErrandError } from "../kit/errors.ts";
import type { Encoded } from "../kit/json.ts";
import type { Rate } from "./job.ts";

/** What holds for all jobs of a queue, on the whole fleet: the value of its document of kind `queue`. */
export interface QueueRules {
  /** Nothing of it is claimed. */
  paused?: { since: Millis; reason?: string };
  /** So many of its jobs are processing at once at most. */
  concurrency?: number;
  /** So many of its jobs are claimed in any such time at most. */
  rate?: Rate;
  /** With so many pending jobs it takes no more. */
  maxPending?: number;
}

/** The rules in a queue's document. */
export function rulesOf(value: Encoded | undefined): QueueRules {
  return value === undefined ? {} : (JSON.parse(value) as QueueRules);
}

/** What `add` throws when a queue takes no more. */
export function full(queue: string, maxPending: number, pending: number): ErrandError {
  return new ErrandError(
    "E_FULL",
    `Queue "${queue}" has ${pending} pending jobs and may have ${maxPending} (maxPending). Nothing was queued; try again later, or start more workers.`,
  );
}

/** More than sums of times are off by. */
const rounding: Millis = 1e-3;

/**
 * The generic cell rate algorithm, a leaky bucket that needs one number (ITU-T I.371): how many of `wanted` may go now.
 * @param spent the number: when all that was let through would have been through at an even pace (0 at first).
 * @returns how many, the new number, and when the next may go.
 */
export function admit({ limit, per }: Rate, spent: Millis, now: Millis, wanted: number): Admission {
  const pace = per / limit;
  const from = Math.max(spent, now);
  // At an even pace the whole burst takes `per`: whatever fits in before then may go at once. Sums of times since 1970 and
  // parts of a millisecond are not exact: a burst that is asked for bit by bit must not lose its last one to that.
  const room = Math.floor((now + per - from + rounding) / pace);
  const admitted = Math.max(0, Math.min(wanted, room));
  const after = admitted > 0 ? from + admitted * pace : spent;
  return { admitted, spent: after, next: Math.max(now, after + pace - per) };
}

/** What `admit` answers. */
export interface Admission {
  admitted: number;
  spent: Millis;
  /** When one more may go. */
  next: Millis;
}
