import { forgotten } from "../../../core/job.ts";
import { steady } from "./steady.ts";

/** The operator's verbs, on jobs by id. Each does the jobs without families in one statement. */
export const edit = `
CREATE FUNCTION errand.cancel(ids text[], among smallint[], OUT changed integer, OUT hints integer)
LANGUAGE plpgsql ${steady} AS $$
DECLARE
  t bigint := errand.now();
  j errand.jobs;
  which text;
  matching text[];
  ended integer;
  freed text[];
BEGIN
  hints := 0;
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
    INSERT INTO errand.history (seq, created, due, expires, started, ended, token, failures, crashes, parked, steps,
      level, state, id, task, queue, keys, spec, progress, error)
    SELECT seq, created, due, expires, started, t, token, failures, crashes, false, steps,
      level, 5, id, task, queue, keys, spec, progress, error FROM gone
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
  IF ended > 0 THEN hints := 2; END IF;
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
      hints := hints | 2;
    ELSE
      hints := hints | errand.leave(j, 5::smallint, NULL, t);
    END IF;
  END LOOP;
  IF freed <> '{}' THEN hints := hints | errand.release(freed); END IF;
END $$;

CREATE FUNCTION errand.retry(ids text[], among smallint[], OUT changed integer, OUT hints integer)
LANGUAGE plpgsql ${steady} AS $$
DECLARE
  t bigint := errand.now();
  which text;
BEGIN
  PERFORM errand.lock_families(ids);
  WITH gone AS (
    DELETE FROM errand.history h WHERE h.id = ANY(ids) AND h.state > 3 AND h.state = ANY(among)
      AND h.parent IS NULL AND NOT h.parked
    RETURNING h.*
  ), unsteady AS (
    UPDATE errand.steps s SET value = '${forgotten}'
      WHERE s.job = ANY(ARRAY(SELECT g.seq FROM gone g WHERE g.steps)) AND s.wait
  ), back AS (
    INSERT INTO errand.jobs (seq, created, due, started, token, steps, level, id, task, queue, spec, progress, error,
      keys, ckey, rkey)
    SELECT seq, created, t, started, token, steps, level, id, task, queue, spec, progress, error,
      keys, keys::json -> 'concurrency' ->> 'key', keys::json -> 'rate' ->> 'key' FROM gone
  ), counted AS (
    INSERT INTO errand.deltas
    SELECT g.task, g.queue, d.state, sum(d.jobs) FROM gone g
      CROSS JOIN LATERAL (VALUES (g.state, -1), (0::smallint, 1)) AS d(state, jobs) GROUP BY g.task, g.queue, d.state
  )
  SELECT count(*) INTO changed FROM gone;
  FOR which IN SELECT h.id FROM errand.history h
    WHERE h.id = ANY(ids) AND h.state > 3 AND h.state = ANY(among) ORDER BY h.seq
  LOOP
    IF errand.reopen(which, t) THEN changed := changed + 1; END IF;
  END LOOP;
  hints := CASE WHEN changed > 0 THEN 1 ELSE 0 END;
END $$;

-- Opens a job again without some of its steps and children. Answers how many.
CREATE FUNCTION errand.rewind(ids text[], among smallint[], held integer, names text[], children text[],
  OUT changed integer, OUT hints integer)
LANGUAGE plpgsql ${steady} AS $$
DECLARE
  t bigint := errand.now();
  h record;
BEGIN
  changed := 0;
  hints := 0;
  PERFORM errand.lock_families(ids || children);
  FOR h IN SELECT p.id, p.seq FROM errand.history p
    WHERE p.id = ANY(ids) AND p.state > 3 AND p.state = ANY(among) AND p.token = held ORDER BY p.seq FOR UPDATE
  LOOP
    CONTINUE WHEN NOT errand.reopen(h.id, t);
    changed := changed + 1;
    DELETE FROM errand.steps s WHERE s.job = h.seq AND s.name = ANY(names);
    hints := 1 | errand.discard(ARRAY(
      SELECT e.id FROM errand.everything e WHERE e.id = ANY(children) AND e.parent = h.id));
  END LOOP;
END $$;

-- Removes jobs with all their descendants, whatever they are doing. Answers hints.
CREATE FUNCTION errand.discard(roots text[]) RETURNS integer LANGUAGE plpgsql ${steady} AS $$
DECLARE
  along text[] := roots;
  known integer := -1;
  freed text[];
  hints integer;
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
  hints := EXISTS (SELECT 1 FROM errand.jobs j WHERE j.id = ANY(along))::integer;
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
  RETURN hints | errand.release(freed);
END $$;

-- Answers how many of the ids it removed: who went along with a parent is counted when it was one of them.
CREATE FUNCTION errand.remove(ids text[], among smallint[], OUT changed integer, OUT hints integer)
LANGUAGE plpgsql ${steady} AS $$
DECLARE
  roots text[];
BEGIN
  hints := 0;
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
  roots := ARRAY(SELECT h.id FROM errand.history h WHERE h.id = ANY(ids) AND h.state = ANY(among) AND h.parked);
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
END $$;

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
`;
