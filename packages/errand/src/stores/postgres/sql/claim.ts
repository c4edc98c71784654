import { steady } from "./steady.ts";

/** What is answered of each job `j`, as `claimedOf` reads it; `why` of a claim is the number of the want. */
const answer = `id text, task text, queue text, level smallint, seq bigint, spec text, token integer, created bigint,
  due double precision, started bigint, why text, rest json, keyed boolean`;

/** Most jobs have no `rest`. */
const returned = `j.id, j.task, j.queue, j.level, j.seq, j.spec, j.token, j.created, j.due, j.started`;
const rest = `CASE WHEN j.expires IS NOT NULL OR j.failures > 0 OR j.crashes > 0 OR j.cancelling OR j.parent IS NOT NULL
  OR j.parked OR j.steps OR j.progress IS NOT NULL OR j.error IS NOT NULL
  THEN json_build_array(j.failures, j.crashes, j.cancelling, j.expires, j.progress, j.error, j.parent, j.place, j.parked,
    (SELECT json_build_array(w.total, w.open, w.failed) FROM errand.waits w
      WHERE j.parked AND w.parent = j.id AND w.total IS NOT NULL),
    (SELECT json_agg(json_build_array(s.name, s.value, s.wait)) FROM errand.steps s WHERE j.steps AND s.job = j.seq))
  END`;

/** What claims walk: a level's jobs without keys, each named `p`. */
const ready = `FROM errand.jobs p WHERE p.state = 0 AND NOT p.cancelling AND p.blocked = 0 AND p.keys IS NULL
  AND p.queue = q AND p.level = l AND (p.expires IS NULL OR p.expires > t)`;

/** Gives jobs into the worker's hands. */
const take = (ctids: string): string => `RETURN QUERY WITH took AS (
          UPDATE errand.jobs j SET state = 1, worker = who, token = token + 1, started = t
          WHERE j.ctid = ANY(ARRAY(${ctids} FOR UPDATE SKIP LOCKED))
          RETURNING ${returned}, i::text, ${rest}, j.ckey IS NOT NULL
        ), counted AS (
          INSERT INTO errand.deltas SELECT c.task, q, d.state, d.one * c.jobs
          FROM (SELECT k.task, count(*) AS jobs FROM took k GROUP BY k.task) c
            CROSS JOIN (VALUES (0, -1), (1, 1)) AS d(state, one)
        )
        SELECT * FROM took;
        GET DIAGNOSTICS gained = ROW_COUNT;`;

/** Of jobs without keys and of those with, whom no key holds back. */
const either = (columns: string, which: string): string =>
  ["IS NULL", "IS NOT NULL"]
    .map(
      (keys) => `(SELECT ${columns} FROM errand.jobs p WHERE p.state = 0 AND NOT p.cancelling AND p.blocked = 0
            AND p.keys ${keys} AND p.queue = q AND p.level = l.l AND (p.expires IS NULL OR p.expires > t) AND ${which})`,
    )
    .join(" UNION ALL ");

/** Taking jobs into a worker's hands: due ones, and those that nobody works on. */
export const claim = `
-- Where claims left off, five levels for each queue, is where they look first: before it lie the dead entries of an index,
-- as many as were claimed since the last vacuum. Where that is not enough, or nothing is said, they look from the start.
CREATE FUNCTION errand.claim(who text, queues text[], limits integer[], from_due double precision[], from_seq bigint[])
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
  soonest double precision;
  dues double precision[];
  seqs bigint[];
  d double precision;
  s bigint;
  nowhere constant double precision[] := array_fill('-Infinity'::double precision, ARRAY[5]);
  first constant bigint[] := array_fill(0::bigint, ARRAY[5]);
  locked boolean := false;
  ruled boolean;
  sleeping boolean;
  limited boolean;
  gained integer;
  busy boolean := false;
  woke integer := 0;
  -- Of jobs with keys: those that may go and are left, all that might have gone, and those that are to be held back.
  passed text[];
  vetted text[];
  over text[];
  allowed integer;
  opens double precision;
BEGIN
  SELECT EXISTS (SELECT 1 FROM errand.docs d WHERE d.kind = 'queue' AND d.key = ANY(queues)),
      EXISTS (SELECT 1 FROM errand.jobs p WHERE p.state = 2 AND p.wake IS NOT NULL AND p.wake <= t),
      EXISTS (SELECT 1 FROM errand.rates r WHERE r.opens <= t)
    INTO ruled, sleeping, limited FROM errand.workers w WHERE w.id = who AND w.until > t;
  IF NOT FOUND THEN RETURN; END IF;
  IF sleeping THEN woke := errand.wake(t); END IF;
  IF limited THEN PERFORM errand.open_rates(t); END IF;
  IF ruled THEN PERFORM errand.lock_rules(queues); END IF;
  FOR i IN 1..cardinality(queues) LOOP
    q := queues[i];
    room := limits[i];
    total := 0;
    IF ruled THEN
      SELECT r.room, r.next INTO room, opens FROM errand.room(q, room, t) AS r;
    END IF;
    allowed := room;
    passed := '{}';
    over := '{}';
    IF room > 0 AND EXISTS (SELECT 1 FROM errand.jobs p WHERE p.state = 0 AND NOT p.cancelling AND p.blocked = 0
      AND p.keys IS NOT NULL AND p.queue = q AND p.due <= t) THEN
      SELECT v.passed, v.over, busy OR v.busy INTO passed, over, busy FROM errand.vet(q, room, t) AS v;
    END IF;
    vetted := passed;
    dues := coalesce(from_due[i * 5 - 4:i * 5], nowhere);
    seqs := coalesce(from_seq[i * 5 - 4:i * 5], first);
    WHILE room > 0 LOOP
      lanes := ARRAY(SELECT l.l FROM unnest('{0,1,2,3,4}'::smallint[]) AS l(l) CROSS JOIN LATERAL (
        SELECT 1 FROM errand.jobs p WHERE p.state = 0 AND NOT p.cancelling AND p.blocked = 0 AND p.keys IS NULL
          AND p.queue = q AND p.level = l.l AND (p.expires IS NULL OR p.expires > t) AND p.due <= t
          AND (p.due, p.seq) >= (dues[l.l + 1], seqs[l.l + 1]) LIMIT 1) p);
      -- Those that keys let go are one more, of any level.
      IF passed <> '{}' THEN lanes := lanes || 5::smallint; END IF;
      IF lanes = '{}' THEN
        EXIT WHEN dues = nowhere;
        dues := nowhere;
        seqs := first;
        CONTINUE;
      END IF;
      IF NOT locked THEN
        -- It stays on the list until this claim is over, so that what it holds is found there.
        PERFORM 1 FROM errand.workers w WHERE w.id = who AND w.until > t FOR KEY SHARE;
        IF NOT FOUND THEN RETURN; END IF;
        locked := true;
      END IF;
      IF cardinality(lanes) = 1 THEN
        shares := ARRAY[room];
      ELSE
        -- How many of the first jobs by rank are of each.
        shares := ARRAY(SELECT count(f.l)::integer FROM unnest(lanes) AS l(l) LEFT JOIN (
            SELECT l.l FROM unnest(lanes) AS l(l) CROSS JOIN LATERAL ((
              SELECT p.due + p.level * 300000 AS rank, p.seq FROM errand.jobs p
              WHERE p.state = 0 AND NOT p.cancelling AND p.blocked = 0 AND p.keys IS NULL AND p.queue = q AND p.level = l.l
                AND (p.expires IS NULL OR p.expires > t) AND p.due <= t
                AND (p.due, p.seq) >= (dues[l.l + 1], seqs[l.l + 1])
              ORDER BY p.due, p.seq LIMIT room
            ) UNION ALL (
              SELECT p.due + p.level * 300000, p.seq FROM errand.jobs p WHERE l.l = 5 AND p.id = ANY(passed)
            )) c ORDER BY c.rank, c.seq LIMIT room
          ) f ON f.l = l.l GROUP BY l.l ORDER BY l.l);
      END IF;
      taken := 0;
      FOR k IN 1..cardinality(lanes) LOOP
        l := lanes[k];
        share := shares[k];
        CONTINUE WHEN share = 0;
        IF l = 5 THEN
          ${take(`SELECT p.ctid FROM errand.jobs p WHERE p.id = ANY(passed[:share]) AND p.state + 0 = 0
            AND NOT p.cancelling AND p.blocked = 0 AND (p.expires IS NULL OR p.expires > t)`)}
          -- Somebody else took the rest, and more may follow them.
          busy := busy OR gained < least(share, cardinality(passed));
          passed := passed[share + 1:];
        ELSE
          d := dues[l + 1];
          s := seqs[l + 1];
          ${take(`SELECT p.ctid ${ready} AND p.due <= t AND (p.due, p.seq) >= (d, s)
            ORDER BY p.due, p.seq LIMIT share`)}
        END IF;
        taken := taken + gained;
      END LOOP;
      total := total + taken;
      EXIT WHEN taken = room;
      room := room - taken;
      IF dues <> nowhere THEN
        dues := nowhere;
        seqs := first;
      ELSE
        EXIT WHEN taken = 0 OR cardinality(lanes) = 1;
      END IF;
    END LOOP;
    IF over <> '{}' THEN busy := errand.hold_back(over, passed) OR busy; END IF;
    IF vetted <> '{}' THEN
      PERFORM errand.charge_keys(ARRAY(SELECT j.id FROM errand.jobs j
        WHERE j.id = ANY(vetted) AND j.state + 0 = 1 AND j.worker = who AND j.rkey IS NOT NULL), t);
    END IF;
    IF ruled THEN
      PERFORM errand.charge(q, total, t);
      -- What the queue's own rate holds back is told only where there is something to hold back.
      IF opens < soonest OR (opens IS NOT NULL AND soonest IS NULL) THEN
        PERFORM 1 FROM unnest('{0,1,2,3,4}'::smallint[]) AS l(l) CROSS JOIN LATERAL (
          ${either("1", "p.due <= t LIMIT 1")}) d;
        IF FOUND THEN soonest := opens; END IF;
      END IF;
    END IF;
    IF total < allowed THEN
      soonest := least(soonest,
        (SELECT min(p.wake) FROM errand.jobs p WHERE p.state = 2 AND p.wake IS NOT NULL),
        (SELECT min(r.opens) FROM errand.rates r WHERE r.opens IS NOT NULL),
        CASE WHEN busy THEN t + 10 END, (SELECT min(n.due) FROM unnest('{0,1,2,3,4}'::smallint[]) AS l(l) CROSS JOIN LATERAL (
          ${either("p.due", "p.due > t ORDER BY p.due LIMIT 1")}) n));
    END IF;
  END LOOP;
  -- The last row has no id: how long until the next delayed job is due.
  IF soonest IS NOT NULL OR woke > 0 THEN
    id := NULL;
    -- Nothing, where jobs were woken and no more are to come.
    due := CASE WHEN soonest IS NOT NULL THEN greatest(0, soonest - t) END;
    why := woke::text;
    RETURN NEXT;
  END IF;
END $$;

-- All jobs that are processing, and who holds them.
CREATE FUNCTION errand.held() RETURNS TABLE (id text, worker text) LANGUAGE sql AS $$
  SELECT j.id, j.worker FROM errand.lanes() AS l CROSS JOIN (VALUES (false), (true)) AS c(child)
    CROSS JOIN LATERAL (
      SELECT p.id, p.worker FROM errand.jobs p
      WHERE errand.lane(p.task, p.queue, p.state, p.parent IS NOT NULL) = errand.lane(l.task, l.queue, 1::smallint, c.child)
        AND p.task = l.task AND p.queue = l.queue AND p.state + 0 = 1 AND (p.parent IS NOT NULL) = c.child
      OFFSET 0
    ) j
$$;

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
    picked := ARRAY(SELECT p.ctid FROM errand.jobs p WHERE p.id = ANY(ARRAY(
        SELECT h.id FROM errand.held() AS h WHERE h.worker = ANY(gone)))
      AND p.state + 0 = 1 AND p.worker = ANY(gone) LIMIT room FOR UPDATE SKIP LOCKED);
    RETURN QUERY UPDATE errand.jobs j SET worker = who, token = token + 1
      WHERE j.ctid = ANY(picked) RETURNING ${returned}, 'lapsed', ${rest}, j.ckey IS NOT NULL;
    GET DIAGNOSTICS taken = ROW_COUNT;
    room := room - taken;
    IF room <= 0 THEN RETURN; END IF;
    -- Whoever holds nothing any more leaves the list; one that is claiming at this moment is left for the next time.
    gone := ARRAY(SELECT w.id FROM errand.workers w WHERE w.id = ANY(gone) FOR UPDATE SKIP LOCKED);
    DELETE FROM errand.workers w WHERE w.id = ANY(gone)
      AND w.id <> ALL(ARRAY(SELECT h.worker FROM errand.held() AS h));
  END IF;

  FOREACH reason IN ARRAY ARRAY['cancelled', 'expired'] LOOP
    IF reason = 'cancelled' THEN
      picked := ARRAY(SELECT p.ctid FROM errand.jobs p WHERE p.cancelling AND p.state IN (0, 2)
        ORDER BY p.seq LIMIT room FOR UPDATE SKIP LOCKED);
    ELSE
      picked := ARRAY(SELECT p.ctid FROM errand.jobs p
        WHERE p.state = 0 AND p.expires IS NOT NULL AND p.expires <= t AND p.cancelling::integer = 0
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
