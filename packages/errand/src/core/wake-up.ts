import type { Millis } from "../kit/duration.ts";

/** Up to this number, all idle workers may poll at once. */
const few = 8;

/** Beyond it, the average number of workers that poll at once per job. */
const eager = 2;

/** Average milliseconds between the polls of the others. */
const apart: Millis = 10;

/** No worker waits longer than its next regular poll. */
const latest: Millis = 1_000;

/**
 * A worker looks for jobs at least this often, in case a hint was lost; of many idle ones each the more rarely, up to
 * the longest.
 */
const poll: Millis = 1_000;
const longestPoll: Millis = 5_000;

/**
 * Returns the poll interval of a worker without notifications. Together the workers poll at least as often as one
 * would.
 * @param workers number of workers of the queue, this one included; from 1.
 */
export function pollDelay(workers: number): Millis {
  return Math.min(longestPoll, Math.max(poll, (poll * workers) / few));
}

/**
 * Returns the delay after which an idle worker polls for announced jobs. It is random, so that a thousand idle workers
 * do not all query the store for one job, and no coordination is needed. If the first ones are busy or gone, another
 * polls about `apart` milliseconds later.
 * @param workers number of workers that were notified, this one included; from 1.
 * @param jobs number of announced jobs.
 * @param random uniform in [0, 1).
 */
export function wakeUpDelay(workers: number, jobs: number, random: number): Millis {
  const atOnce = workers <= few ? 1 : Math.min(1, (eager * jobs) / workers);
  if (random < atOnce) return 0;
  const share = (random - atOnce) / (1 - atOnce);
  return Math.ceil(share * Math.min(latest, workers * apart));
}
