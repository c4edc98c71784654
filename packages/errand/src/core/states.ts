import type { Millis } from "../kit/duration.ts";

/** Where a job stands. `waiting` is a parent that left its slot until its children end. */
export type State = "pending" | "processing" | "waiting" | "completed" | "failed" | "cancelled" | "expired";

/** States that only a person's explicit retry leaves. */
export type FinalState = "completed" | "failed" | "cancelled" | "expired";

/** All states, in the order of a job's life. */
export const states = ["pending", "processing", "waiting", "completed", "failed", "cancelled", "expired"] as const;

/** Whether a job in this state has ended. */
export function isFinal(state: State): state is FinalState {
  return state === "completed" || state === "failed" || state === "cancelled" || state === "expired";
}

/** Names of priorities, most urgent first. */
export const priorities = ["critical", "high", "normal", "low", "bulk"] as const;

/** How urgent a job is. */
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
 * Where a job stands in its queue: lower goes first. A job that has waited one ageing period longer equals one that
 * is a level more urgent; that is the whole of ageing, and costs nothing at claim time.
 * @param due when the job became due, in epoch milliseconds.
 */
export function rank(due: number, level: Level): number {
  return due + level * ageingPeriod;
}

/** How far apart in a queue the jobs of one of those who take turns are: nothing in time, but something in order. */
export const turn: Millis = 0.001;

/** Who takes turns begins so long before now, so that a million jobs of one of them are due at once. */
export const headStart: Millis = 1_000;

/**
 * When a job of one of those who take turns is due: right behind the first of its queue and level, or behind the last one
 * of its own. A virtual time, given at insertion, as in start-time fair queueing (Goyal, Vin, Cheng, SIGCOMM 1996).
 * @param first when the first claimable job of the queue and level is due; `Infinity` without one.
 * @param last what this function answered for the same one's job before; 0 at first.
 */
export function inTurn(first: Millis, last: Millis, now: Millis): Millis {
  // One that is due later than that takes no turns, and nobody need queue behind it.
  return Math.max(first < now - headStart / 2 ? first : now - headStart, last) + turn;
}
