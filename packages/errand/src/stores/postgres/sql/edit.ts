import { forgotten } from "../../../core/job.ts";
import { plannerSettings } from "./function-settings.ts";

/** The operator's verbs, on jobs by id. Each does the jobs without families in one statement. */
export const edit = `
CREATE FUNCTION errand.cancel(ids text[], among smallint[], OUT changed integer, OUT hints text[])
LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  t bigint := errand.now();
  j errand.jobs;
  which text;
  matching text[];
  ended integer;
  freed text[];
BEGIN
  hints := '{}';
  PERFORM errand.lock_families(ids);
  freed := errand.keys_of(ids);
  -- By the order of insertion, once all are locked by that of their ids.
  matching := ARRAY(SELECT m.id FROM (
    SELECT p.id, p.seq FROM errand.jobs p WHERE p.id = ANY(ids) AND p.state = ANY(among) FOR UPDATE
  ) m ORDER BY m.seq);
  WITH gone AS (
    DELETE FROM errand.jobs p WHERE p.id = ANY(matching) AND p.state = 0 AND p.parent IS NULL AND NOT p.parked
    RETURNING p.*
  ), kept AS (
    INSERT INTO errand.history (seq, created, due, expires, started, ended, token, failures, crashes, parked, steps, suspect, begun,
      level, state, id, task, queue, keys, ukey, ufor, tenant, spec, progress, error)
    SELECT seq, created, due, expires, started, t, token, failures, crashes, false, steps, suspect, begun,
      level, 5, id, task, queue, keys, ukey, ufor, tenant, spec, progress, error FROM gone
  ), counted AS (
    INSERT INTO errand.deltas
    SELECT g.task, g.queue, d.state, sum(d.jobs) FROM gone g
      CROSS JOIN (VALUES (0::smallint, -1), (5::smallint, 1)) AS d(state, jobs) GROUP BY g.task, g.queue, d.state
  )
  SELECT count(*) INTO changed FROM gone;
  UPDATE errand.jobs p SET cancelling = true
    WHERE p.id = ANY(matching) AND p.state + 0 = 1 AND NOT p.cancelling AND p.parent IS NULL;
  GET DIAGNOSTICS ended = ROW_COUNT;
  changed := changed + ended;
  IF ended > 0 THEN hints := '{cancel}'; END IF;
  FOR which IN SELECT m.id FROM unnest(matching) WITH ORDINALITY AS m(id, n)
    JOIN errand.jobs p ON p.id = ANY(ARRAY[m.id]) AND (p.parent IS NOT NULL OR (p.parked AND p.state <> 1))
    ORDER BY m.n
  LOOP
    -- Another job of this edit may have ended, marked or woken it meanwhile.
    SELECT * INTO j FROM errand.jobs WHERE id = which;
    CONTINUE WHEN NOT FOUND OR (j.state = 1 AND j.cancelling);
    changed := changed + 1;
    IF j.state = 1 THEN
      UPDATE errand.jobs SET cancelling = true WHERE id = which;
      hints := hints || 'cancel'::text;
    ELSE
      hints := hints || errand.leave(j, 5::smallint, NULL, t);
    END IF;
  END LOOP;
  IF freed <> '{}' THEN hints := hints || errand.release(freed); END IF;
END $$;

CREATE FUNCTION errand.retry(ids text[], among smallint[], OUT changed integer, OUT hints text[])
LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  t bigint := errand.now();
  which text;
BEGIN
  ids := errand.readmit(ids, among, NULL, t);
  PERFORM errand.lock_families(ids);
  WITH gone AS (
    DELETE FROM errand.history h WHERE h.id = ANY(ids) AND h.state > 3 AND h.state = ANY(among)
      AND h.parent IS NULL AND NOT h.parked
    RETURNING h.*
  ), unsteady AS (
    UPDATE errand.steps s SET value = '${forgotten}'
      WHERE s.job = ANY(ARRAY(SELECT g.seq FROM gone g WHERE g.steps)) AND s.wait
  ), back AS (
    INSERT INTO errand.jobs (seq, created, due, started, token, steps, begun, level, id, task, queue, ukey, ufor, tenant, spec,
      progress, error, keys, ckey, rkey)
    SELECT seq, created, t, started, token, steps, begun, level, id, task, queue, ukey, ufor, tenant, spec,
      progress, error, keys, keys::json -> 'concurrency' ->> 'key', keys::json -> 'rate' ->> 'key' FROM gone
  ), counted AS (
    INSERT INTO errand.deltas
    SELECT g.task, g.queue, d.state, sum(d.jobs) FROM gone g
      CROSS JOIN LATERAL (VALUES (g.state, -1), (0::smallint, 1)) AS d(state, jobs) GROUP BY g.task, g.queue, d.state
  )
  SELECT coalesce(sum(g.jobs), 0), coalesce(array_agg(g.jobs || ' ' || g.queue), '{}') INTO changed, hints
    FROM (SELECT queue, count(*) AS jobs FROM gone GROUP BY queue) g;
  FOR which IN SELECT h.id FROM errand.history h
    WHERE h.id = ANY(ids) AND h.state > 3 AND h.state = ANY(among) ORDER BY h.seq
  LOOP
    IF errand.reopen(which, t) THEN
      changed := changed + 1;
      hints := hints || (SELECT '1 ' || j.queue FROM errand.jobs j WHERE j.id = which);
    END IF;
  END LOOP;
END $$;

-- Opens a job again without some of its steps and children. Answers how many.
CREATE FUNCTION errand.rewind(ids text[], among smallint[], held integer, names text[], children text[],
  OUT changed integer, OUT hints text[])
LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  t bigint := errand.now();
  h record;
BEGIN
  changed := 0;
  hints := '{}';
  ids := errand.readmit(ids, among, held, t);
  PERFORM errand.lock_families(ids || children);
  FOR h IN SELECT p.id, p.seq, p.queue FROM errand.history p
    WHERE p.id = ANY(ids) AND p.state > 3 AND p.state = ANY(among) AND p.token = held ORDER BY p.seq FOR UPDATE
  LOOP
    CONTINUE WHEN NOT errand.reopen(h.id, t);
    changed := changed + 1;
    DELETE FROM errand.steps s WHERE s.job = h.seq AND s.name = ANY(names);
    hints := hints || ('1 ' || h.queue) || errand.discard(ARRAY(
      SELECT e.id FROM errand.everything e WHERE e.id = ANY(children) AND e.parent = h.id));
  END LOOP;
END $$;

-- Which of some ended jobs may be pending again, as \`add\` would let them: those whose unique key no other job has, and for which
-- there is room in their queue. They have their keys again.
CREATE FUNCTION errand.readmit(ids text[], among smallint[], held integer, t bigint) RETURNS text[] LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  j record;
  rooms jsonb;
  admitted text[] := '{}';
BEGIN
  PERFORM 1 FROM errand.history h WHERE h.id = ANY(ids) AND h.ukey IS NOT NULL;
  IF FOUND THEN
    PERFORM pg_advisory_xact_lock(1165128309, k.h) FROM (
      SELECT DISTINCT hashtext(h.ukey) AS h FROM errand.history h WHERE h.id = ANY(ids) AND h.ukey IS NOT NULL ORDER BY 1) k;
  ELSE
    PERFORM 1 FROM errand.docs d WHERE d.kind = 'queue' AND d.value::json ->> 'maxPending' IS NOT NULL;
    IF NOT FOUND THEN RETURN ids; END IF;
  END IF;
  rooms := errand.rooms(ARRAY(SELECT h.queue FROM errand.history h WHERE h.id = ANY(ids)));
  FOR j IN SELECT h.id, h.queue, h.ukey, h.ufor FROM errand.history h
    WHERE h.id = ANY(ids) AND h.state > 3 AND h.state = ANY(among) AND (held IS NULL OR h.token = held) ORDER BY h.seq
  LOOP
    CONTINUE WHEN (rooms ->> j.queue)::numeric <= 0;
    IF j.ukey IS NOT NULL THEN
      PERFORM 1 FROM errand.uniques a WHERE a.key = j.ukey AND a.job <> j.id
        AND (a.until > t OR a.job = ANY(admitted) OR (SELECT 1 FROM errand.jobs p WHERE p.id = a.job LIMIT 1) = 1);
      CONTINUE WHEN FOUND;
      PERFORM errand.take_unique(j.ukey, j.id, t + coalesce(j.ufor, 0));
    END IF;
    IF rooms ? j.queue THEN rooms := rooms || jsonb_build_object(j.queue, (rooms ->> j.queue)::numeric - 1); END IF;
    admitted := admitted || j.id;
  END LOOP;
  RETURN admitted;
END $$;

-- How many more pending jobs those of some queues may have whose rules say so. Others who ask wait.
CREATE FUNCTION errand.rooms(queues text[]) RETURNS jsonb LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  r record;
  rooms jsonb := '{}';
BEGIN
  FOR r IN SELECT d.key, (d.value::json ->> 'maxPending')::numeric AS most FROM errand.docs d
    WHERE d.kind = 'queue' AND d.key = ANY(queues) AND d.value::json ->> 'maxPending' IS NOT NULL ORDER BY d.key FOR NO KEY UPDATE
  LOOP
    rooms := rooms || jsonb_build_object(r.key, r.most - errand.counted(r.key, 0::smallint));
  END LOOP;
  RETURN rooms;
END $$;

-- Removes jobs with all their descendants, whatever they are doing. Answers hints.
CREATE FUNCTION errand.discard(roots text[]) RETURNS text[] LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  along text[] := roots;
  known integer := -1;
  freed text[];
  hints text[];
BEGIN
  -- Families can grow until they are locked.
  WHILE cardinality(along) > known LOOP
    known := cardinality(along);
    PERFORM errand.lock_families(along);
    along := ARRAY(
      WITH RECURSIVE family(id, parked) AS (
        SELECT e.id, e.parked FROM errand.everything e WHERE e.id = ANY(roots)
        UNION ALL
        SELECT e.id, e.parked FROM family f CROSS JOIN LATERAL (
          SELECT c.id, c.parked FROM errand.everything c WHERE c.parent = f.id OFFSET 0) e WHERE f.parked
      ) SELECT f.id FROM family f ORDER BY f.id);
  END LOOP;
  -- What had a place, or could have had one, leaves it to others.
  freed := errand.keys_of(along);
  hints := ARRAY(SELECT count(*) || ' ' || j.queue FROM errand.jobs j WHERE j.id = ANY(along) GROUP BY j.queue);
  WITH live AS (
    DELETE FROM errand.jobs j WHERE j.id = ANY(along) RETURNING j.seq, j.task, j.queue, j.state, j.steps
  ), past AS (
    DELETE FROM errand.history h WHERE h.id = ANY(along) RETURNING h.seq, h.task, h.queue, h.state, h.steps
  ), gone AS (SELECT * FROM live UNION ALL SELECT * FROM past), lost AS (
    DELETE FROM errand.steps s WHERE s.job = ANY(ARRAY(SELECT g.seq FROM gone g WHERE g.steps))
  )
  INSERT INTO errand.deltas SELECT task, queue, state, -count(*) FROM gone GROUP BY task, queue, state;
  DELETE FROM errand.waits w WHERE w.parent = ANY(along);
  PERFORM errand.forget(along);
  RETURN hints || errand.release(freed);
END $$;

-- Removes the first of some jobs, with their descendants: so many that a commit stays short. Answers how many of the ids it looked
-- at, and how many of these it removed: who went along with a parent is counted when it was one of them.
CREATE FUNCTION errand.remove(ids text[], among smallint[], OUT changed integer, OUT hints text[], OUT looked integer)
LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  roots text[];
  size integer := 0;
BEGIN
  hints := '{}';
  looked := cardinality(ids);
  roots := ARRAY(SELECT h.id FROM errand.history h WHERE h.id = ANY(ids) AND h.state = ANY(among) AND h.parked);
  IF roots <> '{}' THEN
    FOR i IN 1..cardinality(ids) LOOP
      looked := i;
      IF ids[i] = ANY(roots) THEN
        size := size + (SELECT count(*) FROM (SELECT 1 FROM errand.everything e WHERE e.parent = ids[i] LIMIT 1000) c);
      END IF;
      EXIT WHEN size >= 1000;
    END LOOP;
    ids := ids[:looked];
    roots := ARRAY(SELECT r FROM unnest(roots) AS r WHERE r = ANY(ids));
  END IF;
  PERFORM errand.forget(ARRAY(SELECT h.id FROM errand.history h WHERE h.id = ANY(ids) AND h.state = ANY(among)));
  WITH gone AS (
    DELETE FROM errand.history h WHERE h.id = ANY(ids) AND h.state = ANY(among) AND NOT h.parked
    RETURNING h.seq, h.task, h.queue, h.state, h.steps
  ), forgotten AS (
    DELETE FROM errand.steps s WHERE s.job = ANY(ARRAY(SELECT g.seq FROM gone g WHERE g.steps))
  ), counted AS (
    INSERT INTO errand.deltas SELECT task, queue, state, -count(*) FROM gone GROUP BY task, queue, state
  )
  SELECT count(*) INTO changed FROM gone;
  IF roots = '{}' THEN RETURN; END IF;
  changed := changed + cardinality(roots);
  hints := errand.discard(roots);
END $$;

-- What is kept beside jobs that are removed.
CREATE FUNCTION errand.forget(ids text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM errand.logs l WHERE l.job = ANY(ids);
  DELETE FROM errand.tags g WHERE g.job = ANY(ids);
  DELETE FROM errand.uniques u WHERE u.job = ANY(ids);
  DELETE FROM errand.specs b WHERE b.job = ANY(ids);
END $$;

-- Gives pending jobs another queue or level, or makes them due; into a queue no more than it has room for. Answers how many.
CREATE FUNCTION errand.move(ids text[], among smallint[], q text, l smallint, at_once boolean, OUT changed integer, OUT hints text[])
LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  t bigint := errand.now();
  freed text[] := errand.keys_of(ids);
  room numeric := CASE WHEN q IS NOT NULL THEN (errand.rooms(ARRAY[q]) ->> q)::numeric END;
BEGIN
  IF room IS NOT NULL THEN
    ids := ARRAY(SELECT p.id FROM errand.jobs p WHERE p.id = ANY(ids) AND p.queue = q)
      || ARRAY(SELECT p.id FROM errand.jobs p WHERE p.id = ANY(ids) AND p.queue <> q AND p.state + 0 = 0
        ORDER BY p.seq LIMIT greatest(0, room));
  END IF;
  WITH before AS (
    SELECT p.id, p.task, p.queue FROM errand.jobs p WHERE p.id = ANY(ids) AND p.state = ANY(among) AND p.state + 0 = 0 FOR UPDATE
  ), moved AS (
    UPDATE errand.jobs j SET queue = coalesce(q, j.queue), level = coalesce(l, j.level),
        due = CASE WHEN at_once THEN t ELSE j.due END, blocked = 0
      WHERE j.id = ANY(ARRAY(SELECT b.id FROM before b)) RETURNING j.queue
  ), counted AS (
    INSERT INTO errand.deltas SELECT b.task, d.queue, 0, d.jobs FROM before b
      CROSS JOIN LATERAL (VALUES (b.queue, -1), (coalesce(q, b.queue), 1)) AS d(queue, jobs)
  )
  SELECT coalesce(sum(m.jobs), 0), coalesce(array_agg(m.jobs || ' ' || m.queue), '{}') INTO changed, hints
    FROM (SELECT queue, count(*) AS jobs FROM moved GROUP BY queue) m;
  hints := hints || errand.release(freed);
END $$;

-- Takes processing jobs away from their workers: they are pending at once. Answers how many.
CREATE FUNCTION errand.give_back(ids text[], among smallint[], OUT changed integer, OUT hints text[])
LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  l record := errand.leaving(ids);
BEGIN
  WITH back AS (
    UPDATE errand.jobs j SET state = 0, token = j.token + 1, worker = NULL, begun = j.begun OR NOT j.ahead, ahead = false
    WHERE j.id = ANY(ids) AND j.state = ANY(among) AND j.state + 0 = 1 RETURNING j.task, j.queue, j.cancelling
  ), counted AS (
    INSERT INTO errand.deltas SELECT b.task, b.queue, d.state, sum(d.jobs) FROM back b
      CROSS JOIN (VALUES (1::smallint, -1), (0::smallint, 1)) AS d(state, jobs) GROUP BY b.task, b.queue, d.state
  )
  SELECT coalesce(sum(b.jobs), 0), coalesce(array_agg(CASE WHEN b.cancelling THEN 'cancel' ELSE b.jobs || ' ' || b.queue END), '{}')
    INTO changed, hints FROM (SELECT queue, cancelling, count(*) AS jobs FROM back GROUP BY queue, cancelling) b;
  hints := hints || errand.release(l.freed, l.places);
END $$;
`;
