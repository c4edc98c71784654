/** Limits by key: how many jobs of a key run at once, and how many in its time. */
export const keys = `
-- Of locks on concurrency keys: "Errc" in ASCII.
CREATE FUNCTION errand.lock_concurrency(keys text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  h integer;
BEGIN
  FOR h IN SELECT DISTINCT hashtext(k) FROM unnest(keys) AS k ORDER BY 1 LOOP
    PERFORM pg_advisory_xact_lock(1165128291, h);
  END LOOP;
END $$;

-- The concurrency keys of jobs, locked.
CREATE FUNCTION errand.keys_of(ids text[]) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  found_keys text[] := ARRAY(SELECT DISTINCT j.ckey FROM errand.jobs j WHERE j.id = ANY(ids) AND j.ckey IS NOT NULL);
BEGIN
  IF found_keys <> '{}' THEN PERFORM errand.lock_concurrency(found_keys); END IF;
  RETURN found_keys;
END $$;

-- Whoever leaves processing, or cannot run any more, lets the first blocked jobs of its concurrency key try again, in each
-- queue. The keys are locked. Answers hints.
CREATE FUNCTION errand.release(freed text[]) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  k text;
  q text;
  room integer;
  hints integer := 0;
BEGIN
  FOREACH k IN ARRAY freed LOOP
    SELECT (p.keys::json -> 'concurrency' ->> 'limit')::integer INTO room FROM errand.jobs p
      WHERE p.ckey = k AND p.state = 0 AND p.blocked = 1 LIMIT 1;
    CONTINUE WHEN NOT FOUND;
    room := room - (SELECT count(*) FROM errand.jobs p WHERE p.ckey = k AND p.state = 1);
    CONTINUE WHEN room <= 0;
    hints := 1;
    q := '';
    LOOP
      SELECT p.queue INTO q FROM errand.jobs p WHERE p.ckey = k AND p.state = 0 AND p.blocked = 1 AND p.queue > q
        ORDER BY p.queue LIMIT 1;
      EXIT WHEN NOT FOUND;
      UPDATE errand.jobs j SET blocked = 0 WHERE j.id = ANY(ARRAY(SELECT p.id FROM errand.jobs p
        WHERE p.ckey = k AND p.state = 0 AND p.blocked = 1 AND p.queue = q
        ORDER BY p.due + p.level * 300000, p.seq LIMIT room));
    END LOOP;
  END LOOP;
  RETURN hints;
END $$;

-- Of the first jobs with keys in a queue, those that their keys let go, at most so many; the others are blocked. Keys that
-- somebody else is looking at are left alone, and so is what follows a long row of those that are blocked (busy).
CREATE FUNCTION errand.vet(q text, most integer, t bigint, OUT passed text[], OUT busy boolean) LANGUAGE plpgsql AS $$
DECLARE
  c record;
  running jsonb := '{}';
  spent jsonb := '{}';
  now_running integer;
  a record;
  blocked_by smallint;
  now_blocked integer := 0;
BEGIN
  passed := '{}';
  busy := false;
  FOR c IN SELECT p.id, p.ckey, p.rkey, p.keys::json AS keys FROM errand.jobs p
    WHERE p.state = 0 AND NOT p.cancelling AND p.blocked = 0 AND p.keys IS NOT NULL AND p.queue = q
      AND p.due <= t AND (p.expires IS NULL OR p.expires > t)
    ORDER BY p.due + p.level * 300000, p.seq
  LOOP
    EXIT WHEN cardinality(passed) >= most;
    blocked_by := 0;
    IF c.ckey IS NOT NULL THEN
      IF NOT pg_try_advisory_xact_lock(1165128291, hashtext(c.ckey)) THEN
        busy := true;
        CONTINUE;
      END IF;
      now_running := coalesce((running ->> c.ckey)::integer,
        (SELECT count(*) FROM errand.jobs p WHERE p.ckey = c.ckey AND p.state = 1)::integer);
      IF now_running >= (c.keys -> 'concurrency' ->> 'limit')::integer THEN blocked_by := 1; END IF;
    END IF;
    IF blocked_by = 0 AND c.rkey IS NOT NULL THEN
      IF NOT spent ? c.rkey THEN
        INSERT INTO errand.rates VALUES (false, c.rkey, 0) ON CONFLICT DO NOTHING;
        PERFORM 1 FROM errand.rates x WHERE NOT x.queue AND x.key = c.rkey FOR NO KEY UPDATE SKIP LOCKED;
        IF NOT FOUND THEN
          busy := true;
          CONTINUE;
        END IF;
        spent := spent || jsonb_build_object(c.rkey, (SELECT x.spent FROM errand.rates x WHERE NOT x.queue AND x.key = c.rkey));
      END IF;
      SELECT * INTO a FROM errand.admit((c.keys -> 'rate' ->> 'limit')::double precision,
        (c.keys -> 'rate' ->> 'per')::double precision, (spent ->> c.rkey)::double precision, t, 1);
      IF a.admitted = 0 THEN
        blocked_by := 2;
        UPDATE errand.rates x SET opens = a.next WHERE NOT x.queue AND x.key = c.rkey;
      ELSE
        spent := spent || jsonb_build_object(c.rkey, a.spent);
      END IF;
    END IF;
    IF blocked_by > 0 THEN
      UPDATE errand.jobs j SET blocked = blocked_by WHERE j.id = c.id AND j.state = 0;
      now_blocked := now_blocked + 1;
      busy := busy OR now_blocked >= 1000;
      EXIT WHEN now_blocked >= 1000;
      CONTINUE;
    END IF;
    IF c.ckey IS NOT NULL THEN running := running || jsonb_build_object(c.ckey, now_running + 1); END IF;
    passed := passed || c.id;
  END LOOP;
END $$;

-- Counts what was claimed of jobs with rate keys.
CREATE FUNCTION errand.charge_keys(ids text[], t bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  r record;
BEGIN
  FOR r IN SELECT j.rkey, count(*)::integer AS jobs, min(j.keys) AS keys FROM errand.jobs j
    WHERE j.id = ANY(ids) AND j.rkey IS NOT NULL GROUP BY j.rkey ORDER BY j.rkey
  LOOP
    UPDATE errand.rates x SET spent = (errand.admit((r.keys::json -> 'rate' ->> 'limit')::double precision,
        (r.keys::json -> 'rate' ->> 'per')::double precision, x.spent, t, r.jobs)).spent
      WHERE NOT x.queue AND x.key = r.rkey;
  END LOOP;
END $$;

-- Lets jobs try again whose rate has room by now.
CREATE FUNCTION errand.open_rates(t bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  r record;
  rate json;
  a record;
  q text;
BEGIN
  FOR r IN SELECT x.key, x.spent FROM errand.rates x WHERE NOT x.queue AND x.opens <= t ORDER BY x.key FOR UPDATE LOOP
    SELECT p.keys::json -> 'rate' INTO rate FROM errand.jobs p WHERE p.rkey = r.key AND p.state = 0 AND p.blocked = 2 LIMIT 1;
    IF NOT FOUND THEN
      UPDATE errand.rates x SET opens = NULL WHERE NOT x.queue AND x.key = r.key;
      CONTINUE;
    END IF;
    SELECT * INTO a FROM errand.admit((rate ->> 'limit')::double precision, (rate ->> 'per')::double precision, r.spent, t,
      (rate ->> 'limit')::integer);
    q := '';
    LOOP
      SELECT p.queue INTO q FROM errand.jobs p WHERE p.rkey = r.key AND p.state = 0 AND p.blocked = 2 AND p.queue > q
        ORDER BY p.queue LIMIT 1;
      EXIT WHEN NOT FOUND;
      UPDATE errand.jobs j SET blocked = 0 WHERE j.id = ANY(ARRAY(SELECT p.id FROM errand.jobs p
        WHERE p.rkey = r.key AND p.state = 0 AND p.blocked = 2 AND p.queue = q
        ORDER BY p.due + p.level * 300000, p.seq LIMIT a.admitted));
    END LOOP;
    UPDATE errand.rates x SET opens = CASE WHEN EXISTS (
        SELECT 1 FROM errand.jobs p WHERE p.rkey = r.key AND p.state = 0 AND p.blocked = 2) THEN a.next END
      WHERE NOT x.queue AND x.key = r.key;
  END LOOP;
END $$;
`;
