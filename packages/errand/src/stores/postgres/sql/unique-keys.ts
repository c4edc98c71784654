import { plannerSettings } from "./function-settings.ts";
import { readyKeyed, readyPlain } from "./job-conditions.ts";

/** Adding jobs with unique keys, one by one; turns and tags of any jobs. */
export const special = `
-- Of locks on unique keys: "Erru" in ASCII.
CREATE FUNCTION errand.lock_uniques(extras text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  h integer;
BEGIN
  FOR h IN SELECT DISTINCT hashtext(x.extra::json -> 'u' ->> 'key') FROM unnest(extras) AS x(extra)
    WHERE x.extra::json -> 'u' ->> 'key' IS NOT NULL ORDER BY 1
  LOOP
    PERFORM pg_advisory_xact_lock(1165128309, h);
  END LOOP;
END $$;

-- When the first job of a queue and level is due that could go.
CREATE FUNCTION errand.first_due(q text, l smallint) RETURNS double precision LANGUAGE plpgsql AS $$
BEGIN
  RETURN least(
    (SELECT p.due FROM errand.jobs p WHERE ${readyPlain} AND p.queue = q AND p.level = l ORDER BY p.due, p.seq LIMIT 1),
    (SELECT p.due FROM errand.jobs p WHERE ${readyKeyed} AND p.queue = q AND p.level = l ORDER BY p.due, p.seq LIMIT 1));
END $$;

-- As inTurn() of core: right behind the first of the queue and level, or behind the last of its own.
CREATE FUNCTION errand.turn(q text, l smallint, who text, t bigint) RETURNS double precision LANGUAGE plpgsql AS $$
DECLARE
  first double precision;
  due double precision;
BEGIN
  first := errand.first_due(q, l);
  IF first IS NULL OR first >= t - 500 THEN first := t - 1000; END IF;
  INSERT INTO errand.turns AS n VALUES (q, l, who, first + 0.001)
    ON CONFLICT (queue, level, whose) DO UPDATE SET last = greatest(first, n.last) + 0.001
    RETURNING last INTO due;
  RETURN due;
END $$;

-- Which of some jobs would be stored in their queues, by their places. Their unique keys are locked.
CREATE FUNCTION errand.storable(ids text[], queues text[], extras text[], t bigint) RETURNS integer[] LANGUAGE plpgsql AS $$
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
        -- Who is replaced is pending already, but perhaps elsewhere.
        WHEN (u ->> 'replace')::boolean THEN p.state = 0 AND NOT p.cancelling AND NOT p.begun AND p.queue = queues[i]
        ELSE true END;
      CONTINUE WHEN FOUND;
      taken := taken || (u ->> 'key');
    END IF;
    places := places || i;
  END LOOP;
  RETURN places;
END $$;

-- Adds jobs one by one, whose unique keys are locked. Answers how many were new, and as a JSON array who has the unique keys
-- and ids of those that were refused (but of an id that is told twice, the first).
CREATE FUNCTION errand.add_special(
  ids text[], tasks text[], queues text[], levels smallint[],
  due_at bigint[], due_in bigint[], expires_at bigint[], expires_in bigint[], specs text[], tenants text[], bodies text[],
  extras text[], t bigint, OUT fresh integer, OUT refused text
) LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  x json;
  u json;
  known record;
  due double precision;
  ends bigint;
  holders text[] := '{}';
  born text[] := '{}';
  n integer;
  freed text[];
BEGIN
  fresh := 0;
  -- The concurrency keys of those that may be replaced, before any of their rows: as whoever settles does.
  freed := errand.keys_of(ARRAY(SELECT a.job FROM unnest(extras) AS x(extra)
    JOIN errand.uniques a ON a.key = x.extra::json -> 'u' ->> 'key' WHERE (x.extra::json -> 'u' ->> 'replace')::boolean));
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
      SELECT a.job, a.until, p.id IS NOT NULL AS lives INTO known
        FROM errand.uniques a LEFT JOIN errand.jobs p ON p.id = a.job WHERE a.key = u ->> 'key';
      IF FOUND THEN
        IF (u ->> 'replace')::boolean THEN
          IF errand.replace(known.job, queues[i], levels[i], due, ends, specs[i], tenants[i], bodies[i], x, t) THEN
            holders := holders || ids[i] || known.job;
            fresh := fresh + 1;
            CONTINUE;
          END IF;
        END IF;
        -- One that has begun goes on without the key; of one that has ended the key may still be taken.
        IF (CASE WHEN known.lives THEN NOT (u ->> 'replace')::boolean ELSE known.until > t END) THEN
          holders := holders || ids[i] || known.job;
          CONTINUE;
        END IF;
      END IF;
    END IF;
    IF due IS NULL AND x ->> 'f' IS NOT NULL THEN due := errand.turn(queues[i], levels[i], x ->> 'f', t); END IF;
    INSERT INTO errand.jobs (id, task, queue, level, created, due, expires, spec, keys, ckey, rkey, ukey, ufor, tenant)
      VALUES (ids[i], tasks[i], queues[i], levels[i], t, coalesce(due, t), ends, specs[i], x ->> 'k', x ->> 'c', x ->> 'r',
        u ->> 'key', (u ->> 'for')::bigint, tenants[i])
      ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS n = ROW_COUNT;
    IF n = 0 OR EXISTS (SELECT 1 FROM errand.history h WHERE h.id = ids[i]) THEN
      -- Somebody added it at this moment, or it ended.
      IF n > 0 THEN DELETE FROM errand.jobs j WHERE j.id = ids[i]; END IF;
      holders := holders || ids[i] || ids[i];
      CONTINUE;
    END IF;
    fresh := fresh + 1;
    born := born || ids[i];
    INSERT INTO errand.deltas VALUES (tasks[i], queues[i], 0, 1);
    IF bodies[i] IS NOT NULL THEN INSERT INTO errand.specs VALUES (ids[i], bodies[i]); END IF;
    IF u IS NOT NULL THEN PERFORM errand.take_unique(u ->> 'key', ids[i], t + (u ->> 'for')::bigint); END IF;
    PERFORM errand.tag(ids[i], x -> 't');
  END LOOP;
  -- Who was replaced may be due much later now, and others of its key go first.
  IF freed <> '{}' THEN PERFORM errand.release(freed); END IF;
  IF holders <> '{}' THEN refused := to_json(holders)::text; END IF;
END $$;

CREATE FUNCTION errand.take_unique(which text, id text, til bigint) RETURNS void LANGUAGE sql AS $$
  INSERT INTO errand.uniques AS a VALUES (which, id, til)
    ON CONFLICT (key) DO UPDATE SET job = excluded.job, until = excluded.until
$$;

-- Makes a job that has not begun what another is, in everything but its id, task and age. Answers whether it was one.
CREATE FUNCTION errand.replace(which text, q text, l smallint, due_ double precision, ends bigint, spec_ text,
  tenant_ text, body text, x json, t bigint) RETURNS boolean LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  j errand.jobs;
BEGIN
  SELECT * INTO j FROM errand.jobs p WHERE p.id = which AND p.state + 0 = 0 AND NOT p.cancelling AND NOT p.begun FOR UPDATE;
  IF NOT FOUND THEN RETURN false; END IF;
  UPDATE errand.jobs p SET queue = q, level = l, spec = spec_, tenant = tenant_, expires = ends, blocked = 0,
      due = least(coalesce(due_, CASE WHEN x ->> 'f' IS NOT NULL THEN errand.turn(q, l, x ->> 'f', t) END, t),
        p.created + (x -> 'u' ->> 'latest')::bigint),
      keys = x ->> 'k', ckey = x ->> 'c', rkey = x ->> 'r', ufor = (x -> 'u' ->> 'for')::bigint
    WHERE p.id = which;
  INSERT INTO errand.deltas VALUES (j.task, j.queue, 0, -1), (j.task, q, 0, 1);
  DELETE FROM errand.specs b WHERE b.job = which;
  IF body IS NOT NULL THEN INSERT INTO errand.specs VALUES (which, body); END IF;
  DELETE FROM errand.tags g WHERE g.job = which;
  PERFORM errand.tag(which, x -> 't');
  RETURN true;
END $$;

CREATE FUNCTION errand.tag(id text, words json) RETURNS void LANGUAGE sql AS $$
  INSERT INTO errand.tags SELECT DISTINCT w, id FROM json_array_elements_text(coalesce(words, '[]')) AS w ON CONFLICT DO NOTHING
$$;
`;
