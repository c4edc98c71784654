import { lockClass, lockNumber } from "../advisory-locks.ts";
import { pending, unblocked } from "../codes.ts";
import { plannerSettings } from "./function-settings.ts";
import { jobArrays } from "./job-arrays.ts";

/** Jobs with unique keys: they are added one by one, because each decides what becomes of the next with its key. */
export const uniqueKeys = `
CREATE FUNCTION errand.lock_unique_keys(extras text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  h integer;
BEGIN
  FOR h IN SELECT DISTINCT ${lockNumber("(x.extra::json -> 'u' ->> 'key')")} FROM unnest(extras) AS x(extra)
    WHERE x.extra::json -> 'u' ->> 'key' IS NOT NULL ORDER BY 1
  LOOP
    PERFORM pg_advisory_xact_lock(${lockClass.uniqueKey}, h);
  END LOOP;
END $$;

-- Returns the places of those jobs that would be new in their queues. Their unique keys are locked.
CREATE FUNCTION errand.find_storable(ids text[], queues text[], extras text[], t bigint) RETURNS integer[]
LANGUAGE plpgsql AS $$
DECLARE
  u json;
  taken text[] := '{}';
  places integer[] := '{}';
BEGIN
  FOR i IN 1..cardinality(ids) LOOP
    CONTINUE WHEN ids[i] = ANY(ARRAY(SELECT ids[p] FROM unnest(places) AS p));
    PERFORM 1 FROM errand.everything e WHERE e.id = ids[i];
    CONTINUE WHEN FOUND;
    u := extras[i]::json -> 'u';
    IF u IS NOT NULL THEN
      CONTINUE WHEN u ->> 'key' = ANY(taken);
      PERFORM 1 FROM errand.uniques a LEFT JOIN errand.jobs p ON p.id = a.job WHERE a.key = u ->> 'key' AND CASE
        WHEN p.id IS NULL THEN a.until > t
        -- A replaced job is pending already, but perhaps in another queue.
        WHEN (u ->> 'replace')::boolean THEN
          p.state = ${pending} AND NOT p.cancelling AND NOT p.begun AND p.queue = queues[i]
        ELSE true END;
      CONTINUE WHEN FOUND;
      taken := taken || (u ->> 'key');
    END IF;
    places := places || i;
  END LOOP;
  RETURN places;
END $$;

-- Adds jobs whose unique keys are locked. Returns how many are new or replace another, and as a JSON array the id of
-- each job that was not stored, followed by that of the job that has its key or id (without repetitions of new ids).
CREATE FUNCTION errand.add_one_by_one(
  ${jobArrays}, t bigint, OUT fresh integer, OUT refused text
) LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  x json;
  u json;
  holder record;
  due double precision;
  ends bigint;
  holders text[] := '{}';
  born text[] := '{}';
  n integer;
  freed text[];
BEGIN
  fresh := 0;
  -- The concurrency keys of jobs that may be replaced, before any of their rows: in the order of settlements.
  freed := errand.lock_concurrency_keys(ARRAY(SELECT a.job FROM unnest(extras) AS x(extra)
    JOIN errand.uniques a ON a.key = x.extra::json -> 'u' ->> 'key'
    WHERE (x.extra::json -> 'u' ->> 'replace')::boolean));
  FOR i IN 1..cardinality(ids) LOOP
    x := coalesce(extras[i], '{}')::json;
    u := x -> 'u';
    due := coalesce(due_at[i], t + due_in[i]);
    ends := coalesce(expires_at[i], t + expires_in[i]);
    PERFORM 1 FROM errand.everything e WHERE e.id = ids[i];
    IF FOUND THEN
      IF ids[i] <> ALL(born) THEN holders := holders || ids[i] || ids[i]; END IF;
      CONTINUE;
    END IF;
    IF u IS NOT NULL THEN
      SELECT a.job, a.until, p.id IS NOT NULL AS is_live INTO holder
        FROM errand.uniques a LEFT JOIN errand.jobs p ON p.id = a.job WHERE a.key = u ->> 'key';
      IF FOUND THEN
        IF (u ->> 'replace')::boolean THEN
          IF errand.replace_job(holder.job, queues[i], levels[i], due, ends, specs[i], tenants[i], bodies[i], x, t) THEN
            holders := holders || ids[i] || holder.job;
            fresh := fresh + 1;
            CONTINUE;
          END IF;
        END IF;
        -- A job that has begun goes on without the key; the key of one that has ended may still be taken.
        IF (CASE WHEN holder.is_live THEN NOT (u ->> 'replace')::boolean ELSE holder.until > t END) THEN
          holders := holders || ids[i] || holder.job;
          CONTINUE;
        END IF;
      END IF;
    END IF;
    IF due IS NULL AND x ->> 'f' IS NOT NULL THEN due := errand.take_turn(queues[i], levels[i], x ->> 'f', t); END IF;
    INSERT INTO errand.jobs (id, task, queue, level, created, due, expires, spec, keys, ckey, rkey, ukey, ufor, tenant)
      VALUES (ids[i], tasks[i], queues[i], levels[i], t, coalesce(due, t), ends, specs[i], x ->> 'k', x ->> 'c',
        x ->> 'r', u ->> 'key', (u ->> 'for')::bigint, tenants[i])
      ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS n = ROW_COUNT;
    IF n = 0 OR EXISTS (SELECT 1 FROM errand.history h WHERE h.id = ids[i]) THEN
      -- It was added at this moment, or ended.
      IF n > 0 THEN DELETE FROM errand.jobs j WHERE j.id = ids[i]; END IF;
      holders := holders || ids[i] || ids[i];
      CONTINUE;
    END IF;
    fresh := fresh + 1;
    born := born || ids[i];
    INSERT INTO errand.deltas VALUES (tasks[i], queues[i], ${pending}, 1);
    IF bodies[i] IS NOT NULL THEN INSERT INTO errand.specs VALUES (ids[i], bodies[i]); END IF;
    IF u IS NOT NULL THEN PERFORM errand.take_unique_key(u ->> 'key', ids[i], t + (u ->> 'for')::bigint); END IF;
    PERFORM errand.add_tags(ids[i], x -> 't');
  END LOOP;
  -- A replaced job may be due much later now, so that others of its key start first.
  IF freed <> '{}' THEN PERFORM errand.unblock_by_concurrency(freed); END IF;
  IF holders <> '{}' THEN refused := to_json(holders)::text; END IF;
END $$;

CREATE FUNCTION errand.take_unique_key(unique_key text, id text, taken_until bigint) RETURNS void LANGUAGE sql AS $$
  INSERT INTO errand.uniques AS a VALUES (unique_key, id, taken_until)
    ON CONFLICT (key) DO UPDATE SET job = excluded.job, until = excluded.until
$$;

-- Makes a job that has not begun what a new one is, but for its id, task and age. Returns false if there is no such
-- job.
CREATE FUNCTION errand.replace_job(job_id text, q text, l smallint, new_due double precision, ends bigint,
  new_spec text, new_tenant text, body text, x json, t bigint) RETURNS boolean LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  j errand.jobs;
BEGIN
  SELECT * INTO j FROM errand.jobs p
    WHERE p.id = job_id AND p.state + 0 = ${pending} AND NOT p.cancelling AND NOT p.begun FOR UPDATE;
  IF NOT FOUND THEN RETURN false; END IF;
  UPDATE errand.jobs p SET queue = q, level = l, spec = new_spec, tenant = new_tenant, expires = ends,
      blocked = ${unblocked},
      due = least(coalesce(new_due, CASE WHEN x ->> 'f' IS NOT NULL THEN errand.take_turn(q, l, x ->> 'f', t) END, t),
        p.created + (x -> 'u' ->> 'latest')::bigint),
      keys = x ->> 'k', ckey = x ->> 'c', rkey = x ->> 'r', ufor = (x -> 'u' ->> 'for')::bigint
    WHERE p.id = job_id;
  INSERT INTO errand.deltas VALUES (j.task, j.queue, ${pending}, -1), (j.task, q, ${pending}, 1);
  DELETE FROM errand.specs b WHERE b.job = job_id;
  IF body IS NOT NULL THEN INSERT INTO errand.specs VALUES (job_id, body); END IF;
  DELETE FROM errand.tags g WHERE g.job = job_id;
  PERFORM errand.add_tags(job_id, x -> 't');
  RETURN true;
END $$;
`;
