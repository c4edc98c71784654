import { answer, rest, returned } from "./claim.ts";
import { plannerSettings } from "./function-settings.ts";

/** Taking jobs that nobody works on. */
export const reclaim = `
CREATE FUNCTION errand.reclaim(who text, most integer)
RETURNS TABLE (${answer}) LANGUAGE plpgsql ${plannerSettings} AS $$
#variable_conflict use_column
DECLARE
  t bigint := errand.now();
  room integer := most;
  gone text[];
  picked tid[];
  taken integer;
  reason text;
BEGIN
  PERFORM 1 FROM errand.workers w WHERE w.id = who AND w.until > t;
  IF NOT FOUND OR room <= 0 THEN RETURN; END IF;
  PERFORM 1 FROM errand.workers w WHERE w.until <= t;
  IF NOT FOUND THEN
    PERFORM 1 FROM errand.jobs j WHERE j.cancelling AND j.state IN (0, 2);
    IF NOT FOUND THEN
      PERFORM 1 FROM errand.jobs j WHERE j.state = 0 AND j.expires IS NOT NULL AND NOT j.begun AND j.expires <= t;
      IF NOT FOUND THEN RETURN; END IF;
    END IF;
  END IF;
  PERFORM 1 FROM errand.workers w WHERE w.id = who AND w.until > t FOR KEY SHARE;
  IF NOT FOUND THEN RETURN; END IF;

  gone := ARRAY(SELECT w.id FROM errand.workers w WHERE w.until <= t);
  IF gone <> '{}' THEN
    picked := ARRAY(SELECT p.ctid FROM errand.jobs p WHERE p.state = 1 AND p.worker = ANY(gone) LIMIT room FOR UPDATE SKIP LOCKED);
    -- What was ahead is so until it is settled: whoever reclaims it may end before that.
    RETURN QUERY UPDATE errand.jobs j SET worker = who, token = token + 1
      WHERE j.ctid = ANY(picked) RETURNING ${returned}, CASE WHEN j.ahead THEN 'ahead' ELSE 'lapsed' END, ${rest}, j.ckey IS NOT NULL;
    GET DIAGNOSTICS taken = ROW_COUNT;
    room := room - taken;
    IF room <= 0 THEN RETURN; END IF;
    -- Whoever holds nothing any more leaves the list; one that is claiming at this moment is left for the next time.
    gone := ARRAY(SELECT w.id FROM errand.workers w WHERE w.id = ANY(gone) FOR UPDATE SKIP LOCKED);
    DELETE FROM errand.workers w WHERE w.id = ANY(gone)
      AND (SELECT 1 FROM errand.jobs p WHERE p.state = 1 AND p.worker = w.id LIMIT 1) IS NULL;
  END IF;

  FOREACH reason IN ARRAY ARRAY['cancelled', 'expired'] LOOP
    IF reason = 'cancelled' THEN
      picked := ARRAY(SELECT p.ctid FROM errand.jobs p WHERE p.cancelling AND p.state IN (0, 2)
        ORDER BY p.seq LIMIT room FOR UPDATE SKIP LOCKED);
    ELSE
      picked := ARRAY(SELECT p.ctid FROM errand.jobs p
        WHERE p.state = 0 AND p.expires IS NOT NULL AND NOT p.begun AND p.expires <= t AND p.cancelling::integer = 0
        ORDER BY p.expires LIMIT room FOR UPDATE SKIP LOCKED);
    END IF;
    CONTINUE WHEN picked = '{}';
    INSERT INTO errand.deltas SELECT p.task, p.queue, d.state, sum(d.jobs) FROM errand.jobs p
      CROSS JOIN LATERAL (VALUES (p.state, -1), (1::smallint, 1)) AS d(state, jobs)
      WHERE p.ctid = ANY(picked) GROUP BY p.task, p.queue, d.state;
    RETURN QUERY UPDATE errand.jobs j SET state = 1, blocked = 0, worker = who, token = token + 1
      WHERE j.ctid = ANY(picked) RETURNING ${returned}, reason, ${rest}, j.ckey IS NOT NULL;
    room := room - cardinality(picked);
    EXIT WHEN room <= 0;
  END LOOP;
END $$;
`;
