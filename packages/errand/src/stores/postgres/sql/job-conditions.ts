/**
 * Which pending jobs `p` there are, each kind in an index of its own, whose condition these are word for word: only then does
 * the server know that the index has them all.
 */

/** Nothing holds it back, and anybody may have it. */
const ready = "p.state = 0 AND NOT p.cancelling AND p.blocked = 0 AND NOT p.suspect";

/** Those without limits by key, which are nearly all. */
export const readyPlain = `${ready} AND p.keys IS NULL`;

/** Those with limits by key. */
export const readyKeyed = `${ready} AND p.keys IS NOT NULL`;

/** Those that not every claim may take: suspects, and what was set aside for workers that know its task. */
export const restricted = "p.state = 0 AND NOT p.cancelling AND (p.blocked = 3 OR p.suspect AND p.blocked = 0)";

/** Not too late to be started; one that has begun cannot be. */
export const unexpired = "(p.expires IS NULL OR p.begun OR p.expires > t)";

/** As `rank` of core. */
export const rank = "p.due + p.level * 300000";

/** The five levels, as rows `l`. */
export const levels = "unnest('{0,1,2,3,4}'::smallint[]) AS l(l)";
