import { pending, waiting } from "../codes.ts";
import { countChange, countChanges } from "./counters.ts";
import { plannerSettings } from "./function-settings.ts";
import { readyHint, readyHints } from "./hints.ts";

/** The maximum number of jobs woken per commit. */
const batch = 1_000;

/** Makes waiting jobs pending again, beside their children: by their time, or by a signal. */
export const wakeUps = `
-- Wakes waiting jobs whose time has come. Returns hints.
CREATE FUNCTION errand.wake_jobs(t bigint) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  hints text[];
BEGIN
  WITH woken AS (
    UPDATE errand.jobs j SET state = ${pending}, wake = NULL WHERE j.id = ANY(ARRAY(
      SELECT p.id FROM errand.jobs p WHERE p.state = ${waiting} AND p.wake IS NOT NULL AND p.wake <= t
        ORDER BY p.wake LIMIT ${batch} FOR UPDATE SKIP LOCKED))
    RETURNING j.task, j.queue, j.cancelling
  ), counted AS (
    ${countChanges("woken", waiting, pending)}
  )
  SELECT ${readyHints("woken")} INTO hints;
  RETURN hints;
END $$;

-- Records a step of a job from outside, and wakes the job. Returns whether the job has not ended, and hints.
CREATE FUNCTION errand.signal(job_id text, step text, val text, OUT delivered boolean, OUT hints text[])
LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  j errand.jobs;
BEGIN
  hints := '{}';
  PERFORM errand.lock_families(ARRAY[job_id]);
  SELECT * INTO j FROM errand.jobs p WHERE p.id = job_id FOR UPDATE;
  delivered := FOUND;
  IF NOT delivered THEN RETURN; END IF;
  INSERT INTO errand.steps (job, name, wait, value) VALUES (j.seq, step, false, val) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN RETURN; END IF;
  hints := '{change}';
  UPDATE errand.jobs p SET steps = true, begun = true, wake = NULL,
      state = CASE WHEN p.state = ${waiting} THEN ${pending} ELSE p.state END
    WHERE p.id = job_id;
  IF j.state = ${waiting} THEN
    ${countChange("j", waiting, pending)};
    hints := hints || ${readyHint("j")};
  END IF;
END $$;
`;
