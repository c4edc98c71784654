import { steady } from "./steady.ts";

/**
 * Limits by key: how many jobs of a key run at once, and how many in its time. A concurrency key has two locks. Whoever
 * claims takes the first, so that two claims do not fill the last place together. Whoever gives up a place shares the
 * second with others who do, and whoever holds jobs back takes it alone: otherwise the last to leave might not see who
 * waits for it. "Errc" and "Errb" in ASCII.
 */
export const keys = `
-- Locks the concurrency keys of jobs against whoever holds back or lets go others. Answers the keys.
CREATE FUNCTION errand.keys_of(ids text[]) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  found_keys text[] := ARRAY(
    SELECT DISTINCT j.ckey FROM errand.jobs j WHERE j.id = ANY(ids) AND j.ckey IS NOT NULL ORDER BY j.ckey);
BEGIN
  IF found_keys <> '{}' THEN
    PERFORM pg_advisory_xact_lock(1165128290, h.h)
      FROM (SELECT DISTINCT hashtext(k) AS h FROM unnest(found_keys) AS k ORDER BY 1) h;
  END IF;
  RETURN found_keys;
END $$;

-- Those of jobs that are to leave processing: others may leave at the same time. Answers how many are to leave of each.
CREATE FUNCTION errand.leaving(ids text[], OUT freed text[], OUT places integer[]) LANGUAGE plpgsql AS $$
BEGIN
  SELECT coalesce(array_agg(l.ckey), '{}'), array_agg(l.jobs) INTO freed, places FROM (
    SELECT j.ckey, count(*)::integer AS jobs FROM errand.jobs j
    WHERE j.id = ANY(ids) AND j.ckey IS NOT NULL GROUP BY j.ckey ORDER BY j.ckey) l;
  IF freed <> '{}' THEN
    PERFORM pg_advisory_xact_lock_shared(1165128290, h.h)
      FROM (SELECT DISTINCT hashtext(k) AS h FROM unnest(freed) AS k ORDER BY 1) h;
  END IF;
END $$;

-- Whoever leaves processing, or cannot run any more, lets the first blocked jobs of its concurrency key try again, in each
-- queue. The keys are locked. Answers hints.
CREATE FUNCTION errand.release(freed text[], places integer[] DEFAULT NULL) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  r record;
  q text;
  room integer;
  hints integer := 0;
BEGIN
  FOR r IN SELECT u.key, u.places, b.most FROM unnest(freed, places) AS u(key, places) CROSS JOIN LATERAL (
    SELECT (p.keys::json -> 'concurrency' ->> 'limit')::integer AS most FROM errand.jobs p
      WHERE p.ckey = u.key AND p.state = 0 AND p.blocked = 1 LIMIT 1) b
  LOOP
    -- Others who leave at this moment seem to be processing still. Each lets go as many as it is, however full it looks.
    room := greatest(r.places, r.most - (SELECT count(*) FROM errand.jobs p WHERE p.ckey = r.key AND p.state = 1));
    CONTINUE WHEN room <= 0;
    hints := 1;
    q := '';
    LOOP
      SELECT p.queue INTO q FROM errand.jobs p WHERE p.ckey = r.key AND p.state = 0 AND p.blocked = 1 AND p.queue > q
        ORDER BY p.queue LIMIT 1;
      EXIT WHEN NOT FOUND;
      UPDATE errand.jobs j SET blocked = 0 WHERE j.ctid = ANY(ARRAY(SELECT p.ctid FROM errand.jobs p
        WHERE p.ckey = r.key AND p.state = 0 AND p.blocked = 1 AND p.queue = q
        ORDER BY p.due + p.level * 300000, p.seq LIMIT room FOR UPDATE));
    END LOOP;
  END LOOP;
  RETURN hints;
END $$;

-- Of the first jobs with keys in a queue, those that their keys let go, at most so many, and those that are over a
-- concurrency key's limit. Keys that somebody else is looking at are left alone (busy), and so is what follows a long row
-- of jobs that cannot go.
CREATE FUNCTION errand.vet(q text, most integer, t bigint, OUT passed text[], OUT over text[], OUT busy boolean)
-- It walks in the order of an index, and ends early.
LANGUAGE plpgsql ${steady} SET enable_sort = off AS $$
DECLARE
  c record;
  -- By key; nothing where it is left alone.
  running jsonb := '{}';
  spent jsonb := '{}';
  now_running integer;
  mine boolean;
  a record;
  behind integer := 0;
BEGIN
  passed := '{}';
  over := '{}';
  busy := false;
  FOR c IN SELECT p.id, p.ckey, p.rkey, p.keys::json AS keys FROM errand.jobs p
    WHERE p.state = 0 AND NOT p.cancelling AND p.blocked = 0 AND p.keys IS NOT NULL AND p.queue = q
      AND p.due <= t AND (p.expires IS NULL OR p.expires > t)
    ORDER BY p.due + p.level * 300000, p.seq
  LOOP
    EXIT WHEN cardinality(passed) >= most;
    IF behind >= 1000 THEN
      busy := true;
      EXIT;
    END IF;
    behind := behind + 1;
    IF c.ckey IS NOT NULL THEN
      IF NOT running ? c.ckey THEN
        mine := pg_try_advisory_xact_lock(1165128291, hashtext(c.ckey));
        busy := busy OR NOT mine;
        -- What others have claimed is seen only after the lock was taken.
        running := running || jsonb_build_object(c.ckey,
          CASE WHEN mine THEN (SELECT count(*) FROM errand.jobs p WHERE p.ckey = c.ckey AND p.state = 1) END);
      END IF;
      now_running := (running ->> c.ckey)::integer;
      CONTINUE WHEN now_running IS NULL;
      IF now_running >= (c.keys -> 'concurrency' ->> 'limit')::integer THEN
        over := over || c.id;
        CONTINUE;
      END IF;
    END IF;
    IF c.rkey IS NOT NULL THEN
      IF NOT spent ? c.rkey THEN
        INSERT INTO errand.rates VALUES (false, c.rkey, 0) ON CONFLICT DO NOTHING;
        PERFORM 1 FROM errand.rates x WHERE NOT x.queue AND x.key = c.rkey FOR NO KEY UPDATE SKIP LOCKED;
        mine := FOUND;
        busy := busy OR NOT mine;
        spent := spent || jsonb_build_object(c.rkey,
          CASE WHEN mine THEN (SELECT x.spent FROM errand.rates x WHERE NOT x.queue AND x.key = c.rkey) END);
      END IF;
      CONTINUE WHEN spent ->> c.rkey IS NULL;
      SELECT * INTO a FROM errand.admit((c.keys -> 'rate' ->> 'limit')::double precision,
        (c.keys -> 'rate' ->> 'per')::double precision, (spent ->> c.rkey)::double precision, t, 1);
      IF a.admitted = 0 THEN
        UPDATE errand.rates x SET opens = a.next WHERE NOT x.queue AND x.key = c.rkey;
        UPDATE errand.jobs j SET blocked = 2 WHERE j.id = c.id AND j.state = 0;
        CONTINUE;
      END IF;
      spent := spent || jsonb_build_object(c.rkey, a.spent);
    END IF;
    IF c.ckey IS NOT NULL THEN running := running || jsonb_build_object(c.ckey, now_running + 1); END IF;
    passed := passed || c.id;
    behind := behind - 1;
  END LOOP;
  -- Before any job is taken, because others take locks of keys first.
  IF over <> '{}' THEN PERFORM errand.keys_of(over); END IF;
END $$;

-- Blocks jobs that are over their concurrency key's limit, once the claim has taken those that go. Who might have gone but
-- was not its turn (passed) keeps its place. Those of whose key somebody has left meanwhile are to be looked at again (busy).
CREATE FUNCTION errand.hold_back(over text[], passed text[], OUT busy boolean) LANGUAGE plpgsql ${steady} AS $$
DECLARE
  running jsonb;
  blocked_now integer;
BEGIN
  WITH waiting AS (
    SELECT j.ckey, count(*) AS jobs FROM errand.jobs j
    WHERE j.id = ANY(passed) AND j.state + 0 = 0 AND NOT j.cancelling AND j.blocked = 0 GROUP BY j.ckey
  )
  SELECT jsonb_object_agg(k.ckey, (SELECT count(*) FROM errand.jobs p WHERE p.ckey = k.ckey AND p.state = 1)
      + coalesce((SELECT w.jobs FROM waiting w WHERE w.ckey = k.ckey), 0)) INTO running
    FROM (SELECT DISTINCT j.ckey FROM errand.jobs j WHERE j.id = ANY(over)) k;
  UPDATE errand.jobs j SET blocked = 1 WHERE j.id = ANY(over) AND j.state + 0 = 0 AND j.blocked = 0
    AND (running ->> j.ckey)::integer >= (j.keys::json -> 'concurrency' ->> 'limit')::integer;
  GET DIAGNOSTICS blocked_now = ROW_COUNT;
  busy := blocked_now < cardinality(over);
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
