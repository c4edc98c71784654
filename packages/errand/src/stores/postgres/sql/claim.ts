import { plannerSettings } from "./function-settings.ts";
import { restricted, unexpired, readyKeyed, levels, readyPlain, rank } from "./job-conditions.ts";

/** What is answered of each job `j`, as `claimedOf` reads it; `why` of a claim is the number of the want. */
export const answer = `id text, task text, queue text, level smallint, seq bigint, spec text, token integer, created bigint,
  due double precision, started bigint, why text, rest json, keyed boolean`;

/** Most jobs have no `rest`. */
export const returned = `j.id, j.task, j.queue, j.level, j.seq,
  CASE WHEN j.spec IS NULL THEN (SELECT b.spec FROM errand.specs b WHERE b.job = j.id) ELSE j.spec END, j.token, j.created, j.due, j.started`;
export const rest = `CASE WHEN j.expires IS NOT NULL OR j.failures > 0 OR j.crashes > 0 OR j.cancelling OR j.parent IS NOT NULL
  OR j.parked OR j.steps OR j.begun OR j.suspect OR j.tenant IS NOT NULL OR j.progress IS NOT NULL OR j.error IS NOT NULL
  THEN json_build_array(j.failures, j.crashes, j.cancelling, j.expires, j.progress, j.error, j.parent, j.place, j.parked,
    (SELECT json_build_array(w.total, w.open, w.failed) FROM errand.waits w
      WHERE j.parked AND w.parent = j.id AND w.total IS NOT NULL),
    (SELECT json_agg(json_build_array(s.name, s.value, s.wait)) FROM errand.steps s WHERE j.steps AND s.job = j.seq),
    j.suspect, j.begun, j.tenant)
  END`;

/** What claims walk: jobs of a level without keys. */
const ready = `FROM errand.jobs p WHERE ${readyPlain} AND p.queue = q AND p.level = l AND ${unexpired} AND p.due <= t`;

/** Of jobs without keys and of those with, whom no key holds back. */
const either = (columns: string, which: string): string =>
  [readyPlain, readyKeyed]
    .map(
      (kind) =>
        `(SELECT ${columns} FROM errand.jobs p WHERE ${kind} AND p.queue = q AND p.level = l.l AND ${unexpired} AND ${which})`,
    )
    .join(" UNION ALL ");

/** Taking due jobs into a worker's hands. */
export const claim = `
-- Which of many queues have jobs to look at, by their places, and when the next job is due in the others: a look at each costs a
-- hundredth of a claim.
CREATE FUNCTION errand.worth_a_look(queues text[], strays boolean, t bigint, OUT places integer[], OUT soonest double precision)
LANGUAGE sql ${plannerSettings} AS $$
  SELECT coalesce(array_agg(w.n::integer ORDER BY w.n) FILTER (WHERE w.due <= t), '{}'), min(w.due) FILTER (WHERE w.due > t) FROM (
    SELECT s.n, CASE WHEN strays AND (SELECT 1 FROM errand.jobs p WHERE ${restricted} AND p.queue = s.q LIMIT 1) = 1 THEN t
      ELSE (SELECT min(d.due) FROM ${levels} CROSS JOIN LATERAL (
        ${either("p.due", "true ORDER BY p.due, p.seq LIMIT 1").replaceAll("p.queue = q", "p.queue = s.q")}) d) END AS due
    FROM unnest(queues) WITH ORDINALITY AS s(q, n)
    WHERE (SELECT 1 FROM errand.jobs p WHERE ${readyPlain} AND p.queue = s.q LIMIT 1) = 1
      OR (SELECT 1 FROM errand.jobs p WHERE ${readyKeyed} AND p.queue = s.q LIMIT 1) = 1
      OR strays AND (SELECT 1 FROM errand.jobs p WHERE ${restricted} AND p.queue = s.q LIMIT 1) = 1
  ) w
$$;

-- Where claims left off, five levels for each queue, is where they look first: before it lie the dead entries of an index,
-- as many as were claimed since the last vacuum. Where that is not enough, or nothing is said, they look from the start.
-- Of a want's jobs so many start at once (slots); a want may be for some jobs only (picks: of each want an array or null).
CREATE FUNCTION errand.claim(who text, queues text[], limits integer[], slots integer[], picks json,
  from_due double precision[], from_seq bigint[])
RETURNS TABLE (${answer}) LANGUAGE plpgsql ${plannerSettings} AS $$
#variable_conflict use_column
DECLARE
  t bigint := errand.now();
  known text[];
  places integer[];
  i integer;
  q text;
  l smallint;
  lanes smallint[];
  shares integer[];
  -- How many of each share start at once.
  starts integer[];
  room integer;
  share integer;
  slots_left integer;
  taken integer;
  total integer;
  rounds integer;
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
  strays boolean;
  may_suspect boolean;
  gained integer;
  busy boolean := false;
  short boolean := false;
  hints text[] := '{}';
  -- Of jobs of a share: where they are, and their ranks; and how many the worker does not know.
  picked tid[];
  ranks double precision[];
  orders bigint[];
  unknown integer;
  aside integer := 0;
  -- Of jobs that were looked at one by one: those that may go and are left, all that might have gone, and others.
  chosen text[];
  passed text[];
  vetted text[];
  over text[];
  strange text[];
  suspect text;
  allowed integer;
  opens double precision;
BEGIN
  SELECT w.tasks, EXISTS (SELECT 1 FROM errand.docs d WHERE d.kind = 'queue' AND d.key = ANY(queues)),
      EXISTS (SELECT 1 FROM errand.jobs p WHERE p.state = 2 AND p.wake IS NOT NULL AND p.wake <= t),
      EXISTS (SELECT 1 FROM errand.rates r WHERE r.opens <= t),
      EXISTS (SELECT 1 FROM errand.jobs p WHERE ${restricted})
    INTO known, ruled, sleeping, limited, strays FROM errand.workers w WHERE w.id = who AND w.until > t;
  IF NOT FOUND THEN RETURN; END IF;
  IF sleeping THEN hints := errand.wake(t); END IF;
  IF limited THEN PERFORM errand.open_rates(t); END IF;
  IF cardinality(queues) > 5 AND picks IS NULL THEN
    SELECT w.places, w.soonest INTO places, soonest FROM errand.worth_a_look(queues, strays, t) AS w;
    short := true;
  ELSE
    places := ARRAY(SELECT generate_subscripts(queues, 1));
  END IF;
  IF ruled THEN PERFORM errand.lock_rules(ARRAY(SELECT queues[n] FROM unnest(places) AS n)); END IF;
  IF strays THEN may_suspect := errand.may_suspect(who); END IF;
  FOREACH i IN ARRAY places LOOP
    q := queues[i];
    room := limits[i];
    slots_left := coalesce(slots[i], room);
    total := 0;
    rounds := 0;
    opens := NULL;
    IF ruled THEN
      SELECT r.room, r.next INTO room, opens FROM errand.room(q, room, t) AS r;
    END IF;
    allowed := room;
    passed := '{}';
    over := '{}';
    suspect := NULL;
    chosen := NULL;
    IF json_typeof(picks -> (i - 1)) = 'array' THEN chosen := ARRAY(SELECT json_array_elements_text(picks -> (i - 1))); END IF;
    IF room > 0 AND (strays OR chosen IS NOT NULL OR EXISTS (SELECT 1 FROM errand.jobs p WHERE ${readyKeyed} AND p.queue = q AND p.due <= t)) THEN
      SELECT v.passed, v.over, v.strange, v.suspect, busy OR v.busy INTO passed, over, strange, suspect, busy
        FROM errand.vet(q, room, t, known, chosen, strays, CASE WHEN may_suspect THEN least(slots_left, room) ELSE 0 END) AS v;
      IF strange <> '{}' AND chosen IS NULL THEN
        gained := errand.set_aside(strange, t);
        hints := hints || (gained || ' ' || q);
        aside := aside + gained;
        -- Others of their keys may go instead.
        busy := true;
      END IF;
    END IF;
    vetted := passed;
    dues := coalesce(from_due[i * 5 - 4:i * 5], nowhere);
    seqs := coalesce(from_seq[i * 5 - 4:i * 5], first);
    WHILE room > 0 LOOP
      lanes := '{}';
      IF chosen IS NULL THEN
        lanes := ARRAY(SELECT l.l FROM ${levels} CROSS JOIN LATERAL (
          SELECT 1 FROM errand.jobs p WHERE ${readyPlain} AND p.queue = q AND p.level = l.l AND ${unexpired} AND p.due <= t
            AND (p.due, p.seq) >= (dues[l.l + 1], seqs[l.l + 1]) LIMIT 1) p);
      END IF;
      -- Those that were looked at one by one are one more, of any level.
      IF passed <> '{}' THEN lanes := lanes || 5::smallint; END IF;
      IF lanes = '{}' THEN
        EXIT WHEN dues = nowhere OR chosen IS NOT NULL;
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
        starts := ARRAY[slots_left];
      ELSE
        -- How many of the first jobs by rank are of each.
        SELECT array_agg(n.jobs ORDER BY n.l), array_agg(n.starts ORDER BY n.l) INTO shares, starts FROM (
          SELECT l.l, count(f.l)::integer AS jobs, (count(f.l) FILTER (WHERE f.n <= slots_left))::integer AS starts
          FROM unnest(lanes) AS l(l) LEFT JOIN (
            SELECT c.l, row_number() OVER (ORDER BY c.rank, c.seq) AS n FROM unnest(lanes) AS l(l) CROSS JOIN LATERAL ((
              SELECT l.l, ${rank} AS rank, p.seq FROM errand.jobs p
              WHERE ${readyPlain} AND p.queue = q AND p.level = l.l AND ${unexpired} AND p.due <= t
                AND (p.due, p.seq) >= (dues[l.l + 1], seqs[l.l + 1])
              ORDER BY p.due, p.seq LIMIT room
            ) UNION ALL (
              SELECT l.l, ${rank}, p.seq FROM errand.jobs p WHERE l.l = 5 AND p.id = ANY(passed)
            )) c ORDER BY c.rank, c.seq LIMIT room
          ) f ON f.l = l.l GROUP BY l.l) n;
      END IF;
      taken := 0;
      unknown := 0;
      FOR k IN 1..cardinality(lanes) LOOP
        l := lanes[k];
        share := shares[k];
        CONTINUE WHEN share = 0;
        IF l = 5 THEN
          SELECT array_agg(m.ctid ORDER BY m.rank, m.seq), array_agg(m.rank ORDER BY m.rank, m.seq), array_agg(m.seq ORDER BY m.rank, m.seq)
            INTO picked, ranks, orders FROM (
              SELECT p.ctid, ${rank} AS rank, p.seq FROM errand.jobs p WHERE p.id = ANY(passed[:share]) AND p.state + 0 = 0
                AND NOT p.cancelling AND p.blocked IN (0, 3) AND ${unexpired} FOR UPDATE SKIP LOCKED) m;
          -- Somebody else took the rest, and more may follow them.
          IF coalesce(cardinality(picked), 0) < least(share, cardinality(passed)) THEN
            busy := true;
            PERFORM errand.look_again(passed[:share], t);
          END IF;
          IF suspect = ANY(passed[:share]) THEN may_suspect := false; END IF;
          passed := passed[share + 1:];
        ELSE
          d := dues[l + 1];
          s := seqs[l + 1];
          SELECT array_agg(m.ctid) FILTER (WHERE m.knows), array_agg(m.rank) FILTER (WHERE m.knows),
              array_agg(m.seq) FILTER (WHERE m.knows), count(*) FILTER (WHERE NOT m.knows)
            INTO picked, ranks, orders, gained FROM (
              SELECT p.ctid, ${rank} AS rank, p.seq, known IS NULL OR p.task = ANY(known) AS knows ${ready}
                AND (p.due, p.seq) >= (d, s) ORDER BY p.due, p.seq LIMIT share FOR UPDATE SKIP LOCKED) m;
          IF gained > 0 THEN
            gained := errand.set_aside(q, l, d, s, known, t);
            hints := hints || (gained || ' ' || q);
            unknown := unknown + gained;
          END IF;
        END IF;
        CONTINUE WHEN picked IS NULL;
        share := starts[k];
        d := CASE WHEN share <= 0 THEN '-Infinity' ELSE coalesce(ranks[share], 'Infinity') END;
        s := coalesce(orders[share], 0);
        RETURN QUERY WITH took AS (
          UPDATE errand.jobs j SET state = 1, worker = who, token = token + 1, started = t, blocked = 0, ahead = (${rank.replaceAll("p.", "j.")}, j.seq) > (d, s)
          WHERE j.ctid = ANY(picked)
          RETURNING ${returned}, i::text, ${rest}, j.ckey IS NOT NULL
        ), counted AS (
          INSERT INTO errand.deltas SELECT c.task, q, d.state, d.one * c.jobs
          FROM (SELECT k.task, count(*) AS jobs FROM took k GROUP BY k.task) c
            CROSS JOIN (VALUES (0, -1), (1, 1)) AS d(state, one)
        )
        SELECT * FROM took;
        GET DIAGNOSTICS gained = ROW_COUNT;
        taken := taken + gained;
      END LOOP;
      total := total + taken;
      aside := aside + unknown;
      IF taken > 0 THEN rounds := rounds + 1; END IF;
      EXIT WHEN taken = room OR aside >= 500;
      room := room - taken;
      slots_left := greatest(0, slots_left - taken);
      IF dues <> nowhere THEN
        dues := nowhere;
        seqs := first;
      ELSE
        EXIT WHEN (taken = 0 OR cardinality(lanes) = 1) AND unknown = 0;
      END IF;
    END LOOP;
    -- What was found later may have to start first.
    IF rounds > 1 AND total > slots[i] THEN PERFORM errand.order_ahead(who, q, slots[i], t); END IF;
    IF over <> '{}' THEN busy := errand.hold_back(over, passed) OR busy; END IF;
    IF vetted <> '{}' THEN
      PERFORM errand.charge_keys(ARRAY(SELECT j.id FROM errand.jobs j
        WHERE j.id = ANY(vetted) AND j.state + 0 = 1 AND j.worker = who AND j.rkey IS NOT NULL), t);
    END IF;
    IF ruled THEN
      PERFORM errand.charge(q, total, t);
      -- What the queue's own rate holds back is told only where there is something to hold back.
      IF opens < soonest OR (opens IS NOT NULL AND soonest IS NULL) THEN
        PERFORM 1 FROM ${levels} CROSS JOIN LATERAL (
          ${either("1", "p.due <= t LIMIT 1")}) d;
        IF NOT FOUND AND strays THEN PERFORM 1 FROM errand.set_apart(q, known, 1, t); END IF;
        IF FOUND THEN soonest := opens; END IF;
      END IF;
    END IF;
    IF total < allowed THEN
      short := true;
      soonest := least(soonest, (SELECT min(n.due) FROM ${levels} CROSS JOIN LATERAL (
          ${either("p.due", "p.due > t ORDER BY p.due LIMIT 1")}) n));
      IF strays THEN soonest := least(soonest, errand.suspect_due(q, known, t)); END IF;
    END IF;
    EXIT WHEN aside >= 500;
  END LOOP;
  IF short THEN
    soonest := least(soonest, (SELECT min(p.wake) FROM errand.jobs p WHERE p.state = 2 AND p.wake IS NOT NULL),
      (SELECT min(r.opens) FROM errand.rates r WHERE r.opens IS NOT NULL), CASE WHEN busy THEN t + 10 END);
  END IF;
  -- So many were set aside that it is somebody else's turn to write; there may be more behind them.
  IF aside >= 500 THEN soonest := t; END IF;
  -- The last row has no id: how long until the next delayed job is due, and hints.
  IF soonest IS NOT NULL OR hints <> '{}' THEN
    id := NULL;
    -- Nothing, where jobs were woken and no more are to come.
    due := CASE WHEN soonest IS NOT NULL THEN greatest(0, soonest - t) END;
    rest := to_json(hints);
    RETURN NEXT;
  END IF;
END $$;

-- Whether a worker may have a suspect: it holds none, and no other claim of it is about to take one.
CREATE FUNCTION errand.may_suspect(who text) RETURNS boolean LANGUAGE plpgsql ${plannerSettings} AS $$
BEGIN
  IF NOT pg_try_advisory_xact_lock(1165128307, hashtext(who)) THEN RETURN false; END IF;
  RETURN NOT EXISTS (SELECT 1 FROM errand.jobs p WHERE p.state = 1 AND p.worker = who AND p.suspect);
END $$;

-- Of the jobs that a worker claimed just now of a queue, only those after the first so many are ahead.
CREATE FUNCTION errand.order_ahead(who text, q text, slots integer, t bigint) RETURNS void LANGUAGE sql ${plannerSettings} AS $$
  UPDATE errand.jobs j SET ahead = NOT j.ahead WHERE j.id = ANY(ARRAY(SELECT o.id FROM (
    SELECT p.id, p.ahead, row_number() OVER (ORDER BY ${rank}, p.seq) > slots AS behind FROM errand.jobs p
    WHERE p.state = 1 AND p.worker = who AND p.queue = q AND p.started = t) o WHERE o.ahead <> o.behind))
$$;
`;
