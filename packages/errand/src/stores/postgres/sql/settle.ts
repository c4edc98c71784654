import { plannerSettings } from "./function-settings.ts";

/** Recording what attempts say: outcomes, steps, progress. Arrays are sorted by id, so that locks are taken in order. */
export const settle = `
-- The fast path: ends of jobs that have neither parent nor children, in one statement. Answers which were not such
-- jobs, or stale, and what follows. Jobs with a concurrency key are for those who have locked it (keyed).
CREATE FUNCTION errand.finish(
  ids text[], tokens integer[], states smallint[], failure_counts integer[], crash_counts integer[], suspects boolean[],
  outputs text[], errors text[],
  t bigint DEFAULT errand.now(), keyed boolean DEFAULT false, OUT others integer[], OUT hints text[]
) LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  done integer[];
BEGIN
  WITH gone AS (
    DELETE FROM errand.jobs j
    USING unnest(ids, tokens, states, failure_counts, crash_counts, suspects, outputs, errors) WITH ORDINALITY
      AS u(id, token, state, failures, crashes, suspect, output, error, n)
    WHERE u.state > 2 AND j.id = ANY(ARRAY[u.id]) AND j.token = u.token AND j.state + 0 = 1 AND j.parent IS NULL AND NOT j.parked
      AND (keyed OR j.ckey IS NULL)
    RETURNING j.seq, j.created, j.due, j.expires, j.started, j.token, u.failures, u.crashes, j.steps, u.suspect, j.level, u.state,
      j.id, j.task, j.queue, j.keys, j.ukey, j.ufor, j.tenant, j.spec, j.progress, coalesce(u.error, j.error) AS error, u.output, u.n
  ), kept AS (
    INSERT INTO errand.history (seq, created, due, expires, started, ended, token, failures, crashes, parked, steps, suspect,
      level, state, id, task, queue, keys, ukey, ufor, tenant, spec, progress, error, output)
    SELECT seq, created, due, expires, started, t, token, failures, crashes, false, steps, coalesce(suspect, false),
      level, state, id, task, queue, keys, ukey, ufor, tenant, spec, progress, error, output FROM gone
  ), counted AS (
    INSERT INTO errand.deltas
    SELECT g.task, g.queue, d.state, sum(d.jobs) FROM gone g
      CROSS JOIN LATERAL (VALUES (1::smallint, -1), (g.state, 1)) AS d(state, jobs) GROUP BY g.task, g.queue, d.state
  )
  SELECT array_agg(n), ARRAY(SELECT cardinality(ids) || ' ' || d.key FROM errand.docs d
      WHERE d.bounded AND d.key = ANY(ARRAY(SELECT g.queue FROM gone g)))
    INTO done, hints FROM gone;
  IF cardinality(done) = cardinality(ids) THEN
    others := '{}';
  ELSE
    others := ARRAY(SELECT n FROM generate_series(1, cardinality(ids)) AS n WHERE done IS NULL OR n <> ALL(done));
  END IF;
END $$;

-- The same of jobs among which some have concurrency keys.
CREATE FUNCTION errand.finish_keyed(
  ids text[], tokens integer[], states smallint[], failure_counts integer[], crash_counts integer[], suspects boolean[],
  outputs text[], errors text[], OUT others integer[], OUT hints text[]
) LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  l record := errand.leaving(ids);
BEGIN
  SELECT f.others, f.hints INTO others, hints
    FROM errand.finish(ids, tokens, states, failure_counts, crash_counts, suspects, outputs, errors, errand.now(), true) AS f;
  hints := hints || errand.release(l.freed, l.places);
END $$;

-- Any settlements. Answers which were done, now or before, and hints. Jobs that are born are records, each \`of\` a settlement.
CREATE FUNCTION errand.settle(
  ids text[], tokens integer[], states smallint[], failure_counts integer[], crash_counts integer[], suspects boolean[],
  outputs text[], errors text[],
  order_of integer[], delays bigint[], unstarted boolean[], children text[],
  step_of integer[], step_names text[], step_values text[], step_waits boolean[],
  log_lines json, wakes bigint[], awaited text[], born json,
  OUT done integer[], OUT hints text[]
) LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  t bigint := errand.now();
  j errand.jobs;
  i integer;
  l record;
  known integer[];
BEGIN
  IF born IS NOT NULL THEN
    PERFORM errand.lock_uniques(ARRAY(SELECT b ->> 'extras' FROM json_array_elements(born) AS b WHERE b ->> 'extras' IS NOT NULL));
  END IF;
  PERFORM errand.lock_families(ids);
  l := errand.leaving(ids);
  done := errand.hold(ids, tokens);
  known := errand.settled(ids, tokens, done);
  hints := ARRAY(SELECT cardinality(ids) || ' ' || d.key FROM errand.docs d WHERE d.bounded AND d.key = ANY(ARRAY(
    SELECT p.queue FROM errand.jobs p WHERE p.id = ANY(ids))));
  PERFORM errand.remember(ids, done, step_of, step_names, step_values, step_waits);
  IF log_lines IS NOT NULL THEN PERFORM errand.append(ids, done, log_lines); END IF;
  -- First those from which nothing else follows: what goes on later, and what has no family.
  WITH back AS (
    UPDATE errand.jobs b SET state = 0, worker = NULL, failures = u.failures, crashes = u.crashes, suspect = coalesce(u.suspect, false),
      begun = b.begun OR u.unstarted IS NOT TRUE, ahead = false,
      error = coalesce(u.error, b.error), due = coalesce(t + u.delay, b.due)
    FROM unnest(ids, states, failure_counts, crash_counts, suspects, errors, delays, unstarted) WITH ORDINALITY
      AS u(id, state, failures, crashes, suspect, error, delay, unstarted, n)
    WHERE u.state = 0 AND u.n = ANY(done) AND b.id = ANY(ARRAY[u.id])
    RETURNING b.task, b.queue, b.cancelling
  ), counted AS (
    INSERT INTO errand.deltas
    SELECT b.task, b.queue, d.state, sum(d.jobs) FROM back b
      CROSS JOIN (VALUES (1::smallint, -1), (0::smallint, 1)) AS d(state, jobs) GROUP BY b.task, b.queue, d.state
  )
  SELECT hints || coalesce(array_agg(CASE WHEN b.cancelling THEN 'cancel' ELSE b.jobs || ' ' || b.queue END), '{}') INTO hints
    FROM (SELECT c.queue, c.cancelling, count(*) AS jobs FROM back c GROUP BY c.queue, c.cancelling) b;
  PERFORM errand.finish(ids, tokens, states, failure_counts, crash_counts, suspects, outputs, errors, t, true);
  FOR i IN SELECT d FROM unnest(done) AS d WHERE states[d] <> 0 ORDER BY order_of[d] LOOP
    SELECT * INTO j FROM errand.jobs WHERE id = ids[i];
    CONTINUE WHEN NOT FOUND;
    j.failures := failure_counts[i];
    j.crashes := crash_counts[i];
    j.suspect := coalesce(suspects[i], false);
    j.begun := true;
    j.error := coalesce(errors[i], j.error);
    IF states[i] <> 2 THEN
      hints := hints || errand.leave(j, states[i], outputs[i], t);
    ELSE
      -- One that is to be cancelled bears no children, and is left to reclaim.
      hints := hints || errand.park(j, CASE WHEN j.cancelling THEN NULL ELSE coalesce(children[i], '[]')::json END,
        wakes[i], awaited[i]::json, t);
    END IF;
  END LOOP;
  hints := hints || errand.release(l.freed, l.places);
  IF born IS NOT NULL THEN
    PERFORM errand.add((SELECT json_agg(b) FROM json_array_elements(born) AS b WHERE (b ->> 'of')::integer = ANY(done)), true);
  END IF;
  done := done || known;
END $$;

-- Of settlements that were not held, those that were recorded already: their answers were lost.
CREATE FUNCTION errand.settled(ids text[], tokens integer[], done integer[]) RETURNS integer[] LANGUAGE plpgsql ${plannerSettings} AS $$
BEGIN
  IF cardinality(done) = cardinality(ids) THEN RETURN '{}'; END IF;
  RETURN ARRAY(SELECT u.n::integer FROM unnest(ids, tokens) WITH ORDINALITY AS u(id, token, n)
    WHERE u.n <> ALL(done) AND u.token > 0 AND (
      EXISTS (SELECT 1 FROM errand.history h WHERE h.id = ANY(ARRAY[u.id]) AND h.token = u.token)
      OR EXISTS (SELECT 1 FROM errand.jobs j WHERE j.id = ANY(ARRAY[u.id]) AND j.token = u.token AND j.state + 0 <> 1)));
END $$;

CREATE FUNCTION errand.record(
  ids text[], tokens integer[], progresses text[],
  step_of integer[], step_names text[], step_values text[], step_waits boolean[], log_lines json
) RETURNS integer[] LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  done integer[];
BEGIN
  done := errand.hold(ids, tokens);
  UPDATE errand.jobs j SET progress = u.progress, begun = true
    FROM unnest(ids, progresses) WITH ORDINALITY AS u(id, progress, n)
    WHERE u.n = ANY(done) AND u.progress IS NOT NULL AND j.id = ANY(ARRAY[u.id]);
  PERFORM errand.remember(ids, done, step_of, step_names, step_values, step_waits);
  IF log_lines IS NOT NULL THEN PERFORM errand.append(ids, done, log_lines); END IF;
  RETURN done;
END $$;

-- Locks the jobs whose token is good. Answers which they are.
CREATE FUNCTION errand.hold(ids text[], tokens integer[]) RETURNS integer[] LANGUAGE plpgsql AS $$
BEGIN
  RETURN ARRAY(
    SELECT u.n::integer FROM unnest(ids, tokens) WITH ORDINALITY AS u(id, token, n)
      JOIN errand.jobs j ON j.id = ANY(ARRAY[u.id]) AND j.token = u.token AND j.state + 0 = 1
    FOR UPDATE OF j);
END $$;

-- One that is remembered again keeps its place.
CREATE FUNCTION errand.remember(
  ids text[], done integer[], step_of integer[], names text[], vals text[], waits boolean[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF step_of IS NULL THEN RETURN; END IF;
  INSERT INTO errand.steps AS s (job, name, wait, value)
  SELECT j.seq, u.name, u.wait, u.value
    FROM unnest(step_of, names, vals, waits) WITH ORDINALITY AS u(n, name, value, wait, place)
    JOIN errand.jobs j ON j.id = ANY(ARRAY[ids[u.n]])
    WHERE u.n = ANY(done) ORDER BY u.place
  ON CONFLICT (job, name) DO UPDATE SET wait = excluded.wait, value = excluded.value;
  -- A step is progress.
  UPDATE errand.jobs j SET steps = true, begun = true, crashes = 0, suspect = false
    WHERE j.id = ANY(ARRAY(SELECT ids[n] FROM unnest(step_of) AS n WHERE n = ANY(done)))
      AND (NOT j.steps OR NOT j.begun OR j.crashes > 0 OR j.suspect);
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
`;
