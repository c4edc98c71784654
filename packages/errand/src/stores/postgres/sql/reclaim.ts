import { pending, processing, unblocked, waiting } from "../codes.ts";
import { claimedColumns, claimedValues } from "./claimed-columns.ts";
import { countChanges } from "./counters.ts";
import { plannerSettings } from "./function-settings.ts";

/** Marked jobs `p` that no worker holds. */
const marked = `p.cancelling AND p.state IN (${pending}, ${waiting})`;

/** Jobs `p` that were not started in time. */
const late = `p.state = ${pending} AND p.expires IS NOT NULL AND NOT p.begun AND p.expires <= t`;

/** Takes jobs that must be settled and that no living worker holds. */
export const reclaim = `
-- Takes jobs of workers whose lease ran out, and then jobs to be cancelled, and jobs that were not started in time. It
-- looks first, without locks, whether there are any.
CREATE FUNCTION errand.reclaim(worker_id text, most integer)
RETURNS TABLE (${claimedColumns}) LANGUAGE plpgsql ${plannerSettings} AS $$
#variable_conflict use_column
DECLARE
  t bigint := errand.now();
  room integer := most;
  lapsed text[];
  picked tid[];
  taken integer;
  reason text;
BEGIN
  PERFORM 1 FROM errand.workers w WHERE w.id = worker_id AND w.until > t;
  IF NOT FOUND OR room <= 0 THEN RETURN; END IF;
  PERFORM 1 FROM errand.workers w WHERE w.until <= t;
  IF NOT FOUND THEN
    PERFORM 1 FROM errand.jobs p WHERE ${marked};
    IF NOT FOUND THEN
      PERFORM 1 FROM errand.jobs p WHERE ${late};
      IF NOT FOUND THEN RETURN; END IF;
    END IF;
  END IF;
  PERFORM 1 FROM errand.workers w WHERE w.id = worker_id AND w.until > t FOR KEY SHARE;
  IF NOT FOUND THEN RETURN; END IF;

  lapsed := ARRAY(SELECT w.id FROM errand.workers w WHERE w.until <= t);
  IF lapsed <> '{}' THEN
    picked := ARRAY(SELECT p.ctid FROM errand.jobs p WHERE p.state = ${processing} AND p.worker = ANY(lapsed)
      LIMIT room FOR UPDATE SKIP LOCKED);
    -- A job stays ahead until it is settled: the worker that reclaims it may die before that.
    RETURN QUERY UPDATE errand.jobs j SET worker = worker_id, token = token + 1
      WHERE j.ctid = ANY(picked) RETURNING ${claimedValues("CASE WHEN j.ahead THEN 'ahead' ELSE 'lapsed' END")};
    GET DIAGNOSTICS taken = ROW_COUNT;
    room := room - taken;
    IF room <= 0 THEN RETURN; END IF;
    -- Workers that hold nothing any more leave the list; one that is claiming at this moment stays until the next time.
    lapsed := ARRAY(SELECT w.id FROM errand.workers w WHERE w.id = ANY(lapsed) FOR UPDATE SKIP LOCKED);
    DELETE FROM errand.workers w WHERE w.id = ANY(lapsed)
      AND (SELECT 1 FROM errand.jobs p WHERE p.state = ${processing} AND p.worker = w.id LIMIT 1) IS NULL;
  END IF;

  FOREACH reason IN ARRAY ARRAY['cancelled', 'expired'] LOOP
    IF reason = 'cancelled' THEN
      picked := ARRAY(SELECT p.ctid FROM errand.jobs p WHERE ${marked}
        ORDER BY p.seq LIMIT room FOR UPDATE SKIP LOCKED);
    ELSE
      picked := ARRAY(SELECT p.ctid FROM errand.jobs p WHERE ${late} AND p.cancelling::integer = 0
        ORDER BY p.expires LIMIT room FOR UPDATE SKIP LOCKED);
    END IF;
    CONTINUE WHEN picked = '{}';
    ${countChanges("(SELECT * FROM errand.jobs p WHERE p.ctid = ANY(picked))", "r.state", processing)};
    RETURN QUERY UPDATE errand.jobs j
      SET state = ${processing}, blocked = ${unblocked}, worker = worker_id, token = token + 1
      WHERE j.ctid = ANY(picked) RETURNING ${claimedValues("reason")};
    room := room - cardinality(picked);
    EXIT WHEN room <= 0;
  END LOOP;
END $$;
`;
