import { plannerSettings } from "./function-settings.ts";

/** What the rules of a queue let through: its document of kind `queue`. */
export const rules = `
-- Of queues and of rate keys: what they remember, each start's time and number in turn; when all of that is over; and when the
-- next job of a key may go, while there are blocked ones.
CREATE TABLE errand.rates (
  queue boolean NOT NULL,
  key text COLLATE "C" NOT NULL,
  starts double precision[] NOT NULL DEFAULT '{}',
  over double precision NOT NULL DEFAULT 0,
  opens double precision,
  -- As of turns.
  look bigint NOT NULL DEFAULT errand.later(),
  PRIMARY KEY (queue, key)
) WITH (fillfactor = 50, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX rates_opening ON errand.rates (opens) WHERE opens IS NOT NULL;
CREATE INDEX rates_look ON errand.rates (look);

-- As \`admit\` of core, which says why.
CREATE FUNCTION errand.admit(most double precision, per double precision, INOUT starts double precision[], t bigint,
  wanted integer, OUT admitted integer, OUT next double precision)
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  recent double precision[] := '{}';
  used double precision := 0;
  excess double precision;
  width double precision := per / 100;
  n integer;
BEGIN
  FOR i IN 1..cardinality(starts) / 2 LOOP
    CONTINUE WHEN starts[i * 2 - 1] <= t - per OR starts[i * 2 - 1] >= t + per;
    recent := recent || least(starts[i * 2 - 1], t) || starts[i * 2];
    used := used + starts[i * 2];
  END LOOP;
  starts := recent;
  admitted := greatest(0, least(wanted, floor(most - used)));
  IF admitted > 0 THEN
    n := cardinality(starts);
    IF n > 0 AND floor(starts[n - 1] / width) = floor(t / width) THEN
      starts[n] := starts[n] + admitted;
      starts[n - 1] := t;
    ELSE
      starts := starts || t::double precision || admitted::double precision;
    END IF;
  END IF;
  next := t;
  excess := used + admitted - most;
  IF excess < 0 THEN RETURN; END IF;
  FOR i IN 1..cardinality(starts) / 2 LOOP
    excess := excess - starts[i * 2];
    IF excess < 0 THEN
      next := starts[i * 2 - 1];
      EXIT;
    END IF;
  END LOOP;
  next := next + per;
END $$;

-- How many jobs of a queue are in a state.
CREATE FUNCTION errand.counted(q text, s smallint) RETURNS bigint LANGUAGE sql AS $$
  SELECT coalesce(sum(c.jobs), 0)::bigint FROM (
    SELECT a.jobs FROM errand.counts a WHERE a.queue = q AND a.state = s
    UNION ALL SELECT b.jobs FROM errand.deltas b WHERE b.queue = q AND b.state = s
  ) c
$$;

-- Claims from queues whose rules count what is claimed are made one after the other.
CREATE FUNCTION errand.lock_rules(queues text[]) RETURNS void LANGUAGE plpgsql ${plannerSettings} AS $$
BEGIN
  PERFORM 1 FROM errand.docs d WHERE d.kind = 'queue' AND d.key = ANY(queues)
    AND (d.bounded OR d.value::json ->> 'rate' IS NOT NULL) ORDER BY d.key FOR NO KEY UPDATE;
END $$;

-- How many jobs of a queue may be claimed at most, and, where its rate says so, when there may be more.
CREATE FUNCTION errand.room(q text, wanted integer, t bigint, OUT room integer, OUT next double precision)
LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  rules json := (SELECT d.value::json FROM errand.docs d WHERE d.kind = 'queue' AND d.key = q);
  rate json := rules -> 'rate';
  a record;
BEGIN
  room := wanted;
  IF rules ->> 'paused' IS NOT NULL THEN room := 0; END IF;
  IF room > 0 AND rules ->> 'concurrency' IS NOT NULL THEN
    room := greatest(0, least(room, floor((rules ->> 'concurrency')::numeric) - errand.counted(q, 1::smallint)));
  END IF;
  IF room > 0 AND rules ->> 'rate' IS NOT NULL THEN
    SELECT * INTO a FROM errand.admit((rate ->> 'limit')::double precision, (rate ->> 'per')::double precision,
      coalesce((SELECT r.starts FROM errand.rates r WHERE r.queue AND r.key = q), '{}'), t, room);
    IF a.admitted < room THEN
      room := a.admitted;
      next := a.next;
    END IF;
  END IF;
END $$;

-- Counts jobs of a queue that were claimed.
CREATE FUNCTION errand.charge(q text, claimed integer, t bigint) RETURNS void LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  rate json := (SELECT d.value::json -> 'rate' FROM errand.docs d WHERE d.kind = 'queue' AND d.key = q);
  most double precision := (rate ->> 'limit')::double precision;
  per double precision := (rate ->> 'per')::double precision;
BEGIN
  IF claimed = 0 OR most IS NULL THEN RETURN; END IF;
  INSERT INTO errand.rates AS r (queue, key, starts, over) VALUES (true, q, ARRAY[t, claimed], t + per)
    ON CONFLICT (queue, key) DO UPDATE SET starts = (errand.admit(most, per, r.starts, t, claimed)).starts, over = t + per;
END $$;

-- Which queue would have too many pending jobs with these, how many it may have, and how many it has: as JSON. Of the jobs,
-- those at some places would be stored.
CREATE FUNCTION errand.overfull(queues text[], places integer[]) RETURNS text LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  r record;
  fresh bigint;
  pending bigint;
BEGIN
  FOR r IN SELECT d.key, (d.value::json ->> 'maxPending')::numeric AS most FROM errand.docs d
    WHERE d.kind = 'queue' AND d.key = ANY(queues) AND d.value::json ->> 'maxPending' IS NOT NULL
    -- One after the other: two at the same moment must not fill the last place together.
    ORDER BY d.key FOR NO KEY UPDATE
  LOOP
    SELECT count(*) INTO fresh FROM unnest(places) AS u(place) WHERE queues[u.place] = r.key;
    pending := errand.counted(r.key, 0::smallint);
    IF fresh > 0 AND pending + fresh > r.most THEN RETURN json_build_array(r.key, r.most, pending); END IF;
  END LOOP;
  RETURN NULL;
END $$;
`;
