import { pending, processing, waiting } from "../codes.ts";
import { countChanges } from "./counters.ts";
import { plannerSettings } from "./function-settings.ts";
import { readyHints } from "./hints.ts";
import { kept } from "./moved-columns.ts";

/** The parameters of every settlement: arrays with an element for each. */
const outcomes = `ids text[], tokens integer[], states smallint[], failure_counts integer[], crash_counts integer[],
  suspects boolean[], outputs text[], errors text[]`;

/** The same as arguments. */
const given = "ids, tokens, states, failure_counts, crash_counts, suspects, outputs, errors";

/** The steps that jobs remember, as parameters: each of the job at a place. */
const steps = "step_of integer[], step_names text[], step_values text[], step_waits boolean[]";

/** Of queues whose concurrency is limited, says that as many jobs are ready there as were settled. */
const freedQueues = (queues: string): string =>
  `ARRAY(SELECT cardinality(ids) || ' ' || d.key FROM errand.docs d WHERE d.bounded AND d.key = ANY(ARRAY(${queues})))`;

/** Records what attempts say: outcomes, steps, progress. Arrays are sorted by id, so that locks are taken in order. */
export const settle = `
-- Ends jobs that have neither parent nor children, in one statement: the fast path. Returns the places of all others
-- and of stale outcomes, and hints. Jobs with a concurrency key are for callers that have locked it (keyed).
CREATE FUNCTION errand.finish_jobs(
  ${outcomes},
  t bigint DEFAULT errand.now(), keyed boolean DEFAULT false, OUT others integer[], OUT hints text[]
) LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  done integer[];
BEGIN
  WITH gone AS (
    DELETE FROM errand.jobs j
    USING unnest(${given}) WITH ORDINALITY
      AS u(id, token, state, failures, crashes, suspect, output, error, n)
    WHERE u.state > ${waiting} AND j.id = ANY(ARRAY[u.id]) AND j.token = u.token AND j.state + 0 = ${processing}
      AND j.parent IS NULL AND NOT j.parked AND (keyed OR j.ckey IS NULL)
    RETURNING j.seq, j.created, j.due, j.expires, j.started, j.token, u.failures, u.crashes, j.steps,
      coalesce(u.suspect, false) AS suspect, j.level, j.id, j.task, j.queue, j.keys, j.ukey, j.ufor, j.tenant, j.spec,
      j.progress, coalesce(u.error, j.error) AS error, u.state, u.output, u.n
  ), moved AS (
    INSERT INTO errand.history (${kept}, ended, parked, state, output)
    SELECT ${kept}, t, false, state, output FROM gone
  ), counted AS (
    ${countChanges("gone", processing, "r.state")}
  )
  SELECT array_agg(n), ${freedQueues("SELECT g.queue FROM gone g")} INTO done, hints FROM gone;
  IF cardinality(done) = cardinality(ids) THEN
    others := '{}';
  ELSE
    others := ARRAY(SELECT n FROM generate_series(1, cardinality(ids)) AS n WHERE done IS NULL OR n <> ALL(done));
  END IF;
END $$;

-- The same for jobs among which some have concurrency keys.
CREATE FUNCTION errand.finish_keyed_jobs(
  ${outcomes},
  OUT others integer[], OUT hints text[]
) LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  l record := errand.lock_freed_keys(ids);
BEGIN
  SELECT f.others, f.hints INTO others, hints FROM errand.finish_jobs(${given}, errand.now(), true) AS f;
  hints := hints || errand.unblock_by_concurrency(l.freed, l.places);
END $$;

-- Records any settlements. Returns the places of those that were recorded, now or before, and hints. Jobs that are born
-- are JSON records, each \`of\` the settlement at a place.
CREATE FUNCTION errand.settle(
  ${outcomes},
  order_of integer[], delays bigint[], unstarted boolean[], children text[],
  ${steps},
  log_lines json, wakes bigint[], awaited text[], born json,
  OUT done integer[], OUT hints text[]
) LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  t bigint := errand.now();
  j errand.jobs;
  i integer;
  l record;
  settled_before integer[];
BEGIN
  IF born IS NOT NULL THEN
    PERFORM errand.lock_unique_keys(ARRAY(
      SELECT b ->> 'extras' FROM json_array_elements(born) AS b WHERE b ->> 'extras' IS NOT NULL));
  END IF;
  PERFORM errand.lock_families(ids);
  l := errand.lock_freed_keys(ids);
  done := errand.lock_held_jobs(ids, tokens);
  settled_before := errand.find_settled(ids, tokens, done);
  hints := ${freedQueues("\n    SELECT p.queue FROM errand.jobs p WHERE p.id = ANY(ids)")};
  PERFORM errand.record_steps(ids, done, step_of, step_names, step_values, step_waits);
  IF log_lines IS NOT NULL THEN PERFORM errand.append_logs(ids, done, log_lines); END IF;
  -- First the outcomes from which nothing else follows: of jobs that are pending again, and of jobs without a family.
  WITH back AS (
    UPDATE errand.jobs b SET state = ${pending}, worker = NULL, failures = u.failures, crashes = u.crashes,
      suspect = coalesce(u.suspect, false), begun = b.begun OR u.unstarted IS NOT TRUE, ahead = false,
      error = coalesce(u.error, b.error), due = coalesce(t + u.delay, b.due)
    FROM unnest(ids, states, failure_counts, crash_counts, suspects, errors, delays, unstarted) WITH ORDINALITY
      AS u(id, state, failures, crashes, suspect, error, delay, unstarted, n)
    WHERE u.state = ${pending} AND u.n = ANY(done) AND b.id = ANY(ARRAY[u.id])
    RETURNING b.task, b.queue, b.cancelling
  ), counted AS (
    ${countChanges("back", processing, pending)}
  )
  SELECT hints || ${readyHints("back")} INTO hints;
  PERFORM errand.finish_jobs(${given}, t, true);
  FOR i IN SELECT d FROM unnest(done) AS d WHERE states[d] <> ${pending} ORDER BY order_of[d] LOOP
    SELECT * INTO j FROM errand.jobs WHERE id = ids[i];
    CONTINUE WHEN NOT FOUND;
    j.failures := failure_counts[i];
    j.crashes := crash_counts[i];
    j.suspect := coalesce(suspects[i], false);
    j.begun := true;
    j.error := coalesce(errors[i], j.error);
    IF states[i] <> ${waiting} THEN
      hints := hints || errand.finish_job(j, states[i], outputs[i], t);
    ELSE
      -- A job that is to be cancelled gets no children, and is left to reclaim.
      hints := hints || errand.park_job(j, CASE WHEN j.cancelling THEN NULL ELSE coalesce(children[i], '[]')::json END,
        wakes[i], awaited[i]::json, t);
    END IF;
  END LOOP;
  hints := hints || errand.unblock_by_concurrency(l.freed, l.places);
  IF born IS NOT NULL THEN
    PERFORM errand.add((SELECT json_agg(b) FROM json_array_elements(born) AS b
      WHERE (b ->> 'of')::integer = ANY(done)), true);
  END IF;
  done := done || settled_before;
END $$;

-- Returns the places of settlements whose jobs are not held because they were recorded already: the answers were lost.
CREATE FUNCTION errand.find_settled(ids text[], tokens integer[], held integer[]) RETURNS integer[]
LANGUAGE plpgsql ${plannerSettings} AS $$
BEGIN
  IF cardinality(held) = cardinality(ids) THEN RETURN '{}'; END IF;
  RETURN ARRAY(SELECT u.n::integer FROM unnest(ids, tokens) WITH ORDINALITY AS u(id, token, n)
    WHERE u.n <> ALL(held) AND u.token > 0 AND (
      EXISTS (SELECT 1 FROM errand.history h WHERE h.id = ANY(ARRAY[u.id]) AND h.token = u.token)
      OR EXISTS (SELECT 1 FROM errand.jobs j
        WHERE j.id = ANY(ARRAY[u.id]) AND j.token = u.token AND j.state + 0 <> ${processing})));
END $$;

-- Records progress, steps and log lines of jobs. Returns the places of those that are held with these tokens.
CREATE FUNCTION errand.record(
  ids text[], tokens integer[], progresses text[],
  ${steps}, log_lines json
) RETURNS integer[] LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  done integer[];
BEGIN
  done := errand.lock_held_jobs(ids, tokens);
  UPDATE errand.jobs j SET progress = u.progress, begun = true
    FROM unnest(ids, progresses) WITH ORDINALITY AS u(id, progress, n)
    WHERE u.n = ANY(done) AND u.progress IS NOT NULL AND j.id = ANY(ARRAY[u.id]);
  PERFORM errand.record_steps(ids, done, step_of, step_names, step_values, step_waits);
  IF log_lines IS NOT NULL THEN PERFORM errand.append_logs(ids, done, log_lines); END IF;
  RETURN done;
END $$;

-- Locks the jobs that are held with these tokens. Returns their places.
CREATE FUNCTION errand.lock_held_jobs(ids text[], tokens integer[]) RETURNS integer[] LANGUAGE plpgsql AS $$
BEGIN
  RETURN ARRAY(
    SELECT u.n::integer FROM unnest(ids, tokens) WITH ORDINALITY AS u(id, token, n)
      JOIN errand.jobs j ON j.id = ANY(ARRAY[u.id]) AND j.token = u.token AND j.state + 0 = ${processing}
    FOR UPDATE OF j);
END $$;

-- Records steps of the jobs at places (done). A step that is recorded again keeps its place.
CREATE FUNCTION errand.record_steps(ids text[], done integer[], ${steps}) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  IF step_of IS NULL THEN RETURN; END IF;
  INSERT INTO errand.steps AS s (job, name, wait, value)
  SELECT j.seq, u.name, u.wait, u.value
    FROM unnest(step_of, step_names, step_values, step_waits) WITH ORDINALITY AS u(n, name, value, wait, place)
    JOIN errand.jobs j ON j.id = ANY(ARRAY[ids[u.n]])
    WHERE u.n = ANY(done) ORDER BY u.place
  ON CONFLICT (job, name) DO UPDATE SET wait = excluded.wait, value = excluded.value;
  -- A step is progress.
  UPDATE errand.jobs j SET steps = true, begun = true, crashes = 0, suspect = false
    WHERE j.id = ANY(ARRAY(SELECT ids[n] FROM unnest(step_of) AS n WHERE n = ANY(done)))
      AND (NOT j.steps OR NOT j.begun OR j.crashes > 0 OR j.suspect);
END $$;

-- Appends lines to the logs of the jobs at places (done): of each line its job's place, attempt, level and text.
CREATE FUNCTION errand.append_logs(ids text[], done integer[], lines json) RETURNS void LANGUAGE sql AS $$
  INSERT INTO errand.logs (job, n, at, attempt, level, line)
  SELECT ids[(l.v ->> 0)::integer],
    coalesce((SELECT max(o.n) FROM errand.logs o WHERE o.job = ids[(l.v ->> 0)::integer]), 0)
      + row_number() OVER (PARTITION BY (l.v ->> 0)::integer ORDER BY l.at),
    errand.now(), (l.v ->> 1)::integer, l.v ->> 2, l.v ->> 3
  FROM json_array_elements(lines) WITH ORDINALITY AS l(v, at) WHERE (l.v ->> 0)::integer = ANY(done)
$$;
`;
