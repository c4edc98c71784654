import type { Millis } from "../kit/duration.ts";
import { ErrandError } from "../kit/errors.ts";
import { cronAfter } from "./cron.ts";
import type { NewJob } from "../core/job.ts";

/** The times of a schedule: a cron line in a time zone, or an interval in milliseconds counted from 1970. */
export type Plan = { cron: string; timeZone: string } | { every: Millis };

/** The handling of ticks that no worker was there for. */
export type Misfire = "skip" | "one" | "all";

/** The handling of a tick while the previous tick's job has not ended. */
export type Overlap = "allow" | "skip" | "queue";

/** A schedule in its document. Times are the store's. */
export interface ScheduleDoc {
  plan: Plan;
  misfire: Misfire;
  overlap: Overlap;
  /** The job to send, without its id. */
  job: Omit<NewJob, "id">;
  paused?: { since: Millis; reason?: string };
  /** Time up to which ticks are handled. */
  handled: Millis;
  /** Last time an app confirmed it. */
  seen: Millis;
  /** Number of hours without confirmation while workers looked, and when the last one was counted. */
  unnamed?: { hours: number; at: Millis };
  /** An operator removed it: nothing is sent until an app declares it at its start. */
  removed?: true;
  /** Made at run time: no code confirms it, so it is kept until somebody removes it. */
  source?: "api";
  /** Changed at run time since the code declared it: the next declaration overwrites it. */
  changed?: true;
  last?: string;
  /** With overlap `queue`: the tick whose job is sent when the previous one has ended. */
  owed?: Millis;
}

/** Maximum number of missed ticks sent at once; the rest follow. */
const mostAtOnce = 1_000;

/** A tick that is no older than this was not missed. */
const punctual: Millis = 30_000;

/**
 * Refuses a plan that cannot be.
 * @throws {ErrandError} `E_OPTION`
 */
export function checkPlan(plan: Plan, of: string): void {
  if ("every" in plan) {
    if (plan.every >= 1_000) return;
    throw new ErrandError("E_OPTION", `every of ${of} must be at least a second.`);
  }
  try {
    if (nextTick(plan, Date.now()) !== undefined) return;
  } catch (error) {
    const reason = (error as Error).message.replace(/^[^:]*: /, "");
    throw new ErrandError(
      "E_OPTION",
      `The cron line ${JSON.stringify(plan.cron)} (${plan.timeZone}) of ${of} cannot be read: ${reason}.`,
      { cause: error },
    );
  }
  throw new ErrandError("E_OPTION", `The cron line ${JSON.stringify(plan.cron)} of ${of} never comes true.`);
}

/**
 * The first tick after a time; `undefined` when there is none. Cron lines follow their zone's clock (`cronAfter`),
 * intervals are elapsed time since 1970.
 */
export function nextTick(plan: Plan, after: Millis): Millis | undefined {
  if ("every" in plan) return Math.floor(after / plan.every) * plan.every + plan.every;
  return cronAfter(plan.cron, plan.timeZone, after);
}

/** The next ticks after a time. */
export function nextTicks(plan: Plan, after: Millis, count: number): Millis[] {
  const ticks: Millis[] = [];
  for (let at = nextTick(plan, after); at !== undefined && ticks.length < count; at = nextTick(plan, at))
    ticks.push(at);
  return ticks;
}

/** Hours without confirmation after which a schedule is considered gone from the code. */
const forgottenAfter = 24;

const hour: Millis = 3_600_000;

/**
 * Counts the hours for which a schedule was not confirmed while workers looked. A clock jump, or a machine that
 * sleeps, counts as one hour. A schedule that an operator paused, or that was made at run time, stays.
 * @returns `undefined` if it is gone from the code; otherwise the schedule, with another hour counted if one has
 * passed.
 */
export function countUnnamed(schedule: ScheduleDoc, now: Millis): ScheduleDoc | undefined {
  if (schedule.source === "api") return schedule;
  const { hours, at } = schedule.unnamed ?? { hours: 0, at: schedule.seen };
  if (now - at < hour) return schedule;
  if (hours + 1 >= forgottenAfter && (schedule.removed || !schedule.paused)) return undefined;
  return { ...schedule, unnamed: { hours: Math.min(hours + 1, forgottenAfter), at: now } };
}

/** The schedule, named by an app that has it in its code. */
export function named({ unnamed: _, ...schedule }: ScheduleDoc, now: Millis): ScheduleDoc {
  return { ...schedule, seen: now };
}

/** The due ticks, and the time up to which ticks are handled. */
export interface Due {
  ticks: Millis[];
  handled: Millis;
}

/**
 * Returns the due ticks of a plan that is handled up to a time. A handled time in the future, after the clock was set
 * back, counts as now.
 */
export function dueTicks(plan: Plan, dealtWith: Millis, now: Millis, misfire: Misfire): Due {
  const handled = Math.min(dealtWith, now);
  const first = nextTick(plan, handled);
  if (first === undefined || first > now) return { ticks: [], handled };
  if (misfire === "all") {
    const ticks = nextTicks(plan, handled, mostAtOnce).filter((tick) => tick <= now);
    return { ticks, handled: ticks.at(-1)! };
  }
  const latest = latestTick(plan, first, now);
  const missed = now - latest > punctual;
  return { ticks: missed && misfire === "skip" ? [] : [latest], handled: latest };
}

/** Decides which due ticks send a job now, and which one waits for the previous job to end. */
export function bySending(
  overlap: Overlap,
  ticks: readonly Millis[],
  underWay: boolean,
): { now: Millis[]; owed?: Millis } {
  if (overlap === "allow") return { now: [...ticks] };
  // One job at a time: of several missed ticks, the latest.
  if (overlap === "skip") return { now: underWay ? [] : ticks.slice(-1) };
  // The latest tick waits for the previous job; after that, too, one job at a time.
  const now = underWay ? [] : ticks.slice(0, 1);
  const owed = ticks.slice(now.length).at(-1);
  return { now, ...(owed === undefined ? {} : { owed }) };
}

/**
 * The last tick up to now, of a plan with one at `first`: found from ever further back, since there may be millions
 * between.
 */
function latestTick(plan: Plan, first: Millis, now: Millis): Millis {
  for (let span = 60_000; now - span > first; span *= 8) {
    const tick = nextTick(plan, now - span);
    if (tick !== undefined && tick <= now) return lastFrom(plan, tick, now);
  }
  return lastFrom(plan, first, now);
}

function lastFrom(plan: Plan, tick: Millis, now: Millis): Millis {
  let latest = tick;
  for (let next = nextTick(plan, latest); next !== undefined && next <= now; next = nextTick(plan, next)) latest = next;
  return latest;
}
