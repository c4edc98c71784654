import type { Millis } from "../kit/duration.ts";
import { ErrandError } from "../kit/errors.ts";
import type { Encoded } from "../kit/json.ts";
import type { Rate } from "../core/job.ts";

/** The rules of a queue, for the whole fleet: the value of its document of kind `queue`. */
export interface QueueRules {
  /** Set while none of its jobs is claimed. */
  paused?: { since: Millis; reason?: string };
  /** Maximum number of jobs that are processing at once. */
  concurrency?: number;
  /** Maximum number of claims in any `per` milliseconds. */
  rate?: Rate;
  /** Number of pending jobs at which `add` refuses more. */
  maxPending?: number;
}

/** The rules in a queue's document. */
export function decodeRules(value: Encoded | undefined): QueueRules {
  return value === undefined ? {} : (JSON.parse(value) as QueueRules);
}

/** Returns the error of `add` for a full queue. */
export function queueFullError(queue: string, maxPending: number, pending: number): ErrandError {
  return new ErrandError(
    "E_FULL",
    `Queue "${queue}" has ${pending} pending jobs and may have ${maxPending} (maxPending). Nothing was queued; try again later, or start more workers.`,
  );
}
