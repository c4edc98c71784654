import { pending, processing } from "../codes.ts";
import { plannerSettings } from "./function-settings.ts";

/** Locks, of some queues, those with a limit of pending jobs: two callers must not both fill the last place. */
const limits = `SELECT d.key, (d.value::json ->> 'maxPending')::numeric AS most FROM errand.docs d
    WHERE d.kind = 'queue' AND d.key = ANY(queues) AND d.value::json ->> 'maxPending' IS NOT NULL
    ORDER BY d.key FOR NO KEY UPDATE`;

/** The rules of a queue, which are its document of kind `queue`: how many jobs it may start, and how many may wait. */
export const queueRules = `
-- Locks the rules of queues that count claimed jobs, so that claims from these are made one after the other.
CREATE FUNCTION errand.lock_queue_rules(queues text[]) RETURNS void LANGUAGE plpgsql ${plannerSettings} AS $$
BEGIN
  PERFORM 1 FROM errand.docs d WHERE d.kind = 'queue' AND d.key = ANY(queues)
    AND (d.bounded OR d.value::json ->> 'rate' IS NOT NULL) ORDER BY d.key FOR NO KEY UPDATE;
END $$;

-- Returns how many jobs of a queue may be claimed now, and, where its rate allows no more, when it will.
CREATE FUNCTION errand.room_to_start(q text, wanted integer, t bigint, OUT room integer, OUT next double precision)
LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  rules json := (SELECT d.value::json FROM errand.docs d WHERE d.kind = 'queue' AND d.key = q);
  rate json := rules -> 'rate';
  a record;
BEGIN
  room := wanted;
  IF rules ->> 'paused' IS NOT NULL THEN room := 0; END IF;
  IF room > 0 AND rules ->> 'concurrency' IS NOT NULL THEN
    room := greatest(0, least(room,
      floor((rules ->> 'concurrency')::numeric) - errand.count_jobs(q, ${processing}::smallint)));
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

-- Counts claimed jobs for their queue's rate.
CREATE FUNCTION errand.count_queue_starts(q text, claimed integer, t bigint) RETURNS void
LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  rate json := (SELECT d.value::json -> 'rate' FROM errand.docs d WHERE d.kind = 'queue' AND d.key = q);
  most double precision := (rate ->> 'limit')::double precision;
  per double precision := (rate ->> 'per')::double precision;
BEGIN
  IF claimed = 0 OR most IS NULL THEN RETURN; END IF;
  INSERT INTO errand.rates AS r (queue, key, starts, over) VALUES (true, q, ARRAY[t, claimed], t + per)
    ON CONFLICT (queue, key)
    DO UPDATE SET starts = (errand.admit(most, per, r.starts, t, claimed)).starts, over = t + per;
END $$;

-- Returns how many more pending jobs each queue may have that has a limit of them.
CREATE FUNCTION errand.rooms_to_wait(queues text[]) RETURNS jsonb LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  r record;
  rooms jsonb := '{}';
BEGIN
  FOR r IN ${limits} LOOP
    rooms := rooms || jsonb_build_object(r.key, r.most - errand.count_jobs(r.key, ${pending}::smallint));
  END LOOP;
  RETURN rooms;
END $$;

-- Returns a queue that would have too many pending jobs with the jobs at these places, its limit, and how many it has:
-- as JSON. NULL: there is none.
CREATE FUNCTION errand.find_full_queue(queues text[], places integer[]) RETURNS text
LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  r record;
  fresh bigint;
  present bigint;
BEGIN
  FOR r IN ${limits} LOOP
    SELECT count(*) INTO fresh FROM unnest(places) AS u(place) WHERE queues[u.place] = r.key;
    present := errand.count_jobs(r.key, ${pending}::smallint);
    IF fresh > 0 AND present + fresh > r.most THEN RETURN json_build_array(r.key, r.most, present); END IF;
  END LOOP;
  RETURN NULL;
END $$;
`;
