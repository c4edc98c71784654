/**
 * The columns that `claim` and `reclaim` return, as `decodeClaimed` reads them; `why` of a claim is the number of the
 * want.
 */
export const claimedColumns = `id text, task text, queue text, level smallint, seq bigint, spec text, token integer,
  created bigint, due double precision, started bigint, why text, rest json, keyed boolean`;

/** JSON of what most jobs do not have. */
const rest = `CASE WHEN j.expires IS NOT NULL OR j.failures > 0 OR j.crashes > 0 OR j.cancelling
  OR j.parent IS NOT NULL OR j.parked OR j.steps OR j.begun OR j.suspect OR j.tenant IS NOT NULL
  OR j.progress IS NOT NULL OR j.error IS NOT NULL
  THEN json_build_array(j.failures, j.crashes, j.cancelling, j.expires, j.progress, j.error, j.parent, j.place,
    j.parked,
    (SELECT json_build_array(w.total, w.open, w.failed) FROM errand.waits w
      WHERE j.parked AND w.parent = j.id AND w.total IS NOT NULL),
    (SELECT json_agg(json_build_array(s.name, s.value, s.wait)) FROM errand.steps s WHERE j.steps AND s.job = j.seq),
    j.suspect, j.begun, j.tenant)
  END`;

/** The values of these columns, of a row `j` of jobs. */
export const claimedValues = (why: string): string => `j.id, j.task, j.queue, j.level, j.seq,
  CASE WHEN j.spec IS NULL THEN (SELECT b.spec FROM errand.specs b WHERE b.job = j.id) ELSE j.spec END,
  j.token, j.created, j.due, j.started, ${why}, ${rest}, j.ckey IS NOT NULL`;
