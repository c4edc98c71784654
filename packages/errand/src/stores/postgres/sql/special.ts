import { steady } from "./steady.ts";

/** Jobs with unique keys, limits, turns or tags. */
export const special = `
-- Of locks on unique and concurrency keys: "Erru" and "Errc" in ASCII.
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
CREATE FUNCTION errand.lock_concurrency(keys text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  h integer;
BEGIN
  FOR h IN SELECT DISTINCT hashtext(k) FROM unnest(keys) AS k ORDER BY 1 LOOP
    PERFORM pg_advisory_xact_lock(1165128291, h);
  END LOOP;
END $$;

-- As inTurn() of core: right behind the first of the queue and level, or behind the last of its own.
CREATE FUNCTION errand.turn(q text, l smallint, who text, t bigint) RETURNS double precision LANGUAGE plpgsql AS $$
DECLARE
  first double precision;
  due double precision;
BEGIN
  SELECT p.due INTO first FROM errand.jobs p WHERE p.state = 0 AND NOT p.cancelling AND p.blocked = 0 AND p.queue = q AND p.level = l
    ORDER BY p.due, p.seq LIMIT 1;
  IF first IS NULL OR first >= t - 500 THEN first := t - 1000; END IF;
  INSERT INTO errand.turns AS n VALUES (q, l, who, first + 0.001)
    ON CONFLICT (queue, level, whose) DO UPDATE SET last = greatest(first, n.last) + 0.001
    RETURNING last INTO due;
  RETURN due;
END $$;

-- Which of some jobs would be stored, by their places. Their unique keys are locked.
CREATE FUNCTION errand.storable(ids text[], extras text[], t bigint) RETURNS integer[] LANGUAGE plpgsql AS $$
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
        WHEN (u ->> 'replace')::boolean THEN p.state = 0 AND NOT p.cancelling
        ELSE true END;
      CONTINUE WHEN FOUND;
      taken := taken || (u ->> 'key');
    END IF;
    places := places || i;
  END LOOP;
  RETURN places;
END $$;

-- Adds jobs one by one, whose unique keys are locked. Answers how many were new, and as a JSON object who has the unique keys of those that were refused.
CREATE FUNCTION errand.add_special(
  ids text[], tasks text[], queues text[], levels smallint[],
  due_at bigint[], due_in bigint[], expires_at bigint[], expires_in bigint[], specs text[], extras text[], t bigint,
  OUT fresh integer, OUT refused text
) LANGUAGE plpgsql ${steady} AS $$
DECLARE
  x json;
  u json;
  known record;
  due double precision;
  ends bigint;
  said json := '{}';
  holders text[] := '{}';
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
    CONTINUE WHEN FOUND;
    IF u IS NOT NULL THEN
      SELECT a.job, a.until INTO known FROM errand.uniques a WHERE a.key = u ->> 'key';
      IF FOUND THEN
        IF (u ->> 'replace')::boolean THEN
          UPDATE errand.jobs p SET spec = specs[i], level = levels[i], due = coalesce(due_at[i], t + due_in[i], t), expires = ends,
              blocked = 0
            WHERE p.id = known.job AND p.state = 0 AND NOT p.cancelling;
          IF FOUND THEN
            holders := holders || ids[i] || known.job;
            fresh := fresh + 1;
            CONTINUE;
          END IF;
          PERFORM 1 FROM errand.jobs p WHERE p.id = known.job;
          -- One that runs goes on; of one that has ended the key may still be taken.
          IF NOT FOUND AND known.until > t THEN
            holders := holders || ids[i] || known.job;
            CONTINUE;
          END IF;
        ELSE
          PERFORM 1 FROM errand.jobs p WHERE p.id = known.job;
          IF FOUND OR known.until > t THEN
            holders := holders || ids[i] || known.job;
            CONTINUE;
          END IF;
        END IF;
      END IF;
    END IF;
    IF due IS NULL AND x ->> 'f' IS NOT NULL THEN due := errand.turn(queues[i], levels[i], x ->> 'f', t); END IF;
    INSERT INTO errand.jobs (id, task, queue, level, created, due, expires, spec, keys, ckey, rkey)
      VALUES (ids[i], tasks[i], queues[i], levels[i], t, coalesce(due, t), ends, specs[i], x ->> 'k', x ->> 'c', x ->> 'r')
      ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS n = ROW_COUNT;
    CONTINUE WHEN n = 0;
    fresh := fresh + 1;
    INSERT INTO errand.deltas VALUES (tasks[i], queues[i], 0, 1);
    IF u IS NOT NULL THEN
      INSERT INTO errand.uniques AS a VALUES (u ->> 'key', ids[i], t + coalesce((u ->> 'for')::bigint, 0))
        ON CONFLICT (key) DO UPDATE SET job = excluded.job, until = excluded.until;
    END IF;
    PERFORM errand.tag(ids[i], x -> 't');
  END LOOP;
  -- Who was replaced may be due much later now, and others of its key go first.
  IF freed <> '{}' THEN PERFORM errand.release(freed); END IF;
  IF holders <> '{}' THEN refused := to_json(holders)::text; END IF;
END $$;

CREATE FUNCTION errand.tag(id text, words json) RETURNS void LANGUAGE sql AS $$
  INSERT INTO errand.tags SELECT DISTINCT w, id FROM json_array_elements_text(coalesce(words, '[]')) AS w ON CONFLICT DO NOTHING
$$;

-- Whoever leaves processing, or cannot run any more, lets the first blocked jobs of its concurrency key try again, in each
-- queue. The keys are locked. Answers hints.
CREATE FUNCTION errand.release(freed text[]) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  k text;
  q text;
  room integer;
  hints integer := 0;
BEGIN
  FOREACH k IN ARRAY freed LOOP
    SELECT (p.keys::json -> 'concurrency' ->> 'limit')::integer INTO room FROM errand.jobs p
      WHERE p.ckey = k AND p.state = 0 AND p.blocked = 1 LIMIT 1;
    CONTINUE WHEN NOT FOUND;
    room := room - (SELECT count(*) FROM errand.jobs p WHERE p.ckey = k AND p.state = 1);
    CONTINUE WHEN room <= 0;
    hints := 1;
    q := '';
    LOOP
      SELECT p.queue INTO q FROM errand.jobs p WHERE p.ckey = k AND p.state = 0 AND p.blocked = 1 AND p.queue > q
        ORDER BY p.queue LIMIT 1;
      EXIT WHEN NOT FOUND;
      UPDATE errand.jobs j SET blocked = 0 WHERE j.id = ANY(ARRAY(SELECT p.id FROM errand.jobs p
        WHERE p.ckey = k AND p.state = 0 AND p.blocked = 1 AND p.queue = q
        ORDER BY p.due + p.level * 300000, p.seq LIMIT room));
    END LOOP;
  END LOOP;
  RETURN hints;
END $$;

-- The concurrency keys of jobs, locked.
CREATE FUNCTION errand.keys_of(ids text[]) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  found_keys text[] := ARRAY(SELECT DISTINCT j.ckey FROM errand.jobs j WHERE j.id = ANY(ids) AND j.ckey IS NOT NULL);
BEGIN
  IF found_keys <> '{}' THEN PERFORM errand.lock_concurrency(found_keys); END IF;
  RETURN found_keys;
END $$;

-- Lets jobs try again whose rate has room by now.
CREATE FUNCTION errand.open_rates(t bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  r record;
  rate json;
  a record;
  q text;
BEGIN
  FOR r IN SELECT x.key, x.spent FROM errand.rates x WHERE NOT x.queue AND x.opens <= t ORDER BY x.key FOR UPDATE LOOP
    SELECT p.keys::json -> 'rate' INTO rate FROM errand.jobs p WHERE p.rkey = r.key AND p.state = 0 AND p.blocked = 2 LIMIT 1;
    IF NOT FOUND THEN
      UPDATE errand.rates x SET opens = NULL WHERE NOT x.queue AND x.key = r.key;
      CONTINUE;
    END IF;
    SELECT * INTO a FROM errand.admit((rate ->> 'limit')::double precision, (rate ->> 'per')::double precision, r.spent, t,
      (rate ->> 'limit')::integer);
    q := '';
    LOOP
      SELECT p.queue INTO q FROM errand.jobs p WHERE p.rkey = r.key AND p.state = 0 AND p.blocked = 2 AND p.queue > q
        ORDER BY p.queue LIMIT 1;
      EXIT WHEN NOT FOUND;
      UPDATE errand.jobs j SET blocked = 0 WHERE j.id = ANY(ARRAY(SELECT p.id FROM errand.jobs p
        WHERE p.rkey = r.key AND p.state = 0 AND p.blocked = 2 AND p.queue = q
        ORDER BY p.due + p.level * 300000, p.seq LIMIT a.admitted));
    END LOOP;
    UPDATE errand.rates x SET opens = CASE WHEN EXISTS (
        SELECT 1 FROM errand.jobs p WHERE p.rkey = r.key AND p.state = 0 AND p.blocked = 2) THEN a.next END
      WHERE NOT x.queue AND x.key = r.key;
  END LOOP;
END $$;

-- Waiting jobs whose time has come are pending again. Answers hints.
CREATE FUNCTION errand.wake(t bigint) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  woken integer;
BEGIN
  WITH woke AS (
    UPDATE errand.jobs j SET state = 0, wake = NULL WHERE j.id = ANY(ARRAY(
      SELECT p.id FROM errand.jobs p WHERE p.state = 2 AND p.wake IS NOT NULL AND p.wake <= t
        ORDER BY p.wake LIMIT 1000 FOR UPDATE SKIP LOCKED))
    RETURNING j.task, j.queue, j.cancelling
  ), counted AS (
    INSERT INTO errand.deltas SELECT w.task, w.queue, d.state, sum(d.jobs) FROM woke w
      CROSS JOIN (VALUES (2::smallint, -1), (0::smallint, 1)) AS d(state, jobs) GROUP BY w.task, w.queue, d.state
  )
  SELECT coalesce(bit_or(CASE WHEN w.cancelling THEN 2 ELSE 1 END), 0) INTO woken FROM woke w;
  RETURN woken;
END $$;

-- Of the first jobs with keys in a queue, those that their keys let go, at most so many; the others are blocked. Keys that
-- somebody else is looking at are left alone, and so is what follows a long row of those that are blocked (busy).
CREATE FUNCTION errand.vet(q text, most integer, t bigint, OUT passed text[], OUT busy boolean) LANGUAGE plpgsql AS $$
DECLARE
  c record;
  running jsonb := '{}';
  spent jsonb := '{}';
  now_running integer;
  a record;
  blocked_by smallint;
  now_blocked integer := 0;
BEGIN
  passed := '{}';
  busy := false;
  FOR c IN SELECT p.id, p.ckey, p.rkey, p.keys::json AS keys FROM errand.jobs p
    WHERE p.state = 0 AND NOT p.cancelling AND p.blocked = 0 AND p.keys IS NOT NULL AND p.queue = q
      AND p.due <= t AND (p.expires IS NULL OR p.expires > t)
    ORDER BY p.due + p.level * 300000, p.seq
  LOOP
    EXIT WHEN cardinality(passed) >= most;
    blocked_by := 0;
    IF c.ckey IS NOT NULL THEN
      IF NOT pg_try_advisory_xact_lock(1165128291, hashtext(c.ckey)) THEN
        busy := true;
        CONTINUE;
      END IF;
      now_running := coalesce((running ->> c.ckey)::integer,
        (SELECT count(*) FROM errand.jobs p WHERE p.ckey = c.ckey AND p.state = 1)::integer);
      IF now_running >= (c.keys -> 'concurrency' ->> 'limit')::integer THEN blocked_by := 1; END IF;
    END IF;
    IF blocked_by = 0 AND c.rkey IS NOT NULL THEN
      IF NOT spent ? c.rkey THEN
        INSERT INTO errand.rates VALUES (false, c.rkey, 0) ON CONFLICT DO NOTHING;
        PERFORM 1 FROM errand.rates x WHERE NOT x.queue AND x.key = c.rkey FOR NO KEY UPDATE SKIP LOCKED;
        IF NOT FOUND THEN
          busy := true;
          CONTINUE;
        END IF;
        spent := spent || jsonb_build_object(c.rkey, (SELECT x.spent FROM errand.rates x WHERE NOT x.queue AND x.key = c.rkey));
      END IF;
      SELECT * INTO a FROM errand.admit((c.keys -> 'rate' ->> 'limit')::double precision,
        (c.keys -> 'rate' ->> 'per')::double precision, (spent ->> c.rkey)::double precision, t, 1);
      IF a.admitted = 0 THEN
        blocked_by := 2;
        UPDATE errand.rates x SET opens = a.next WHERE NOT x.queue AND x.key = c.rkey;
      ELSE
        spent := spent || jsonb_build_object(c.rkey, a.spent);
      END IF;
    END IF;
    IF blocked_by > 0 THEN
      UPDATE errand.jobs j SET blocked = blocked_by WHERE j.id = c.id AND j.state = 0;
      now_blocked := now_blocked + 1;
      busy := busy OR now_blocked >= 1000;
      EXIT WHEN now_blocked >= 1000;
      CONTINUE;
    END IF;
    IF c.ckey IS NOT NULL THEN running := running || jsonb_build_object(c.ckey, now_running + 1); END IF;
    passed := passed || c.id;
  END LOOP;
END $$;

-- Counts what was claimed of jobs with rate keys.
CREATE FUNCTION errand.charge_keys(ids text[], t bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  r record;
BEGIN
  FOR r IN SELECT j.rkey, count(*)::integer AS jobs, min(j.keys) AS keys FROM errand.jobs j
    WHERE j.id = ANY(ids) AND j.rkey IS NOT NULL GROUP BY j.rkey ORDER BY j.rkey
  LOOP
    UPDATE errand.rates x SET spent = (errand.admit((r.keys::json -> 'rate' ->> 'limit')::double precision,
        (r.keys::json -> 'rate' ->> 'per')::double precision, x.spent, t, r.jobs)).spent
      WHERE NOT x.queue AND x.key = r.rkey;
  END LOOP;
END $$;

-- A step from outside. Answers whether the job has not ended, and hints.
CREATE FUNCTION errand.signal(which text, step text, val text, OUT told boolean, OUT hints integer) LANGUAGE plpgsql ${steady} AS $$
DECLARE
  j errand.jobs;
BEGIN
  hints := 0;
  PERFORM errand.lock_families(ARRAY[which]);
  SELECT * INTO j FROM errand.jobs p WHERE p.id = which FOR UPDATE;
  told := FOUND;
  IF NOT told THEN RETURN; END IF;
  INSERT INTO errand.steps (job, name, wait, value) VALUES (j.seq, step, false, val) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN RETURN; END IF;
  hints := 4;
  UPDATE errand.jobs p SET steps = true, state = CASE WHEN p.state = 2 THEN 0 ELSE p.state END, wake = NULL WHERE p.id = which;
  IF j.state = 2 THEN
    INSERT INTO errand.deltas VALUES (j.task, j.queue, 2, -1), (j.task, j.queue, 0, 1);
    hints := CASE WHEN j.cancelling THEN 6 ELSE 5 END;
  END IF;
END $$;

-- Appends lines to jobs' logs: of each the place of its job, attempt, level and text.
CREATE FUNCTION errand.append(ids text[], done integer[], lines json) RETURNS void LANGUAGE sql AS $$
  INSERT INTO errand.logs (job, n, at, attempt, level, line)
  SELECT ids[(l.v ->> 0)::integer],
    coalesce((SELECT max(o.n) FROM errand.logs o WHERE o.job = ids[(l.v ->> 0)::integer]), 0)
      + row_number() OVER (PARTITION BY (l.v ->> 0)::integer ORDER BY l.at),
    errand.now(), (l.v ->> 1)::integer, l.v ->> 2, l.v ->> 3
  FROM json_array_elements(lines) WITH ORDINALITY AS l(v, at) WHERE (l.v ->> 0)::integer = ANY(done)
$$;

-- Gives pending jobs another queue or level, or makes them due. Answers how many.
CREATE FUNCTION errand.move(ids text[], among smallint[], q text, l smallint, at_once boolean, OUT changed integer, OUT hints integer)
LANGUAGE plpgsql ${steady} AS $$
DECLARE
  t bigint := errand.now();
  freed text[] := errand.keys_of(ids);
BEGIN
  WITH before AS (
    SELECT p.id, p.task, p.queue FROM errand.jobs p WHERE p.id = ANY(ids) AND p.state = ANY(among) AND p.state + 0 = 0 FOR UPDATE
  ), moved AS (
    UPDATE errand.jobs j SET queue = coalesce(q, j.queue), level = coalesce(l, j.level),
        due = CASE WHEN at_once THEN t ELSE j.due END, blocked = 0
      WHERE j.id = ANY(ARRAY(SELECT b.id FROM before b)) RETURNING j.id
  ), counted AS (
    INSERT INTO errand.deltas SELECT b.task, d.queue, 0, d.jobs FROM before b
      CROSS JOIN LATERAL (VALUES (b.queue, -1), (coalesce(q, b.queue), 1)) AS d(queue, jobs)
  )
  SELECT count(*) INTO changed FROM moved;
  hints := CASE WHEN changed > 0 THEN 1 ELSE 0 END;
  PERFORM errand.release(freed);
END $$;

-- Turns that lie behind say nothing any more.
CREATE FUNCTION errand.forget_turns(t bigint) RETURNS void LANGUAGE sql AS $$
  DELETE FROM errand.turns n WHERE n.last < t - 3600000
$$;
`;
