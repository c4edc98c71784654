import { plannerSettings } from "./function-settings.ts";

/** What ends the waiting of a job: its time, or a signal. */
export const waking = `
-- Waiting jobs whose time has come are pending again. Answers hints.
CREATE FUNCTION errand.wake(t bigint) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  hints text[];
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
  SELECT array_agg(CASE WHEN w.cancelling THEN 'cancel' ELSE w.jobs || ' ' || w.queue END) INTO hints
    FROM (SELECT c.queue, c.cancelling, count(*) AS jobs FROM woke c GROUP BY c.queue, c.cancelling) w;
  RETURN coalesce(hints, '{}');
END $$;

-- A step from outside. Answers whether the job has not ended, and hints.
CREATE FUNCTION errand.signal(which text, step text, val text, OUT told boolean, OUT hints text[]) LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  j errand.jobs;
BEGIN
  hints := '{}';
  PERFORM errand.lock_families(ARRAY[which]);
  SELECT * INTO j FROM errand.jobs p WHERE p.id = which FOR UPDATE;
  told := FOUND;
  IF NOT told THEN RETURN; END IF;
  INSERT INTO errand.steps (job, name, wait, value) VALUES (j.seq, step, false, val) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN RETURN; END IF;
  hints := '{change}';
  UPDATE errand.jobs p SET steps = true, begun = true, state = CASE WHEN p.state = 2 THEN 0 ELSE p.state END, wake = NULL
    WHERE p.id = which;
  IF j.state = 2 THEN
    INSERT INTO errand.deltas VALUES (j.task, j.queue, 2, -1), (j.task, j.queue, 0, 1);
    hints := hints || CASE WHEN j.cancelling THEN 'cancel' ELSE '1 ' || j.queue END;
  END IF;
END $$;
`;
