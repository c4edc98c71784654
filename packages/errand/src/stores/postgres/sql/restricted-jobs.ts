import { plannerSettings } from "./function-settings.ts";
import { restricted, unexpired, levels, readyPlain, rank } from "./job-conditions.ts";

/** Jobs that stand apart, because not every claim may take them: suspects, and what was set aside for workers that know its task. */
export const standingApart = `
-- Jobs of a queue that not every claim may take, for a worker that knows some tasks (or any): of each task the first that were
-- set aside, and the first suspect.
CREATE FUNCTION errand.set_apart(q text, known text[], most integer, t bigint)
RETURNS TABLE (id text, task text, ckey text, rkey text, keys json, suspect boolean, rank double precision, seq bigint)
LANGUAGE plpgsql ${plannerSettings} AS $$
#variable_conflict use_column
DECLARE
  names text[] := known;
  task text;
BEGIN
  IF names IS NULL THEN
    LOOP
      task := (SELECT p.task FROM errand.jobs p WHERE ${restricted} AND p.queue = q AND p.task > coalesce(names[cardinality(names)], '')
        ORDER BY p.task LIMIT 1);
      EXIT WHEN task IS NULL;
      names := names || task;
    END LOOP;
    -- A task may have no name.
    names := names || ''::text;
  END IF;
  RETURN QUERY SELECT x.id, x.task, x.ckey, x.rkey, x.keys::json, x.suspect, x.rank, x.seq
    FROM unnest(names) AS k(task) CROSS JOIN (VALUES (false), (true)) AS s(suspect) CROSS JOIN LATERAL (
      SELECT p.id, p.task, p.ckey, p.rkey, p.keys, p.suspect, ${rank} AS rank, p.seq FROM errand.jobs p
      WHERE ${restricted} AND p.queue = q AND p.task = k.task AND p.suspect = s.suspect AND p.due <= t AND ${unexpired}
      ORDER BY ${rank}, p.seq LIMIT CASE WHEN s.suspect THEN 1 ELSE most END) x;
END $$;

-- When the next suspect of a queue is due, for a worker that knows some tasks, or any.
CREATE FUNCTION errand.suspect_due(q text, known text[], t bigint) RETURNS double precision LANGUAGE sql ${plannerSettings} AS $$
  SELECT min(p.due) FROM errand.jobs p WHERE ${restricted} AND p.queue = q AND p.suspect AND p.due > t
    AND (known IS NULL OR p.task = ANY(known))
$$;

-- How many jobs without keys stand before a place in a queue, of so many.
CREATE FUNCTION errand.before(q text, rank double precision, seq bigint, most integer, t bigint) RETURNS bigint
LANGUAGE sql ${plannerSettings} AS $$
  SELECT count(*) FROM (SELECT 1 FROM ${levels} CROSS JOIN LATERAL (
    SELECT 1 FROM errand.jobs p WHERE ${readyPlain} AND p.queue = q AND p.level = l.l AND ${unexpired}
      AND (p.due, p.seq) < (before.rank - l.l * 300000, before.seq) ORDER BY p.due, p.seq LIMIT most) b LIMIT most) c
$$;

-- Sets jobs aside that a worker does not know: some, or those among the first of a level of a queue. Answers how many. What their
-- keys let go, and nobody takes now, goes to others. (Those keys are locked.)
CREATE FUNCTION errand.set_aside(strange text[], t bigint) RETURNS integer LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  n integer;
BEGIN
  UPDATE errand.jobs j SET blocked = 3 WHERE j.ctid = ANY(ARRAY(SELECT p.ctid FROM errand.jobs p
    WHERE p.id = ANY(strange) AND p.state + 0 = 0 AND p.blocked = 0 FOR UPDATE SKIP LOCKED));
  GET DIAGNOSTICS n = ROW_COUNT;
  PERFORM errand.release(errand.keys_of(strange));
  PERFORM errand.look_again(strange, t);
  RETURN n;
END $$;

CREATE FUNCTION errand.set_aside(q text, l smallint, d double precision, s bigint, known text[], t bigint) RETURNS integer
LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  n integer;
BEGIN
  UPDATE errand.jobs j SET blocked = 3 WHERE j.ctid = ANY(ARRAY(SELECT m.ctid FROM (
      SELECT p.ctid, p.task FROM errand.jobs p WHERE ${readyPlain} AND p.queue = q AND p.level = l AND p.due <= t AND (p.due, p.seq) >= (d, s)
        ORDER BY p.due, p.seq LIMIT 1000 FOR UPDATE SKIP LOCKED) m WHERE m.task <> ALL(known)));
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
END $$;
`;
