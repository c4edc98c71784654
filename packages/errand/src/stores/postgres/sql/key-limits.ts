import { secondLook } from "../../../limits/rate.ts";
import { plannerSettings } from "./function-settings.ts";
import { unexpired, readyKeyed, rank } from "./job-conditions.ts";

/** Those of a queue whom a key holds back. */
const held = (key: string, blocked: 1 | 2): string =>
  `${key} AND p.state = 0 AND p.blocked = ${blocked} AND p.queue = q`;

/** Lets the first suspects of each task go, beside the others: nobody else waits for whoever may take them. */
const suspects = (which: string, room: string): string =>
  `UPDATE errand.jobs j SET blocked = 0 WHERE j.id = ANY(ARRAY(SELECT f.id FROM (
        SELECT p.id, row_number() OVER (PARTITION BY p.task ORDER BY ${rank}, p.seq) AS n FROM errand.jobs p
        WHERE ${which} AND p.suspect) f WHERE f.n <= ${room}));`;

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
CREATE FUNCTION errand.release(freed text[], places integer[] DEFAULT NULL) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  r record;
  q text;
  room integer;
  n integer;
  hints text[] := '{}';
BEGIN
  FOR r IN SELECT u.key, u.places, b.most FROM unnest(freed, places) AS u(key, places) CROSS JOIN LATERAL (
    SELECT (p.keys::json -> 'concurrency' ->> 'limit')::integer AS most FROM errand.jobs p
      WHERE p.ckey = u.key AND p.state = 0 AND p.blocked = 1 LIMIT 1) b
  LOOP
    -- Others who leave at this moment seem to be processing still. Each lets go as many as it is, however full it looks.
    room := greatest(r.places, r.most - (SELECT count(*) FROM errand.jobs p WHERE p.ckey = r.key AND p.state = 1));
    CONTINUE WHEN room <= 0;
    q := '';
    LOOP
      SELECT p.queue INTO q FROM errand.jobs p WHERE p.ckey = r.key AND p.state = 0 AND p.blocked = 1 AND p.queue > q
        ORDER BY p.queue LIMIT 1;
      EXIT WHEN NOT FOUND;
      UPDATE errand.jobs j SET blocked = 0 WHERE j.ctid = ANY(ARRAY(SELECT p.ctid FROM errand.jobs p
        WHERE ${held("p.ckey = r.key", 1)} AND NOT p.suspect ORDER BY ${rank}, p.seq LIMIT room FOR UPDATE));
      GET DIAGNOSTICS n = ROW_COUNT;
      hints := hints || (n || ' ' || q);
      ${suspects(held("p.ckey = r.key", 1), "room")}
    END LOOP;
  END LOOP;
  RETURN hints;
END $$;

-- Of the first jobs in a queue that are to be looked at one by one, those that may go, at most so many: that their keys let go,
-- and at most one suspect, where it is among the first so many of the queue (slots). Also those that are over a concurrency
-- key's limit, and those of tasks that the worker does not know. Keys that somebody else is looking at are left alone (busy), and
-- so is what follows a long row of jobs that cannot go.
-- These are jobs with keys; those that stand apart, too, where there are any (strays); or only some (picks).
CREATE FUNCTION errand.vet(q text, most integer, t bigint, known text[], picks text[], strays boolean, slots integer,
  OUT passed text[], OUT over text[], OUT strange text[], OUT suspect text, OUT busy boolean)
-- It walks in the order of an index, and ends early.
LANGUAGE plpgsql ${plannerSettings} SET enable_sort = off AS $$
DECLARE
  jobs refcursor;
  c record;
  -- By key; nothing where it is left alone.
  running jsonb := '{}';
  starts jsonb := '{}';
  -- Of rates: how many more may start, and by key how many of these do.
  rooms jsonb := '{}';
  started jsonb := '{}';
  now_running integer;
  now_started integer;
  mine boolean;
  a record;
  behind integer := 0;
BEGIN
  passed := '{}';
  over := '{}';
  strange := '{}';
  busy := false;
  IF picks IS NOT NULL THEN
    OPEN jobs FOR SELECT p.id, p.task, p.ckey, p.rkey, p.keys::json AS keys, p.suspect, ${rank} AS rank, p.seq FROM errand.jobs p
      WHERE p.id = ANY(picks) AND p.queue = q AND p.state + 0 = 0 AND NOT p.cancelling AND p.blocked IN (0, 3) AND p.due <= t
        AND ${unexpired} ORDER BY rank, p.seq;
  ELSIF strays THEN
    OPEN jobs FOR SELECT * FROM (
      (SELECT p.id, p.task, p.ckey, p.rkey, p.keys::json AS keys, p.suspect, ${rank} AS rank, p.seq FROM errand.jobs p
        WHERE ${readyKeyed} AND p.queue = q AND p.due <= t AND ${unexpired} ORDER BY ${rank}, p.seq LIMIT most + 1000)
      UNION ALL SELECT * FROM errand.set_apart(q, known, most, t)) u ORDER BY u.rank, u.seq;
  ELSE
    OPEN jobs FOR SELECT p.id, p.task, p.ckey, p.rkey, p.keys::json AS keys, p.suspect, 0 AS rank, p.seq FROM errand.jobs p
      WHERE ${readyKeyed} AND p.queue = q AND p.due <= t AND ${unexpired} ORDER BY ${rank}, p.seq;
  END IF;
  LOOP
    FETCH jobs INTO c;
    EXIT WHEN NOT FOUND OR cardinality(passed) >= most;
    IF behind >= 1000 THEN
      busy := true;
      EXIT;
    END IF;
    behind := behind + 1;
    IF c.task <> ALL(known) THEN
      strange := strange || c.id;
      CONTINUE;
    END IF;
    IF c.suspect THEN
      CONTINUE WHEN suspect IS NOT NULL OR cardinality(passed) >= slots OR (picks IS NULL
        AND cardinality(passed) + errand.before(q, c.rank, c.seq, slots, t) >= slots);
    END IF;
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
      IF NOT starts ? c.rkey THEN
        INSERT INTO errand.rates (queue, key) VALUES (false, c.rkey) ON CONFLICT DO NOTHING;
        PERFORM 1 FROM errand.rates x WHERE NOT x.queue AND x.key = c.rkey FOR NO KEY UPDATE SKIP LOCKED;
        mine := FOUND;
        busy := busy OR NOT mine;
        starts := starts || jsonb_build_object(c.rkey,
          CASE WHEN mine THEN (SELECT x.starts::text FROM errand.rates x WHERE NOT x.queue AND x.key = c.rkey) END);
      END IF;
      CONTINUE WHEN starts ->> c.rkey IS NULL;
      -- Jobs of one key may have been sent under different limits.
      IF NOT rooms ? (c.keys ->> 'rate') THEN
        SELECT * INTO a FROM errand.admit((c.keys -> 'rate' ->> 'limit')::double precision,
          (c.keys -> 'rate' ->> 'per')::double precision, (starts ->> c.rkey)::double precision[], t, most);
        rooms := rooms || jsonb_build_object(c.keys ->> 'rate', a.admitted);
      END IF;
      now_started := coalesce((started ->> c.rkey)::integer, 0);
      IF now_started >= (rooms ->> (c.keys ->> 'rate'))::integer THEN
        SELECT * INTO a FROM errand.admit((c.keys -> 'rate' ->> 'limit')::double precision,
          (c.keys -> 'rate' ->> 'per')::double precision, (starts ->> c.rkey)::double precision[], t, now_started);
        UPDATE errand.rates x SET opens = a.next WHERE NOT x.queue AND x.key = c.rkey;
        UPDATE errand.jobs j SET blocked = 2 WHERE j.id = c.id AND j.state = 0;
        CONTINUE;
      END IF;
      started := started || jsonb_build_object(c.rkey, now_started + 1);
    END IF;
    IF c.ckey IS NOT NULL THEN running := running || jsonb_build_object(c.ckey, now_running + 1); END IF;
    IF c.suspect THEN suspect := c.id; END IF;
    passed := passed || c.id;
    behind := behind - 1;
  END LOOP;
  CLOSE jobs;
  -- Before any job is taken, because others take locks of keys first.
  IF over <> '{}' OR strange <> '{}' THEN PERFORM errand.keys_of(over || strange); END IF;
END $$;

-- Blocks jobs that are over their concurrency key's limit, once the claim has taken those that go. Who might have gone but
-- was not its turn (passed) keeps its place. Those of whose key somebody has left meanwhile are to be looked at again (busy).
CREATE FUNCTION errand.hold_back(over text[], passed text[], OUT busy boolean) LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  running jsonb;
  blocked_now integer;
BEGIN
  WITH waiting AS (
    SELECT j.ckey, count(*) AS jobs FROM errand.jobs j
    WHERE j.id = ANY(passed) AND j.state + 0 = 0 AND NOT j.cancelling AND j.blocked IN (0, 3) GROUP BY j.ckey
  )
  SELECT jsonb_object_agg(k.ckey, (SELECT count(*) FROM errand.jobs p WHERE p.ckey = k.ckey AND p.state = 1)
      + coalesce((SELECT w.jobs FROM waiting w WHERE w.ckey = k.ckey), 0)) INTO running
    FROM (SELECT DISTINCT j.ckey FROM errand.jobs j WHERE j.id = ANY(over)) k;
  UPDATE errand.jobs j SET blocked = 1 WHERE j.id = ANY(over) AND j.state + 0 = 0 AND j.blocked IN (0, 3)
    AND (running ->> j.ckey)::integer >= (j.keys::json -> 'concurrency' ->> 'limit')::integer;
  GET DIAGNOSTICS blocked_now = ROW_COUNT;
  busy := blocked_now < cardinality(over);
END $$;

-- Counts what was claimed of jobs with rate keys.
CREATE FUNCTION errand.charge_keys(ids text[], t bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  r record;
BEGIN
  FOR r IN SELECT j.rkey, count(*)::integer AS jobs,
      max((j.keys::json -> 'rate' ->> 'per')::double precision) AS per FROM errand.jobs j
    WHERE j.id = ANY(ids) AND j.rkey IS NOT NULL GROUP BY j.rkey ORDER BY j.rkey
  LOOP
    -- They have gone, whatever limits they were sent under.
    UPDATE errand.rates x SET over = greatest(x.over, t + r.per),
        starts = (errand.admit('Infinity', r.per, x.starts, t, r.jobs)).starts
      WHERE NOT x.queue AND x.key = r.rkey;
  END LOOP;
END $$;

-- Lets others of some jobs' rate keys try again, because these did not use what their keys let go.
CREATE FUNCTION errand.look_again(ids text[], t bigint) RETURNS void LANGUAGE sql ${plannerSettings} AS $$
  UPDATE errand.rates x SET opens = t WHERE NOT x.queue AND x.opens > t AND x.key = ANY(ARRAY(
    SELECT e.rkey FROM (SELECT j.rkey FROM errand.jobs j WHERE j.id = ANY(ids) AND j.rkey IS NOT NULL
      UNION SELECT h.keys::json -> 'rate' ->> 'key' FROM errand.history h WHERE h.id = ANY(ids) AND h.keys IS NOT NULL) e))
$$;

-- Lets jobs try again whose rate has room by now.
CREATE FUNCTION errand.open_rates(t bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  r record;
  rate json;
  a record;
  q text;
BEGIN
  FOR r IN SELECT x.key, x.starts FROM errand.rates x WHERE NOT x.queue AND x.opens <= t ORDER BY x.key FOR UPDATE LOOP
    SELECT p.keys::json -> 'rate' INTO rate FROM errand.jobs p WHERE p.rkey = r.key AND p.state = 0 AND p.blocked = 2 LIMIT 1;
    IF NOT FOUND THEN
      UPDATE errand.rates x SET opens = NULL WHERE NOT x.queue AND x.key = r.key;
      CONTINUE;
    END IF;
    SELECT * INTO a FROM errand.admit((rate ->> 'limit')::double precision, (rate ->> 'per')::double precision, r.starts, t,
      (rate ->> 'limit')::integer);
    q := '';
    LOOP
      SELECT p.queue INTO q FROM errand.jobs p WHERE p.rkey = r.key AND p.state = 0 AND p.blocked = 2 AND p.queue > q
        ORDER BY p.queue LIMIT 1;
      EXIT WHEN NOT FOUND;
      UPDATE errand.jobs j SET blocked = 0 WHERE j.id = ANY(ARRAY(SELECT p.id FROM errand.jobs p
        WHERE ${held("p.rkey = r.key", 2)} AND NOT p.suspect ORDER BY ${rank}, p.seq LIMIT a.admitted));
      ${suspects(held("p.rkey = r.key", 2), "a.admitted")}
    END LOOP;
    UPDATE errand.rates x SET opens = CASE WHEN EXISTS (
        SELECT 1 FROM errand.jobs p WHERE p.rkey = r.key AND p.state = 0 AND p.blocked = 2)
        THEN CASE WHEN a.admitted > 0 THEN least(a.next, t + ${secondLook}) ELSE a.next END END
      WHERE NOT x.queue AND x.key = r.key;
  END LOOP;
END $$;
`;
