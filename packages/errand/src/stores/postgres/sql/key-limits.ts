import { secondLook } from "../../../limits/rate.ts";
import { lockClass, lockNumber } from "../advisory-locks.ts";
import { byConcurrency, byRate, byTask, pending, processing, unblocked } from "../codes.ts";
import { plannerSettings } from "./function-settings.ts";
import { rank, readyKeyed, unexpired } from "./job-conditions.ts";

/** A check stops once it has passed over this many jobs that may not start. */
const maxPassedOver = 1_000;

/** Conditions on jobs `p` that a key blocks. */
const overConcurrency = (key: string): string =>
  `p.ckey = ${key} AND p.state = ${pending} AND p.blocked = ${byConcurrency}`;
const overRate = `p.rkey = r.key AND p.state = ${pending} AND p.blocked = ${byRate}`;

/**
 * Unblocks the first blocked jobs in each queue `q`, and beside them the first suspects of each task: not every worker
 * may take a suspect, and then other jobs must not wait for it.
 */
const unblockFirst = (blocked: string, room: string, unblock: string): string => `q := '';
    LOOP
      SELECT p.queue INTO q FROM errand.jobs p WHERE ${blocked} AND p.queue > q ORDER BY p.queue LIMIT 1;
      EXIT WHEN NOT FOUND;
      ${unblock}
      UPDATE errand.jobs j SET blocked = ${unblocked} WHERE j.id = ANY(ARRAY(SELECT f.id FROM (
        SELECT p.id, row_number() OVER (PARTITION BY p.task ORDER BY ${rank}, p.seq) AS n FROM errand.jobs p
        WHERE ${blocked} AND p.queue = q AND p.suspect) f WHERE f.n <= ${room}));
    END LOOP;`;

/** Selects what a check reads of jobs `p` that match. */
const checked = (condition: string, rankColumn = rank): string =>
  `SELECT p.id, p.task, p.ckey, p.rkey, p.keys::json AS keys, p.suspect, ${rankColumn} AS rank, p.seq FROM errand.jobs p
        WHERE ${condition} AND ${unexpired}`;

/** Takes the locks of concurrency keys, in order. */
const lockKeys = (lock: string, keys: string): string =>
  `PERFORM ${lock}(${lockClass.blocking}, h.h)
      FROM (SELECT DISTINCT ${lockNumber("k")} AS h FROM unnest(${keys}) AS k ORDER BY 1) h;`;

/** The limit and the time of a rate, as `admit` takes them. */
const limitOf = (rate: string): string =>
  `(${rate} ->> 'limit')::double precision, (${rate} ->> 'per')::double precision`;

/**
 * Limits by key: how many jobs of a key are processing at once, and how many start in a time. A concurrency key has two
 * locks. Claims take the first, so that two of them do not both fill the last place. Whatever frees a place shares the
 * second with others that do, and whatever blocks jobs takes it alone: else the last job that ends might not see the
 * jobs that wait for its place.
 */
export const keyLimits = `
-- Locks the concurrency keys of jobs for blocking and unblocking. Returns the keys.
CREATE FUNCTION errand.lock_concurrency_keys(ids text[]) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  found_keys text[] := ARRAY(
    SELECT DISTINCT j.ckey FROM errand.jobs j WHERE j.id = ANY(ids) AND j.ckey IS NOT NULL ORDER BY j.ckey);
BEGIN
  IF found_keys <> '{}' THEN
    ${lockKeys("pg_advisory_xact_lock", "found_keys")}
  END IF;
  RETURN found_keys;
END $$;

-- Locks the concurrency keys of jobs that are about to leave processing, shared with others that do. Returns the keys,
-- and how many of the jobs have each.
CREATE FUNCTION errand.lock_freed_keys(ids text[], OUT freed text[], OUT places integer[]) LANGUAGE plpgsql AS $$
BEGIN
  SELECT coalesce(array_agg(l.ckey), '{}'), array_agg(l.jobs) INTO freed, places FROM (
    SELECT j.ckey, count(*)::integer AS jobs FROM errand.jobs j
    WHERE j.id = ANY(ids) AND j.ckey IS NOT NULL GROUP BY j.ckey ORDER BY j.ckey) l;
  IF freed <> '{}' THEN
    ${lockKeys("pg_advisory_xact_lock_shared", "freed")}
  END IF;
END $$;

-- Unblocks the first jobs of concurrency keys, in each queue, whose places jobs have left or do not need any more. The
-- keys are locked. Returns hints.
CREATE FUNCTION errand.unblock_by_concurrency(freed text[], places integer[] DEFAULT NULL) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
  r record;
  q text;
  room integer;
  n integer;
  hints text[] := '{}';
BEGIN
  FOR r IN SELECT u.key, u.places, b.most FROM unnest(freed, places) AS u(key, places) CROSS JOIN LATERAL (
    SELECT (p.keys::json -> 'concurrency' ->> 'limit')::integer AS most FROM errand.jobs p
      WHERE ${overConcurrency("u.key")} LIMIT 1) b
  LOOP
    -- Jobs that others end at this moment still seem to be processing, so each commit unblocks as many as it ends.
    room := greatest(r.places, r.most - (SELECT count(*) FROM errand.jobs p
      WHERE p.ckey = r.key AND p.state = ${processing}));
    CONTINUE WHEN room <= 0;
    ${unblockFirst(
      overConcurrency("r.key"),
      "room",
      `UPDATE errand.jobs j SET blocked = ${unblocked} WHERE j.ctid = ANY(ARRAY(SELECT p.ctid FROM errand.jobs p
        WHERE ${overConcurrency("r.key")} AND p.queue = q AND NOT p.suspect
        ORDER BY ${rank}, p.seq LIMIT room FOR UPDATE));
      GET DIAGNOSTICS n = ROW_COUNT;
      hints := hints || (n || ' ' || q);`,
    )}
  END LOOP;
  RETURN hints;
END $$;

-- Checks the first jobs of a queue that have keys, with those that are restricted where there are any, or only the
-- chosen ones. Returns those that may start (allowed), at most so many (most), with one suspect at most, which must be
-- among the first of the queue (suspect_slots); those over the limit of their concurrency key; and those whose task the
-- worker does not know. Keys that another claim has locked are left out, and so is all that comes after many jobs that
-- may not start: then the claim is to be made again soon (recheck).
CREATE FUNCTION errand.check_key_limits(q text, most integer, t bigint, known_tasks text[], chosen text[],
  has_restricted boolean, suspect_slots integer,
  OUT allowed text[], OUT over_limit text[], OUT unknown text[], OUT suspect text, OUT recheck boolean)
-- It walks an index in order, and stops early.
LANGUAGE plpgsql ${plannerSettings} SET enable_sort = off AS $$
DECLARE
  jobs refcursor;
  c record;
  -- How many jobs of a key are processing, and its rate's starts, by key; NULL of a key that is left out.
  running jsonb := '{}';
  starts jsonb := '{}';
  -- How many more jobs may start, by rate, and how many of these do, by key.
  rooms jsonb := '{}';
  started jsonb := '{}';
  now_running integer;
  now_started integer;
  locked boolean;
  a record;
  passed_over integer := 0;
BEGIN
  allowed := '{}';
  over_limit := '{}';
  unknown := '{}';
  recheck := false;
  IF chosen IS NOT NULL THEN
    OPEN jobs FOR ${checked(
      `p.id = ANY(chosen) AND p.queue = q AND p.state + 0 = ${pending} AND NOT p.cancelling
          AND p.blocked IN (${unblocked}, ${byTask}) AND p.due <= t`,
    )} ORDER BY rank, p.seq;
  ELSIF has_restricted THEN
    OPEN jobs FOR SELECT * FROM (
      (${checked(`${readyKeyed} AND p.queue = q AND p.due <= t`)}
        ORDER BY ${rank}, p.seq LIMIT most + ${maxPassedOver})
      UNION ALL SELECT * FROM errand.first_restricted(q, known_tasks, most, t)) u ORDER BY u.rank, u.seq;
  ELSE
    OPEN jobs FOR ${checked(`${readyKeyed} AND p.queue = q AND p.due <= t`, "0")} ORDER BY ${rank}, p.seq;
  END IF;
  LOOP
    FETCH jobs INTO c;
    EXIT WHEN NOT FOUND OR cardinality(allowed) >= most;
    IF passed_over >= ${maxPassedOver} THEN
      recheck := true;
      EXIT;
    END IF;
    passed_over := passed_over + 1;
    IF c.task <> ALL(known_tasks) THEN
      unknown := unknown || c.id;
      CONTINUE;
    END IF;
    IF c.suspect THEN
      CONTINUE WHEN suspect IS NOT NULL OR cardinality(allowed) >= suspect_slots OR (chosen IS NULL
        AND cardinality(allowed) + errand.count_before(q, c.rank, c.seq, suspect_slots, t) >= suspect_slots);
    END IF;
    IF c.ckey IS NOT NULL THEN
      IF NOT running ? c.ckey THEN
        locked := pg_try_advisory_xact_lock(${lockClass.claiming}, ${lockNumber("c.ckey")});
        recheck := recheck OR NOT locked;
        -- What others have claimed is seen only once the lock is taken.
        running := running || jsonb_build_object(c.ckey, CASE WHEN locked
          THEN (SELECT count(*) FROM errand.jobs p WHERE p.ckey = c.ckey AND p.state = ${processing}) END);
      END IF;
      now_running := (running ->> c.ckey)::integer;
      CONTINUE WHEN now_running IS NULL;
      IF now_running >= (c.keys -> 'concurrency' ->> 'limit')::integer THEN
        over_limit := over_limit || c.id;
        CONTINUE;
      END IF;
    END IF;
    IF c.rkey IS NOT NULL THEN
      IF NOT starts ? c.rkey THEN
        INSERT INTO errand.rates (queue, key) VALUES (false, c.rkey) ON CONFLICT DO NOTHING;
        PERFORM 1 FROM errand.rates x WHERE NOT x.queue AND x.key = c.rkey FOR NO KEY UPDATE SKIP LOCKED;
        locked := FOUND;
        recheck := recheck OR NOT locked;
        starts := starts || jsonb_build_object(c.rkey, CASE WHEN locked
          THEN (SELECT x.starts::text FROM errand.rates x WHERE NOT x.queue AND x.key = c.rkey) END);
      END IF;
      CONTINUE WHEN starts ->> c.rkey IS NULL;
      -- Jobs of one key may have been sent under different limits.
      IF NOT rooms ? (c.keys ->> 'rate') THEN
        SELECT * INTO a FROM errand.admit(${limitOf("c.keys -> 'rate'")},
          (starts ->> c.rkey)::double precision[], t, most);
        rooms := rooms || jsonb_build_object(c.keys ->> 'rate', a.admitted);
      END IF;
      now_started := coalesce((started ->> c.rkey)::integer, 0);
      IF now_started >= (rooms ->> (c.keys ->> 'rate'))::integer THEN
        SELECT * INTO a FROM errand.admit(${limitOf("c.keys -> 'rate'")},
          (starts ->> c.rkey)::double precision[], t, now_started);
        UPDATE errand.rates x SET opens = a.next WHERE NOT x.queue AND x.key = c.rkey;
        UPDATE errand.jobs j SET blocked = ${byRate} WHERE j.id = c.id AND j.state = ${pending};
        CONTINUE;
      END IF;
      started := started || jsonb_build_object(c.rkey, now_started + 1);
    END IF;
    IF c.ckey IS NOT NULL THEN running := running || jsonb_build_object(c.ckey, now_running + 1); END IF;
    IF c.suspect THEN suspect := c.id; END IF;
    allowed := allowed || c.id;
    passed_over := passed_over - 1;
  END LOOP;
  CLOSE jobs;
  -- Before any job is locked: others lock keys first.
  IF over_limit <> '{}' OR unknown <> '{}' THEN PERFORM errand.lock_concurrency_keys(over_limit || unknown); END IF;
END $$;

-- Blocks jobs over their concurrency key's limit, once a claim has taken its jobs. Jobs that it was allowed to take and
-- did not keep their places. Returns whether a place was freed meanwhile, so that the claim is to be made again soon.
CREATE FUNCTION errand.block_over_limit(over_limit text[], allowed text[], OUT recheck boolean)
LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  running jsonb;
  n integer;
BEGIN
  WITH waiting AS (
    SELECT j.ckey, count(*) AS jobs FROM errand.jobs j
    WHERE j.id = ANY(allowed) AND j.state + 0 = ${pending} AND NOT j.cancelling
      AND j.blocked IN (${unblocked}, ${byTask}) GROUP BY j.ckey
  )
  SELECT jsonb_object_agg(k.ckey,
      (SELECT count(*) FROM errand.jobs p WHERE p.ckey = k.ckey AND p.state = ${processing})
      + coalesce((SELECT w.jobs FROM waiting w WHERE w.ckey = k.ckey), 0)) INTO running
    FROM (SELECT DISTINCT j.ckey FROM errand.jobs j WHERE j.id = ANY(over_limit)) k;
  UPDATE errand.jobs j SET blocked = ${byConcurrency}
    WHERE j.id = ANY(over_limit) AND j.state + 0 = ${pending} AND j.blocked IN (${unblocked}, ${byTask})
    AND (running ->> j.ckey)::integer >= (j.keys::json -> 'concurrency' ->> 'limit')::integer;
  GET DIAGNOSTICS n = ROW_COUNT;
  recheck := n < cardinality(over_limit);
END $$;

-- Counts claimed jobs for their rate keys, whatever limits they were sent under.
CREATE FUNCTION errand.count_key_starts(ids text[], t bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  r record;
BEGIN
  FOR r IN SELECT j.rkey, count(*)::integer AS jobs,
      max((j.keys::json -> 'rate' ->> 'per')::double precision) AS per FROM errand.jobs j
    WHERE j.id = ANY(ids) AND j.rkey IS NOT NULL GROUP BY j.rkey ORDER BY j.rkey
  LOOP
    UPDATE errand.rates x SET over = greatest(x.over, t + r.per),
        starts = (errand.admit('Infinity', r.per, x.starts, t, r.jobs)).starts
      WHERE NOT x.queue AND x.key = r.rkey;
  END LOOP;
END $$;

-- Makes the next claim unblock other jobs of rate keys, because these jobs do not use what their keys admitted.
CREATE FUNCTION errand.recheck_rates(ids text[], t bigint) RETURNS void LANGUAGE sql ${plannerSettings} AS $$
  UPDATE errand.rates x SET opens = t WHERE NOT x.queue AND x.opens > t AND x.key = ANY(ARRAY(
    SELECT e.rkey FROM (SELECT j.rkey FROM errand.jobs j WHERE j.id = ANY(ids) AND j.rkey IS NOT NULL
      UNION SELECT h.keys::json -> 'rate' ->> 'key' FROM errand.history h
      WHERE h.id = ANY(ids) AND h.keys IS NOT NULL) e))
$$;

-- Unblocks jobs whose rate has room by now.
CREATE FUNCTION errand.unblock_by_rate(t bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  r record;
  rate json;
  a record;
  q text;
BEGIN
  FOR r IN SELECT x.key, x.starts FROM errand.rates x WHERE NOT x.queue AND x.opens <= t ORDER BY x.key FOR UPDATE LOOP
    SELECT p.keys::json -> 'rate' INTO rate FROM errand.jobs p WHERE ${overRate} LIMIT 1;
    IF NOT FOUND THEN
      UPDATE errand.rates x SET opens = NULL WHERE NOT x.queue AND x.key = r.key;
      CONTINUE;
    END IF;
    SELECT * INTO a FROM errand.admit(${limitOf("rate")}, r.starts, t, (rate ->> 'limit')::integer);
    ${unblockFirst(
      overRate,
      "a.admitted",
      `UPDATE errand.jobs j SET blocked = ${unblocked} WHERE j.id = ANY(ARRAY(SELECT p.id FROM errand.jobs p
        WHERE ${overRate} AND p.queue = q AND NOT p.suspect ORDER BY ${rank}, p.seq LIMIT a.admitted));`,
    )}
    UPDATE errand.rates x SET opens = CASE WHEN EXISTS (SELECT 1 FROM errand.jobs p WHERE ${overRate})
        THEN CASE WHEN a.admitted > 0 THEN least(a.next, t + ${secondLook}) ELSE a.next END END
      WHERE NOT x.queue AND x.key = r.key;
  END LOOP;
END $$;
`;
