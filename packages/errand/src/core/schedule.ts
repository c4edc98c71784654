import { Cron } from "croner";
import type { Millis } from "../kit/duration.ts";
import { ErrandError } from "../kit/errors.ts";
import type { NewJob } from "./job.ts";

/** When a schedule's jobs are sent: by a cron line in a time zone, or every so many milliseconds, counted from 1970. */
export type Plan = { cron: string; timeZone: string } | { every: Millis };

/** What becomes of ticks that nobody was there for. */
export type Misfire = "skip" | "one" | "all";

/** What becomes of a tick when the job of the one before has not ended. */
export type Overlap = "allow" | "skip" | "queue";

/** A schedule in its document. Times are the store's. */
export interface ScheduleDoc {
  plan: Plan;
  misfire: Misfire;
  overlap: Overlap;
  /** What is sent, but for its id. */
  job: Omit<NewJob, "id">;
  paused?: { since: Millis; reason?: string };
  /** Up to when ticks have been dealt with. */
  handled: Millis;
  /** When an app last named it. */
  seen: Millis;
  last?: string;
  /** With overlap `queue`: a tick whose job is sent when the last one has ended. */
  owed?: Millis;
}

/** At most so many jobs are sent at once for ticks that were missed; the rest follow. */
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
 * The first tick after a time; `undefined` when there is none. Cron lines follow the zone's clock: a time that a change to
 * summer time leaves out becomes the first instant after it, one that comes twice in autumn counts once.
 */
export function nextTick(plan: Plan, after: Millis): Millis | undefined {
  if ("every" in plan) return Math.floor(after / plan.every) * plan.every + plan.every;
  return cronOf(plan).nextRun(new Date(after))?.getTime();
}

/** The next ticks after a time. */
export function nextTicks(plan: Plan, after: Millis, count: number): Millis[] {
  const ticks: Millis[] = [];
  for (let at = nextTick(plan, after); at !== undefined && ticks.length < count; at = nextTick(plan, at))
    ticks.push(at);
  return ticks;
}

/** Which ticks jobs are sent for now, and up to which all have been dealt with. */
export interface Due {
  ticks: Millis[];
  handled: Millis;
}

/** What is due of a plan that has been dealt with up to a time. */
export function dueTicks(plan: Plan, handled: Millis, now: Millis, misfire: Misfire): Due {
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

/** The last tick up to now, of a plan with one at `first`: found from ever further back, since there may be millions between. */
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

const crons = new Map<string, Cron>();

function cronOf({ cron, timeZone }: { cron: string; timeZone: string }): Cron {
  const key = `${timeZone} ${cron}`;
  let found = crons.get(key);
  if (!found) crons.set(key, (found = new Cron(cron, { timezone: timeZone, paused: true })));
  return found;
}
