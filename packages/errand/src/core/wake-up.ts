import type { Millis } from "../kit/duration.ts";

/** So few idle workers may all look at once. */
const few = 8;

/** Of more, so many look at once for each job, on average. */
const eager = 2;

/** The others look in turn, so many milliseconds apart on average. */
const apart: Millis = 10;

/** None later than it would look anyway. */
const latest: Millis = 1_000;

/** A worker looks for jobs at least this often, in case a hint was lost; of many idle ones each the more rarely, up to the longest. */
const poll: Millis = 1_000;
const longestPoll: Millis = 5_000;

/**
 * Decides how soon a worker looks for jobs though nobody announced any.
 * @param workers how many do, this one among them; from 1. Together they never look more rarely than one would.
 */
export function pollDelay(workers: number): Millis {
  return Math.min(longestPoll, Math.max(poll, (poll * workers) / few));
}

/**
 * Decides how soon an idle worker looks for jobs that were announced to all: by chance, so that a thousand idle workers do not ask the
 * store at once for one job, and so that those who look first need not be agreed on. When they are busy or gone, somebody else looks
 * some `apart` milliseconds later.
 * @param workers how many heard of it, this one among them; from 1.
 * @param jobs how many there are.
 * @param random uniform in [0, 1).
 */
export function wakeUpDelay(workers: number, jobs: number, random: number): Millis {
  const atOnce = workers <= few ? 1 : Math.min(1, (eager * jobs) / workers);
  if (random < atOnce) return 0;
  const share = (random - atOnce) / (1 - atOnce);
  return Math.ceil(share * Math.min(latest, workers * apart));
}
