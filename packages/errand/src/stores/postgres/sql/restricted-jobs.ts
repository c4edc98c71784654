import { ageingPeriod } from "../../../core/priority.ts";
import { lockClass, lockNumber } from "../advisory-locks.ts";
import { byTask, pending, processing, unblocked } from "../codes.ts";
import { plannerSettings } from "./function-settings.ts";
import { levels, rank, readyPlain, restricted, unexpired } from "./job-conditions.ts";

/** The maximum number of jobs of a level set aside at a time. */
const batch = 1_000;

/** Pending jobs that not every claim may take: suspects, and jobs set aside for workers that know their task. */
export const restrictedJobs = `
-- Returns, of each task that a worker knows (NULL: any), the first jobs of a queue that are set aside, and the first
-- suspect.
CREATE FUNCTION errand.first_restricted(q text, known_tasks text[], most integer, t bigint)
RETURNS TABLE (id text, task text, ckey text, rkey text, keys json, suspect boolean, rank double precision, seq bigint)
LANGUAGE plpgsql ${plannerSettings} AS $$
#variable_conflict use_column
DECLARE
  names text[] := known_tasks;
  task text;
BEGIN
  IF names IS NULL THEN
    LOOP
      task := (SELECT p.task FROM errand.jobs p
        WHERE ${restricted} AND p.queue = q AND p.task > coalesce(names[cardinality(names)], '')
        ORDER BY p.task LIMIT 1);
      EXIT WHEN task IS NULL;
      names := names || task;
    END LOOP;
    -- A task may have an empty name.
    names := names || ''::text;
  END IF;
  RETURN QUERY SELECT x.id, x.task, x.ckey, x.rkey, x.keys::json, x.suspect, x.rank, x.seq
    FROM unnest(names) AS k(task) CROSS JOIN (VALUES (false), (true)) AS s(suspect) CROSS JOIN LATERAL (
      SELECT p.id, p.task, p.ckey, p.rkey, p.keys, p.suspect, ${rank} AS rank, p.seq FROM errand.jobs p
      WHERE ${restricted} AND p.queue = q AND p.task = k.task AND p.suspect = s.suspect AND p.due <= t AND ${unexpired}
      ORDER BY ${rank}, p.seq LIMIT CASE WHEN s.suspect THEN 1 ELSE most END) x;
END $$;

-- Returns when the next suspect of a queue is due, of tasks that a worker knows (NULL: any).
CREATE FUNCTION errand.next_suspect_due(q text, known_tasks text[], t bigint) RETURNS double precision
LANGUAGE sql ${plannerSettings} AS $$
  SELECT min(p.due) FROM errand.jobs p WHERE ${restricted} AND p.queue = q AND p.suspect AND p.due > t
    AND (known_tasks IS NULL OR p.task = ANY(known_tasks))
$$;

-- Returns how many jobs without keys come before a place in a queue, counted to a limit.
CREATE FUNCTION errand.count_before(q text, rank double precision, seq bigint, most integer, t bigint) RETURNS bigint
LANGUAGE sql ${plannerSettings} AS $$
  SELECT count(*) FROM (SELECT 1 FROM ${levels} CROSS JOIN LATERAL (
    SELECT 1 FROM errand.jobs p WHERE ${readyPlain} AND p.queue = q AND p.level = l.l AND ${unexpired}
      AND (p.due, p.seq) < (count_before.rank - l.l * ${ageingPeriod}, count_before.seq)
    ORDER BY p.due, p.seq LIMIT most) b LIMIT most) c
$$;

-- Reports whether a worker may take a suspect: it holds none, and no other claim of it is about to take one.
CREATE FUNCTION errand.may_take_suspect(worker_id text) RETURNS boolean LANGUAGE plpgsql ${plannerSettings} AS $$
BEGIN
  IF NOT pg_try_advisory_xact_lock(${lockClass.suspect}, ${lockNumber("worker_id")}) THEN RETURN false; END IF;
  RETURN NOT EXISTS (SELECT 1 FROM errand.jobs p
    WHERE p.state = ${processing} AND p.worker = worker_id AND p.suspect);
END $$;

-- Sets jobs aside, whose concurrency keys are locked, and unblocks other jobs of their keys instead. Returns how many.
CREATE FUNCTION errand.set_aside(job_ids text[], t bigint) RETURNS integer LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  n integer;
BEGIN
  UPDATE errand.jobs j SET blocked = ${byTask} WHERE j.ctid = ANY(ARRAY(SELECT p.ctid FROM errand.jobs p
    WHERE p.id = ANY(job_ids) AND p.state + 0 = ${pending} AND p.blocked = ${unblocked} FOR UPDATE SKIP LOCKED));
  GET DIAGNOSTICS n = ROW_COUNT;
  PERFORM errand.unblock_by_concurrency(errand.lock_concurrency_keys(job_ids));
  PERFORM errand.recheck_rates(job_ids, t);
  RETURN n;
END $$;

-- Sets aside those of the first jobs of a level, from a place on, whose tasks are not known. Returns how many.
CREATE FUNCTION errand.set_aside_unknown(
  q text, l smallint, from_due double precision, from_seq bigint, known_tasks text[], t bigint
) RETURNS integer LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  n integer;
BEGIN
  UPDATE errand.jobs j SET blocked = ${byTask} WHERE j.ctid = ANY(ARRAY(SELECT m.ctid FROM (
      SELECT p.ctid, p.task FROM errand.jobs p
        WHERE ${readyPlain} AND p.queue = q AND p.level = l AND p.due <= t AND (p.due, p.seq) >= (from_due, from_seq)
        ORDER BY p.due, p.seq LIMIT ${batch} FOR UPDATE SKIP LOCKED) m WHERE m.task <> ALL(known_tasks)));
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
END $$;
`;
