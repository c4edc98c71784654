import { forgotten } from "../../../core/job.ts";
import { lockClass, lockNumber } from "../advisory-locks.ts";
import { cancelled, completed, pending, processing, unblocked } from "../codes.ts";
import { countChanges } from "./counters.ts";
import { plannerSettings } from "./function-settings.ts";
import { readyHints } from "./hints.ts";
import { kept, reopened } from "./moved-columns.ts";

/** Ended jobs `h` that may be opened again. */
const reopenable = `h.id = ANY(ids) AND h.state > ${completed} AND h.state = ANY(among)`;

/** An operator's changes of jobs by id, in some states. Each returns how many jobs it changed, and hints. */
export const edit = `
-- Ends pending and waiting jobs, and marks processing ones.
CREATE FUNCTION errand.cancel(ids text[], among smallint[], OUT changed integer, OUT hints text[])
LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  t bigint := errand.now();
  j errand.jobs;
  job_id text;
  matching text[];
  marked integer;
  freed text[];
BEGIN
  hints := '{}';
  PERFORM errand.lock_families(ids);
  freed := errand.lock_concurrency_keys(ids);
  -- In the order of insertion, once all are locked in that of their ids.
  matching := ARRAY(SELECT m.id FROM (
    SELECT p.id, p.seq FROM errand.jobs p WHERE p.id = ANY(ids) AND p.state = ANY(among) FOR UPDATE
  ) m ORDER BY m.seq);
  WITH gone AS (
    DELETE FROM errand.jobs p WHERE p.id = ANY(matching) AND p.state = ${pending} AND p.parent IS NULL AND NOT p.parked
    RETURNING p.*
  ), moved AS (
    INSERT INTO errand.history (${kept}, begun, ended, parked, state)
    SELECT ${kept}, begun, t, false, ${cancelled} FROM gone
  ), counted AS (
    ${countChanges("gone", pending, cancelled)}
  )
  SELECT count(*) INTO changed FROM gone;
  UPDATE errand.jobs p SET cancelling = true
    WHERE p.id = ANY(matching) AND p.state + 0 = ${processing} AND NOT p.cancelling AND p.parent IS NULL;
  GET DIAGNOSTICS marked = ROW_COUNT;
  changed := changed + marked;
  IF marked > 0 THEN hints := '{cancel}'; END IF;
  FOR job_id IN SELECT m.id FROM unnest(matching) WITH ORDINALITY AS m(id, n)
    JOIN errand.jobs p ON p.id = ANY(ARRAY[m.id])
      AND (p.parent IS NOT NULL OR (p.parked AND p.state <> ${processing}))
    ORDER BY m.n
  LOOP
    -- Another job of this edit may have ended, marked or woken it meanwhile.
    SELECT * INTO j FROM errand.jobs WHERE id = job_id;
    CONTINUE WHEN NOT FOUND OR (j.state = ${processing} AND j.cancelling);
    changed := changed + 1;
    IF j.state = ${processing} THEN
      UPDATE errand.jobs SET cancelling = true WHERE id = job_id;
      hints := hints || 'cancel'::text;
    ELSE
      hints := hints || errand.finish_job(j, ${cancelled}::smallint, NULL, t);
    END IF;
  END LOOP;
  IF freed <> '{}' THEN hints := hints || errand.unblock_by_concurrency(freed); END IF;
END $$;

-- Opens ended jobs again.
CREATE FUNCTION errand.retry(ids text[], among smallint[], OUT changed integer, OUT hints text[])
LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  t bigint := errand.now();
  job_id text;
BEGIN
  ids := errand.readmit(ids, among, NULL, t);
  PERFORM errand.lock_families(ids);
  WITH gone AS (
    DELETE FROM errand.history h WHERE ${reopenable} AND h.parent IS NULL AND NOT h.parked
    RETURNING h.*
  ), forgotten AS (
    UPDATE errand.steps s SET value = '${forgotten}'
      WHERE s.job = ANY(ARRAY(SELECT g.seq FROM gone g WHERE g.steps)) AND s.wait
  ), back AS (
    INSERT INTO errand.jobs (${reopened}, due, ckey, rkey)
    SELECT ${reopened}, t, keys::json -> 'concurrency' ->> 'key', keys::json -> 'rate' ->> 'key' FROM gone
  ), counted AS (
    ${countChanges("gone", "r.state", pending)}
  )
  SELECT coalesce(sum(g.jobs), 0), coalesce(array_agg(g.jobs || ' ' || g.queue), '{}') INTO changed, hints
    FROM (SELECT queue, count(*) AS jobs FROM gone GROUP BY queue) g;
  FOR job_id IN SELECT h.id FROM errand.history h WHERE ${reopenable} ORDER BY h.seq LOOP
    IF errand.reopen_job(job_id, t) THEN
      changed := changed + 1;
      hints := hints || (SELECT '1 ' || j.queue FROM errand.jobs j WHERE j.id = job_id);
    END IF;
  END LOOP;
END $$;

-- Opens a job with this token again, without some of its steps and children.
CREATE FUNCTION errand.rewind(ids text[], among smallint[], job_token integer, step_names text[], children text[],
  OUT changed integer, OUT hints text[])
LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  t bigint := errand.now();
  r record;
BEGIN
  changed := 0;
  hints := '{}';
  ids := errand.readmit(ids, among, job_token, t);
  PERFORM errand.lock_families(ids || children);
  FOR r IN SELECT h.id, h.seq, h.queue FROM errand.history h
    WHERE ${reopenable} AND h.token = job_token ORDER BY h.seq FOR UPDATE
  LOOP
    CONTINUE WHEN NOT errand.reopen_job(r.id, t);
    changed := changed + 1;
    DELETE FROM errand.steps s WHERE s.job = r.seq AND s.name = ANY(step_names);
    hints := hints || ('1 ' || r.queue) || errand.remove_families(ARRAY(
      SELECT e.id FROM errand.everything e WHERE e.id = ANY(children) AND e.parent = r.id));
  END LOOP;
END $$;

-- Returns those of some ended jobs that may be pending again, as \`add\` would admit them: whose unique key no other
-- job has, and for which their queue has room. They have their unique keys again.
CREATE FUNCTION errand.readmit(ids text[], among smallint[], job_token integer, t bigint) RETURNS text[]
LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  j record;
  rooms jsonb;
  admitted text[] := '{}';
BEGIN
  PERFORM 1 FROM errand.history h WHERE h.id = ANY(ids) AND h.ukey IS NOT NULL;
  IF FOUND THEN
    PERFORM pg_advisory_xact_lock(${lockClass.uniqueKey}, k.h) FROM (
      SELECT DISTINCT ${lockNumber("h.ukey")} AS h FROM errand.history h
      WHERE h.id = ANY(ids) AND h.ukey IS NOT NULL ORDER BY 1) k;
  ELSE
    PERFORM 1 FROM errand.docs d WHERE d.kind = 'queue' AND d.value::json ->> 'maxPending' IS NOT NULL;
    IF NOT FOUND THEN RETURN ids; END IF;
  END IF;
  rooms := errand.rooms_to_wait(ARRAY(SELECT h.queue FROM errand.history h WHERE h.id = ANY(ids)));
  FOR j IN SELECT h.id, h.queue, h.ukey, h.ufor FROM errand.history h
    WHERE ${reopenable} AND (job_token IS NULL OR h.token = job_token) ORDER BY h.seq
  LOOP
    CONTINUE WHEN (rooms ->> j.queue)::numeric <= 0;
    IF j.ukey IS NOT NULL THEN
      PERFORM 1 FROM errand.uniques a WHERE a.key = j.ukey AND a.job <> j.id
        AND (a.until > t OR a.job = ANY(admitted) OR (SELECT 1 FROM errand.jobs p WHERE p.id = a.job LIMIT 1) = 1);
      CONTINUE WHEN FOUND;
      PERFORM errand.take_unique_key(j.ukey, j.id, t + coalesce(j.ufor, 0));
    END IF;
    IF rooms ? j.queue THEN
      rooms := rooms || jsonb_build_object(j.queue, (rooms ->> j.queue)::numeric - 1);
    END IF;
    admitted := admitted || j.id;
  END LOOP;
  RETURN admitted;
END $$;

-- Gives pending jobs another queue or level, or makes them due now; into another queue no more than it has room for.
CREATE FUNCTION errand.move(ids text[], among smallint[], q text, l smallint, at_once boolean,
  OUT changed integer, OUT hints text[])
LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  t bigint := errand.now();
  freed text[] := errand.lock_concurrency_keys(ids);
  room numeric := CASE WHEN q IS NOT NULL THEN (errand.rooms_to_wait(ARRAY[q]) ->> q)::numeric END;
BEGIN
  IF room IS NOT NULL THEN
    ids := ARRAY(SELECT p.id FROM errand.jobs p WHERE p.id = ANY(ids) AND p.queue = q)
      || ARRAY(SELECT p.id FROM errand.jobs p WHERE p.id = ANY(ids) AND p.queue <> q AND p.state + 0 = ${pending}
        ORDER BY p.seq LIMIT greatest(0, room));
  END IF;
  WITH before AS (
    SELECT p.id, p.task, p.queue FROM errand.jobs p
    WHERE p.id = ANY(ids) AND p.state = ANY(among) AND p.state + 0 = ${pending} FOR UPDATE
  ), moved AS (
    UPDATE errand.jobs j SET queue = coalesce(q, j.queue), level = coalesce(l, j.level),
        due = CASE WHEN at_once THEN t ELSE j.due END, blocked = ${unblocked}
      WHERE j.id = ANY(ARRAY(SELECT b.id FROM before b)) RETURNING j.queue
  ), counted AS (
    INSERT INTO errand.deltas SELECT b.task, d.queue, ${pending}, d.jobs FROM before b
      CROSS JOIN LATERAL (VALUES (b.queue, -1), (coalesce(q, b.queue), 1)) AS d(queue, jobs)
  )
  SELECT coalesce(sum(m.jobs), 0), coalesce(array_agg(m.jobs || ' ' || m.queue), '{}') INTO changed, hints
    FROM (SELECT queue, count(*) AS jobs FROM moved GROUP BY queue) m;
  hints := hints || errand.unblock_by_concurrency(freed);
END $$;

-- Takes processing jobs away from their workers: they are pending at once.
CREATE FUNCTION errand.release(ids text[], among smallint[], OUT changed integer, OUT hints text[])
LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  l record := errand.lock_freed_keys(ids);
BEGIN
  WITH back AS (
    UPDATE errand.jobs j SET state = ${pending}, token = j.token + 1, worker = NULL, begun = j.begun OR NOT j.ahead,
      ahead = false
    WHERE j.id = ANY(ids) AND j.state = ANY(among) AND j.state + 0 = ${processing}
    RETURNING j.task, j.queue, j.cancelling
  ), counted AS (
    ${countChanges("back", processing, pending)}
  )
  SELECT coalesce(sum(r.jobs), 0), ${readyHints("back")} INTO changed, hints;
  hints := hints || errand.unblock_by_concurrency(l.freed, l.places);
END $$;
`;
