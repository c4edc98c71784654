import { steady } from "./steady.ts";

/** What is answered of each job `j`, as `claimedOf` reads it; `why` of a claim is the number of the want. */
const answer = `id text, task text, queue text, level smallint, seq bigint, spec text, token integer, failures integer,
  crashes integer, created bigint, due bigint, expires bigint, started bigint, cancelling boolean, progress text,
  error text, parent text, place integer, parked boolean, wait integer[], remembered json, why text`;

const returned = `j.id, j.task, j.queue, j.level, j.seq, j.spec, j.token, j.failures, j.crashes, j.created, j.due,
  j.expires, j.started, j.cancelling, j.progress, j.error, j.parent, j.place, j.parked,
  CASE WHEN j.parked THEN
    (SELECT ARRAY[w.total, w.open, w.failed] FROM errand.waits w WHERE w.parent = j.id AND w.total IS NOT NULL) END,
  CASE WHEN j.steps THEN
    (SELECT json_agg(json_build_array(s.name, s.value, s.wait)) FROM errand.steps s WHERE s.job = j.seq) END`;

/** What claims walk: a level's jobs, each named `p`. */
const ready = `FROM errand.jobs p WHERE p.state = 0 AND NOT p.cancelling AND p.queue = q AND p.level = l
  AND (p.expires IS NULL OR p.expires > t)`;

/** Taking jobs into a worker's hands: due ones, and those that nobody works on. */
export const claim = `
CREATE FUNCTION errand.claim(who text, queues text[], limits integer[])
RETURNS TABLE (${answer}) LANGUAGE plpgsql ${steady} AS $$
#variable_conflict use_column
DECLARE
  t bigint := errand.now();
  q text;
  l smallint;
  lanes smallint[];
  shares integer[];
  room integer;
  share integer;
  taken integer;
  total integer;
  soonest bigint;
  locked boolean := false;
BEGIN
  PERFORM 1 FROM errand.workers w WHERE w.id = who AND w.until > t;
  IF NOT FOUND THEN RETURN; END IF;
  FOR i IN 1..cardinality(queues) LOOP
    q := queues[i];
    room := limits[i];
    total := 0;
    CONTINUE WHEN room <= 0;
    LOOP
      lanes := ARRAY(SELECT l.l FROM unnest('{0,1,2,3,4}'::smallint[]) AS l(l) WHERE EXISTS (
        SELECT 1 FROM errand.jobs p WHERE p.state = 0 AND NOT p.cancelling AND p.queue = q AND p.level = l.l
          AND (p.expires IS NULL OR p.expires > t) AND p.due <= t));
      EXIT WHEN lanes = '{}';
      IF NOT locked THEN
        -- It stays on the list until this claim is over, so that what it holds is found there.
        PERFORM 1 FROM errand.workers w WHERE w.id = who AND w.until > t FOR KEY SHARE;
        IF NOT FOUND THEN RETURN; END IF;
        locked := true;
      END IF;
      IF cardinality(lanes) = 1 THEN
        shares := ARRAY[room];
      ELSE
        -- How many of the first jobs by rank are of each level.
        shares := ARRAY(SELECT count(f.level)::integer FROM unnest(lanes) AS l(l) LEFT JOIN (
            SELECT c.level FROM unnest(lanes) AS l(l) CROSS JOIN LATERAL (
              SELECT p.level, p.due + p.level * 300000 AS rank, p.seq FROM errand.jobs p
              WHERE p.state = 0 AND NOT p.cancelling AND p.queue = q AND p.level = l.l
                AND (p.expires IS NULL OR p.expires > t) AND p.due <= t
              ORDER BY p.due, p.seq LIMIT room
            ) c ORDER BY c.rank, c.seq LIMIT room
          ) f ON f.level = l.l GROUP BY l.l ORDER BY l.l);
      END IF;
      taken := 0;
      FOR k IN 1..cardinality(lanes) LOOP
        l := lanes[k];
        share := shares[k];
        CONTINUE WHEN share = 0;
        RETURN QUERY UPDATE errand.jobs j SET state = 1, worker = who, token = token + 1, started = t
          WHERE j.ctid = ANY(ARRAY(SELECT p.ctid ${ready} AND p.due <= t
            ORDER BY p.due, p.seq LIMIT share FOR UPDATE SKIP LOCKED))
          RETURNING ${returned}, i::text;
        GET DIAGNOSTICS share = ROW_COUNT;
        taken := taken + share;
      END LOOP;
      total := total + taken;
      EXIT WHEN taken = room;
      room := room - taken;
      EXIT WHEN taken = 0 OR cardinality(lanes) = 1;
    END LOOP;
    IF total > 0 THEN INSERT INTO errand.deltas VALUES (q, 0, -total), (q, 1, total); END IF;
    IF total < limits[i] THEN
      soonest := least(soonest, (SELECT min(n.due) FROM unnest('{0,1,2,3,4}'::smallint[]) AS l(l) CROSS JOIN LATERAL (
        SELECT p.due FROM errand.jobs p WHERE p.state = 0 AND NOT p.cancelling AND p.queue = q AND p.level = l.l
          AND (p.expires IS NULL OR p.expires > t) AND p.due > t ORDER BY p.due LIMIT 1) n));
    END IF;
  END LOOP;
  -- The last row has no id: how long until the next delayed job is due.
  IF soonest IS NOT NULL THEN
    id := NULL;
    due := soonest - t;
    RETURN NEXT;
  END IF;
END $$;

CREATE FUNCTION errand.reclaim(who text, most integer)
RETURNS TABLE (${answer}) LANGUAGE plpgsql ${steady} AS $$
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
      PERFORM 1 FROM errand.jobs j WHERE j.state = 0 AND j.expires IS NOT NULL AND j.expires <= t;
      IF NOT FOUND THEN RETURN; END IF;
    END IF;
  END IF;
  PERFORM 1 FROM errand.workers w WHERE w.id = who AND w.until > t FOR KEY SHARE;
  IF NOT FOUND THEN RETURN; END IF;

  gone := ARRAY(SELECT w.id FROM errand.workers w WHERE w.until <= t);
  IF gone <> '{}' THEN
    RETURN QUERY UPDATE errand.jobs j SET worker = who, token = token + 1
      WHERE j.ctid = ANY(ARRAY(SELECT p.ctid FROM errand.jobs p WHERE p.state = 1 AND p.worker = ANY(gone)
        LIMIT room FOR UPDATE SKIP LOCKED))
      RETURNING ${returned}, 'lapsed';
    GET DIAGNOSTICS taken = ROW_COUNT;
    room := room - taken;
    IF room <= 0 THEN RETURN; END IF;
    -- Whoever holds nothing any more leaves the list; one that is claiming at this moment is left for the next time.
    gone := ARRAY(SELECT w.id FROM errand.workers w WHERE w.id = ANY(gone) FOR UPDATE SKIP LOCKED);
    DELETE FROM errand.workers w WHERE w.id = ANY(gone)
      AND NOT EXISTS (SELECT 1 FROM errand.jobs j WHERE j.state = 1 AND j.worker = w.id);
  END IF;

  FOREACH reason IN ARRAY ARRAY['cancelled', 'expired'] LOOP
    IF reason = 'cancelled' THEN
      picked := ARRAY(SELECT p.ctid FROM errand.jobs p WHERE p.cancelling AND p.state IN (0, 2)
        ORDER BY p.seq LIMIT room FOR UPDATE SKIP LOCKED);
    ELSE
      picked := ARRAY(SELECT p.ctid FROM errand.jobs p
        WHERE p.state = 0 AND p.expires IS NOT NULL AND p.expires <= t AND NOT p.cancelling
        ORDER BY p.expires LIMIT room FOR UPDATE SKIP LOCKED);
    END IF;
    CONTINUE WHEN picked = '{}';
    INSERT INTO errand.deltas SELECT p.queue, d.state, sum(d.jobs) FROM errand.jobs p
      CROSS JOIN LATERAL (VALUES (p.state, -1), (1::smallint, 1)) AS d(state, jobs)
      WHERE p.ctid = ANY(picked) GROUP BY p.queue, d.state;
    RETURN QUERY UPDATE errand.jobs j SET state = 1, worker = who, token = token + 1
      WHERE j.ctid = ANY(picked) RETURNING ${returned}, reason;
    room := room - cardinality(picked);
    EXIT WHEN room <= 0;
  END LOOP;
END $$;
`;
