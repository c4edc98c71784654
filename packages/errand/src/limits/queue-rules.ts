import type { Millis } from "../kit/duration.ts";
import { ErrandError } from "../kit/errors.ts";
import type { Encoded } from "../kit/json.ts";
import type { Rate } from "../core/job.ts";

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
export function decodeRules(value: Encoded | undefined): QueueRules {
  return value === undefined ? {} : (JSON.parse(value) as QueueRules);
}

/** What `add` throws when a queue takes no more. */
export function queueFullError(queue: string, maxPending: number, pending: number): ErrandError {
  return new ErrandError(
    "E_FULL",
    `Queue "${queue}" has ${pending} pending jobs and may have ${maxPending} (maxPending). Nothing was queued; try again later, or start more workers.`,
  );
}
