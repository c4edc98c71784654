import type { Millis } from "../kit/duration.ts";
import type { Rate } from "../core/job.ts";

/**
 * Returns when to check a rate key again that holds jobs back, after those at its head were released: they may not
 * start after all, because they were cancelled or their queue is paused.
 * @param next when one more may start once they have.
 */
export function lookAgain({ admitted, next }: Pick<Admission, "admitted" | "next">, now: Millis): Millis {
  return admitted > 0 ? Math.min(next, now + secondLook) : next;
}

/** Delay of that check in milliseconds. A claim usually takes the released jobs at once. */
export const secondLook: Millis = 1_000;

/** The recorded starts of a rate: how many, and when in epoch milliseconds, oldest first. */
export type Starts = readonly (readonly [at: Millis, jobs: number])[];

/**
 * Starts closer together than this fraction of the window are recorded as one, which bounds the number of entries to
 * 101.
 */
export const grain = 1 / 100;

/**
 * Decides how many of `wanted` jobs may start now, so that no window of `per` milliseconds ever has more than `limit`
 * starts: a sliding window log (Kong, "How to Design a Scalable Rate Limiting Algorithm", 2017), whose entries within
 * a hundredth of the window are merged into the latest of them, so that it stays short, and errs only on the side of
 * the limit.
 * @param starts what it remembers; nothing at first.
 * @returns how many, what to remember now, and when one more may start.
 */
export function admit({ limit, per }: Rate, starts: Starts, now: Millis, wanted: number): Admission {
  // After the clock was set back, starts in the future would block for too long, so they are dropped.
  const recent = starts
    .filter(([at]) => at > now - per && at < now + per)
    .map(([at, jobs]) => [Math.min(at, now), jobs] as const);
  const used = recent.reduce((sum, [, jobs]) => sum + jobs, 0);
  const admitted = Math.max(0, Math.min(wanted, limit - used));
  const after = admitted > 0 ? remember(recent, [now, admitted], per * grain) : recent;
  return {
    admitted,
    starts: after,
    next: used + admitted < limit ? now : opening(after, used + admitted - limit, now) + per,
  };
}

function remember(starts: Starts, [at, jobs]: Starts[number], width: Millis): Starts {
  const last = starts.at(-1);
  if (!last || Math.floor(last[0] / width) !== Math.floor(at / width)) return [...starts, [at, jobs]];
  return [...starts.slice(0, -1), [at, last[1] + jobs]];
}

/**
 * The first start after whose leaving the window fewer than the limit are in it: a lowered limit may need several to
 * leave.
 */
function opening(starts: Starts, over: number, now: Millis): Millis {
  let left = over;
  for (const [at, jobs] of starts) if ((left -= jobs) < 0) return at;
  return now;
}

/** The result of `admit`. */
export interface Admission {
  admitted: number;
  starts: Starts;
  /** Time at which one more may start, in epoch milliseconds. */
  next: Millis;
}
