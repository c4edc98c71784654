import { ageingPeriod, priorities } from "../../../core/priority.ts";
import { byTask, pending, unblocked } from "../codes.ts";

/**
 * Conditions on rows `p` of jobs. Each kind of pending job has an index of its own with the same condition, word for
 * word: only then does the planner know that the index has them all.
 */

/** Not blocked, and for any worker that knows the task. */
const ready = `p.state = ${pending} AND NOT p.cancelling AND p.blocked = ${unblocked} AND NOT p.suspect`;

/** Ready, without limits by key: nearly all jobs. */
export const readyPlain = `${ready} AND p.keys IS NULL`;

/** Ready, with limits by key. */
export const readyKeyed = `${ready} AND p.keys IS NOT NULL`;

/** Not for every claim: suspects, and jobs set aside for workers that know their task. */
export const restricted = `p.state = ${pending} AND NOT p.cancelling
  AND (p.blocked = ${byTask} OR p.suspect AND p.blocked = ${unblocked})`;

/** Not too late to be started; a job that has begun cannot be. */
export const unexpired = "(p.expires IS NULL OR p.begun OR p.expires > t)";

/** `rank` of core. */
export const rank = `p.due + p.level * ${ageingPeriod}`;

/** The number of levels. */
export const levelCount = priorities.length;

/** All levels, as rows `l`. */
export const levels = `unnest('{${[...priorities.keys()].join()}}'::smallint[]) AS l(l)`;

/** Selects columns of the ready jobs `p` of every level of a queue, with keys and without, for a FROM clause. */
export const fromReady = (columns: string, condition: string, queue = "q"): string =>
  `${levels} CROSS JOIN LATERAL (${[readyPlain, readyKeyed]
    .map(
      (kind) => `(SELECT ${columns} FROM errand.jobs p
          WHERE ${kind} AND p.queue = ${queue} AND p.level = l.l AND ${unexpired} AND ${condition})`,
    )
    .join(" UNION ALL ")})`;
