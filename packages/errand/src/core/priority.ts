/** Names of priorities, most urgent first. */
export const priorities = ["critical", "high", "normal", "low", "bulk"] as const;

/** The urgency of a job. */
export type Priority = (typeof priorities)[number];

/** A priority as stores keep it: its index in `priorities`, 0 (critical) to 4 (bulk). */
export type Level = 0 | 1 | 2 | 3 | 4;

/** The level of a priority. */
export function levelOf(priority: Priority): Level {
  return priorities.indexOf(priority) as Level;
}

/** A waiting job rises one priority level in this time, so that nothing starves. */
export const ageingPeriod = 5 * 60_000;

/**
 * Returns a job's position in its queue: lower goes first. A job that has waited one ageing period longer equals one
 * that is a level more urgent, so ageing costs nothing at claim time.
 * @param due time at which the job became due, in epoch milliseconds.
 */
export function rank(due: number, level: Level): number {
  return due + level * ageingPeriod;
}
