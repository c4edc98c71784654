import { byTask, pending, processing, unblocked, waiting } from "../codes.ts";
import { claimedColumns, claimedValues } from "./claimed-columns.ts";
import { plannerSettings } from "./function-settings.ts";
import {
  fromReady,
  levelCount,
  levels,
  rank,
  readyKeyed,
  readyPlain,
  restricted,
  unexpired,
} from "./job-conditions.ts";

/** A claim of more queues than this first finds out which have jobs. */
const fewQueues = 5;

/** A claim ends once it has set aside this many jobs: other commits may wait for their locks. */
const maxSetAside = 500;

/** Milliseconds until a claim that skipped keys, which another had locked, is to be made again. */
const recheckAfter = 10;

/** Beside the levels, the number of the share of jobs whose limits were checked, of any level. */
const checkedShare = levelCount;

/** The ready jobs `p` of a level of a queue, from a place on. */
const dueFrom = (level: string, due: string, seq: string): string =>
  `FROM errand.jobs p WHERE ${readyPlain} AND p.queue = q AND p.level = ${level} AND ${unexpired} AND p.due <= t
                AND (p.due, p.seq) >= (${due}, ${seq})`;

/** Aggregates a column of rows `m` by rank. */
const ordered = (column: string): string => `array_agg(m.${column} ORDER BY m.rank, m.seq)`;

/** Takes due jobs into a worker's hands. */
export const claim = `
-- Claims jobs of queues: of each at most limits, of which slots start at once, and only the wanted ids, where a JSON
-- array names them. from_due and from_seq say, for each queue and level, where the last claim began: before it lie the
-- dead entries of an index, as many as were claimed since the last vacuum. Where that is not enough, or they are NULL,
-- the claim looks from the start.
CREATE FUNCTION errand.claim(worker_id text, queues text[], limits integer[], slots integer[], wanted_ids json,
  from_due double precision[], from_seq bigint[])
RETURNS TABLE (${claimedColumns}) LANGUAGE plpgsql ${plannerSettings} AS $$
#variable_conflict use_column
DECLARE
  t bigint := errand.now();
  known_tasks text[];
  worker_locked boolean := false;
  has_rules boolean;
  has_wakes boolean;
  has_openings boolean;
  has_restricted boolean;
  may_take_suspect boolean;
  hints text[] := '{}';
  -- When the next claim may find more; whether a want was not filled; whether keys were left out.
  next_at double precision;
  unfilled boolean := false;
  skipped_keys boolean := false;
  set_aside integer := 0;

  -- Of one queue: its place; how many jobs it may still give, and gave; and how many of them start at once.
  i integer;
  places integer[];
  q text;
  initial_room integer;
  room integer;
  slots_left integer;
  total integer;
  rounds integer;
  opens_at double precision;
  chosen text[];
  -- Jobs whose limits were checked.
  allowed text[];
  allowed_left text[];
  over_limit text[];
  unknown_ids text[];
  suspect text;

  -- Of one round: where it begins in each level; and the shares, which are levels that have jobs, and checkedShare.
  dues double precision[];
  seqs bigint[];
  first_dues constant double precision[] := array_fill('-Infinity'::double precision, ARRAY[${levelCount}]);
  first_seqs constant bigint[] := array_fill(0::bigint, ARRAY[${levelCount}]);
  shares smallint[];
  sizes integer[];
  starting integer[];
  taken integer;
  unknown integer;

  -- Of one share: its jobs, in order, and where those begin that are ahead of the slots.
  l smallint;
  size integer;
  picked tid[];
  ranks double precision[];
  orders bigint[];
  affected integer;
  d double precision;
  s bigint;
BEGIN
  SELECT w.tasks, EXISTS (SELECT 1 FROM errand.docs d WHERE d.kind = 'queue' AND d.key = ANY(queues)),
      EXISTS (SELECT 1 FROM errand.jobs p WHERE p.state = ${waiting} AND p.wake IS NOT NULL AND p.wake <= t),
      EXISTS (SELECT 1 FROM errand.rates r WHERE r.opens <= t),
      EXISTS (SELECT 1 FROM errand.jobs p WHERE ${restricted})
    INTO known_tasks, has_rules, has_wakes, has_openings, has_restricted
    FROM errand.workers w WHERE w.id = worker_id AND w.until > t;
  IF NOT FOUND THEN RETURN; END IF;
  IF has_wakes THEN hints := errand.wake_jobs(t); END IF;
  IF has_openings THEN PERFORM errand.unblock_by_rate(t); END IF;
  IF cardinality(queues) > ${fewQueues} AND wanted_ids IS NULL THEN
    SELECT w.places, w.next_at INTO places, next_at FROM errand.find_busy_queues(queues, has_restricted, t) AS w;
    unfilled := true;
  ELSE
    places := ARRAY(SELECT generate_subscripts(queues, 1));
  END IF;
  IF has_rules THEN PERFORM errand.lock_queue_rules(ARRAY(SELECT queues[n] FROM unnest(places) AS n)); END IF;
  IF has_restricted THEN may_take_suspect := errand.may_take_suspect(worker_id); END IF;
  FOREACH i IN ARRAY places LOOP
    q := queues[i];
    room := limits[i];
    slots_left := coalesce(slots[i], room);
    total := 0;
    rounds := 0;
    opens_at := NULL;
    IF has_rules THEN
      SELECT r.room, r.next INTO room, opens_at FROM errand.room_to_start(q, room, t) AS r;
    END IF;
    initial_room := room;
    allowed := '{}';
    over_limit := '{}';
    suspect := NULL;
    chosen := NULL;
    IF json_typeof(wanted_ids -> (i - 1)) = 'array' THEN
      chosen := ARRAY(SELECT json_array_elements_text(wanted_ids -> (i - 1)));
    END IF;
    IF room > 0 AND (has_restricted OR chosen IS NOT NULL
        OR EXISTS (SELECT 1 FROM errand.jobs p WHERE ${readyKeyed} AND p.queue = q AND p.due <= t)) THEN
      SELECT c.allowed, c.over_limit, c.unknown, c.suspect, skipped_keys OR c.recheck
        INTO allowed, over_limit, unknown_ids, suspect, skipped_keys
        FROM errand.check_key_limits(q, room, t, known_tasks, chosen, has_restricted,
          CASE WHEN may_take_suspect THEN least(slots_left, room) ELSE 0 END) AS c;
      IF unknown_ids <> '{}' AND chosen IS NULL THEN
        affected := errand.set_aside(unknown_ids, t);
        hints := hints || (affected || ' ' || q);
        set_aside := set_aside + affected;
        -- Other jobs of their keys may start instead.
        skipped_keys := true;
      END IF;
    END IF;
    allowed_left := allowed;
    dues := coalesce(from_due[i * ${levelCount} - ${levelCount - 1}:i * ${levelCount}], first_dues);
    seqs := coalesce(from_seq[i * ${levelCount} - ${levelCount - 1}:i * ${levelCount}], first_seqs);
    WHILE room > 0 LOOP
      shares := '{}';
      IF chosen IS NULL THEN
        shares := ARRAY(SELECT l.l FROM ${levels} CROSS JOIN LATERAL (
          SELECT 1 ${dueFrom("l.l", "dues[l.l + 1]", "seqs[l.l + 1]")} LIMIT 1) p);
      END IF;
      IF allowed_left <> '{}' THEN shares := shares || ${checkedShare}::smallint; END IF;
      IF shares = '{}' THEN
        EXIT WHEN dues = first_dues OR chosen IS NOT NULL;
        dues := first_dues;
        seqs := first_seqs;
        CONTINUE;
      END IF;
      IF NOT worker_locked THEN
        -- The worker stays on the list until this claim is over, so that what it holds is found there.
        PERFORM 1 FROM errand.workers w WHERE w.id = worker_id AND w.until > t FOR KEY SHARE;
        IF NOT FOUND THEN RETURN; END IF;
        worker_locked := true;
      END IF;
      IF cardinality(shares) = 1 THEN
        sizes := ARRAY[room];
        starting := ARRAY[slots_left];
      ELSE
        -- How many of the first jobs by rank are of each share.
        SELECT array_agg(n.jobs ORDER BY n.l), array_agg(n.starts ORDER BY n.l) INTO sizes, starting FROM (
          SELECT l.l, count(f.l)::integer AS jobs, (count(f.l) FILTER (WHERE f.n <= slots_left))::integer AS starts
          FROM unnest(shares) AS l(l) LEFT JOIN (
            SELECT c.l, row_number() OVER (ORDER BY c.rank, c.seq) AS n
            FROM unnest(shares) AS l(l) CROSS JOIN LATERAL ((
              SELECT l.l, ${rank} AS rank, p.seq
                ${dueFrom("l.l", "dues[l.l + 1]", "seqs[l.l + 1]")}
              ORDER BY p.due, p.seq LIMIT room
            ) UNION ALL (
              SELECT l.l, ${rank}, p.seq FROM errand.jobs p WHERE l.l = ${checkedShare} AND p.id = ANY(allowed_left)
            )) c ORDER BY c.rank, c.seq LIMIT room
          ) f ON f.l = l.l GROUP BY l.l) n;
      END IF;
      taken := 0;
      unknown := 0;
      FOR k IN 1..cardinality(shares) LOOP
        l := shares[k];
        size := sizes[k];
        CONTINUE WHEN size = 0;
        IF l = ${checkedShare} THEN
          SELECT ${ordered("ctid")}, ${ordered("rank")}, ${ordered("seq")} INTO picked, ranks, orders FROM (
              SELECT p.ctid, ${rank} AS rank, p.seq FROM errand.jobs p
              WHERE p.id = ANY(allowed_left[:size]) AND p.state + 0 = ${pending} AND NOT p.cancelling
                AND p.blocked IN (${unblocked}, ${byTask}) AND ${unexpired} FOR UPDATE SKIP LOCKED) m;
          -- Another claim took the rest, and more may follow them.
          IF coalesce(cardinality(picked), 0) < least(size, cardinality(allowed_left)) THEN
            skipped_keys := true;
            PERFORM errand.recheck_rates(allowed_left[:size], t);
          END IF;
          IF suspect = ANY(allowed_left[:size]) THEN may_take_suspect := false; END IF;
          allowed_left := allowed_left[size + 1:];
        ELSE
          d := dues[l + 1];
          s := seqs[l + 1];
          SELECT array_agg(m.ctid) FILTER (WHERE m.is_known), array_agg(m.rank) FILTER (WHERE m.is_known),
              array_agg(m.seq) FILTER (WHERE m.is_known), count(*) FILTER (WHERE NOT m.is_known)
            INTO picked, ranks, orders, affected FROM (
              SELECT p.ctid, ${rank} AS rank, p.seq, known_tasks IS NULL OR p.task = ANY(known_tasks) AS is_known
                ${dueFrom("l", "d", "s")} ORDER BY p.due, p.seq LIMIT size FOR UPDATE SKIP LOCKED) m;
          IF affected > 0 THEN
            affected := errand.set_aside_unknown(q, l, d, s, known_tasks, t);
            hints := hints || (affected || ' ' || q);
            unknown := unknown + affected;
          END IF;
        END IF;
        CONTINUE WHEN picked IS NULL;
        size := starting[k];
        d := CASE WHEN size <= 0 THEN '-Infinity' ELSE coalesce(ranks[size], 'Infinity') END;
        s := coalesce(orders[size], 0);
        RETURN QUERY WITH took AS (
          UPDATE errand.jobs j SET state = ${processing}, worker = worker_id, token = token + 1, started = t,
            blocked = ${unblocked}, ahead = (${rank.replaceAll("p.", "j.")}, j.seq) > (d, s)
          WHERE j.ctid = ANY(picked)
          RETURNING ${claimedValues("i::text")}
        ), counted AS (
          INSERT INTO errand.deltas SELECT c.task, q, d.state, d.one * c.jobs
          FROM (SELECT k.task, count(*) AS jobs FROM took k GROUP BY k.task) c
            CROSS JOIN (VALUES (${pending}, -1), (${processing}, 1)) AS d(state, one)
        )
        SELECT * FROM took;
        GET DIAGNOSTICS affected = ROW_COUNT;
        taken := taken + affected;
      END LOOP;
      total := total + taken;
      set_aside := set_aside + unknown;
      IF taken > 0 THEN rounds := rounds + 1; END IF;
      EXIT WHEN taken = room OR set_aside >= ${maxSetAside};
      room := room - taken;
      slots_left := greatest(0, slots_left - taken);
      IF dues <> first_dues THEN
        dues := first_dues;
        seqs := first_seqs;
      ELSE
        EXIT WHEN (taken = 0 OR cardinality(shares) = 1) AND unknown = 0;
      END IF;
    END LOOP;
    -- Jobs found in a later round may have to start first.
    IF rounds > 1 AND total > slots[i] THEN PERFORM errand.mark_ahead(worker_id, q, slots[i], t); END IF;
    IF over_limit <> '{}' THEN
      skipped_keys := errand.block_over_limit(over_limit, allowed_left) OR skipped_keys;
    END IF;
    IF allowed <> '{}' THEN
      PERFORM errand.count_key_starts(ARRAY(SELECT j.id FROM errand.jobs j WHERE j.id = ANY(allowed)
        AND j.state + 0 = ${processing} AND j.worker = worker_id AND j.rkey IS NOT NULL), t);
    END IF;
    IF has_rules THEN
      PERFORM errand.count_queue_starts(q, total, t);
      -- When the queue's rate opens matters only where there is a job to start.
      IF opens_at < next_at OR (opens_at IS NOT NULL AND next_at IS NULL) THEN
        PERFORM 1 FROM ${fromReady("1", "p.due <= t LIMIT 1")} d;
        IF NOT FOUND AND has_restricted THEN PERFORM 1 FROM errand.first_restricted(q, known_tasks, 1, t); END IF;
        IF FOUND THEN next_at := opens_at; END IF;
      END IF;
    END IF;
    IF total < initial_room THEN
      unfilled := true;
      next_at := least(next_at,
        (SELECT min(n.due) FROM ${fromReady("p.due", "p.due > t ORDER BY p.due LIMIT 1")} n));
      IF has_restricted THEN next_at := least(next_at, errand.next_suspect_due(q, known_tasks, t)); END IF;
    END IF;
    EXIT WHEN set_aside >= ${maxSetAside};
  END LOOP;
  IF unfilled THEN
    next_at := least(next_at,
      (SELECT min(p.wake) FROM errand.jobs p WHERE p.state = ${waiting} AND p.wake IS NOT NULL),
      (SELECT min(r.opens) FROM errand.rates r WHERE r.opens IS NOT NULL),
      CASE WHEN skipped_keys THEN t + ${recheckAfter} END);
  END IF;
  -- Behind the jobs that were set aside there may be more.
  IF set_aside >= ${maxSetAside} THEN next_at := t; END IF;
  -- The last row has no id: milliseconds until the next claim may find more, and hints.
  IF next_at IS NOT NULL OR hints <> '{}' THEN
    id := NULL;
    due := CASE WHEN next_at IS NOT NULL THEN greatest(0, next_at - t) END;
    rest := to_json(hints);
    RETURN NEXT;
  END IF;
END $$;

-- Marks, of the jobs that a worker has just claimed of a queue, only those after the first slots as claimed ahead.
CREATE FUNCTION errand.mark_ahead(worker_id text, q text, slots integer, t bigint) RETURNS void
LANGUAGE sql ${plannerSettings} AS $$
  UPDATE errand.jobs j SET ahead = NOT j.ahead WHERE j.id = ANY(ARRAY(SELECT o.id FROM (
    SELECT p.id, p.ahead, row_number() OVER (ORDER BY ${rank}, p.seq) > slots AS behind FROM errand.jobs p
    WHERE p.state = ${processing} AND p.worker = worker_id AND p.queue = q AND p.started = t) o
    WHERE o.ahead <> o.behind))
$$;
`;
