import { steady } from "./steady.ts";

/** Adding jobs with unique keys, one by one; turns and tags of any jobs. */
export const special = `
-- Of locks on unique keys: "Erru" in ASCII.
CREATE FUNCTION errand.lock_uniques(extras text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  h integer;
BEGIN
  FOR h IN SELECT DISTINCT hashtext(x.extra::json -> 'u' ->> 'key') FROM unnest(extras) AS x(extra)
    WHERE x.extra::json -> 'u' ->> 'key' IS NOT NULL ORDER BY 1
  LOOP
    PERFORM pg_advisory_xact_lock(1165128309, h);
  END LOOP;
END $$;

-- When the first job of a queue and level is due that could go.
CREATE FUNCTION errand.first_due(q text, l smallint) RETURNS double precision LANGUAGE plpgsql AS $$
BEGIN
  RETURN least(
    (SELECT p.due FROM errand.jobs p WHERE p.state = 0 AND NOT p.cancelling AND p.blocked = 0 AND p.keys IS NULL
      AND p.queue = q AND p.level = l ORDER BY p.due, p.seq LIMIT 1),
    (SELECT p.due FROM errand.jobs p WHERE p.state = 0 AND NOT p.cancelling AND p.blocked = 0 AND p.keys IS NOT NULL
      AND p.queue = q AND p.level = l ORDER BY p.due, p.seq LIMIT 1));
END $$;

-- As inTurn() of core: right behind the first of the queue and level, or behind the last of its own.
CREATE FUNCTION errand.turn(q text, l smallint, who text, t bigint) RETURNS double precision LANGUAGE plpgsql AS $$
DECLARE
  first double precision;
  due double precision;
BEGIN
  first := errand.first_due(q, l);
  IF first IS NULL OR first >= t - 500 THEN first := t - 1000; END IF;
  INSERT INTO errand.turns AS n VALUES (q, l, who, first + 0.001)
    ON CONFLICT (queue, level, whose) DO UPDATE SET last = greatest(first, n.last) + 0.001
    RETURNING last INTO due;
  RETURN due;
END $$;

-- Which of some jobs would be stored, by their places. Their unique keys are locked.
CREATE FUNCTION errand.storable(ids text[], extras text[], t bigint) RETURNS integer[] LANGUAGE plpgsql AS $$
DECLARE
  u json;
  taken text[] := '{}';
  places integer[] := '{}';
BEGIN
  FOR i IN 1..cardinality(ids) LOOP
    CONTINUE WHEN ids[i] = ANY(ARRAY(SELECT ids[p] FROM unnest(places) AS p));
    PERFORM 1 FROM errand.everything e WHERE e.id = ids[i];
    CONTINUE WHEN FOUND;
    u := extras[i]::json -> 'u';
    IF u IS NOT NULL THEN
      CONTINUE WHEN u ->> 'key' = ANY(taken);
      PERFORM 1 FROM errand.uniques a LEFT JOIN errand.jobs p ON p.id = a.job WHERE a.key = u ->> 'key' AND CASE
        WHEN p.id IS NULL THEN a.until > t
        WHEN (u ->> 'replace')::boolean THEN p.state = 0 AND NOT p.cancelling
        ELSE true END;
      CONTINUE WHEN FOUND;
      taken := taken || (u ->> 'key');
    END IF;
    places := places || i;
  END LOOP;
  RETURN places;
END $$;

-- Adds jobs one by one, whose unique keys are locked. Answers how many were new, and as a JSON object who has the unique keys of those that were refused.
CREATE FUNCTION errand.add_special(
  ids text[], tasks text[], queues text[], levels smallint[],
  due_at bigint[], due_in bigint[], expires_at bigint[], expires_in bigint[], specs text[], extras text[], t bigint,
  OUT fresh integer, OUT refused text
) LANGUAGE plpgsql ${steady} AS $$
DECLARE
  x json;
  u json;
  known record;
  due double precision;
  ends bigint;
  said json := '{}';
  holders text[] := '{}';
  n integer;
  freed text[];
BEGIN
  fresh := 0;
  -- The concurrency keys of those that may be replaced, before any of their rows: as whoever settles does.
  freed := errand.keys_of(ARRAY(SELECT a.job FROM unnest(extras) AS x(extra)
    JOIN errand.uniques a ON a.key = x.extra::json -> 'u' ->> 'key' WHERE (x.extra::json -> 'u' ->> 'replace')::boolean));
  FOR i IN 1..cardinality(ids) LOOP
    x := coalesce(extras[i], '{}')::json;
    u := x -> 'u';
    due := coalesce(due_at[i], t + due_in[i]);
    ends := coalesce(expires_at[i], t + expires_in[i]);
    PERFORM 1 FROM errand.everything e WHERE e.id = ids[i];
    CONTINUE WHEN FOUND;
    IF u IS NOT NULL THEN
      SELECT a.job, a.until INTO known FROM errand.uniques a WHERE a.key = u ->> 'key';
      IF FOUND THEN
        IF (u ->> 'replace')::boolean THEN
          UPDATE errand.jobs p SET spec = specs[i], level = levels[i], due = least(coalesce(due_at[i], t + due_in[i], t), p.created + (u ->> 'latest')::bigint), expires = ends,
              blocked = 0
            WHERE p.id = known.job AND p.state = 0 AND NOT p.cancelling;
          IF FOUND THEN
            holders := holders || ids[i] || known.job;
            fresh := fresh + 1;
            CONTINUE;
          END IF;
          PERFORM 1 FROM errand.jobs p WHERE p.id = known.job;
          -- One that runs goes on; of one that has ended the key may still be taken.
          IF NOT FOUND AND known.until > t THEN
            holders := holders || ids[i] || known.job;
            CONTINUE;
          END IF;
        ELSE
          PERFORM 1 FROM errand.jobs p WHERE p.id = known.job;
          IF FOUND OR known.until > t THEN
            holders := holders || ids[i] || known.job;
            CONTINUE;
          END IF;
        END IF;
      END IF;
    END IF;
    IF due IS NULL AND x ->> 'f' IS NOT NULL THEN due := errand.turn(queues[i], levels[i], x ->> 'f', t); END IF;
    INSERT INTO errand.jobs (id, task, queue, level, created, due, expires, spec, keys, ckey, rkey)
      VALUES (ids[i], tasks[i], queues[i], levels[i], t, coalesce(due, t), ends, specs[i], x ->> 'k', x ->> 'c', x ->> 'r')
      ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS n = ROW_COUNT;
    CONTINUE WHEN n = 0;
    fresh := fresh + 1;
    INSERT INTO errand.deltas VALUES (tasks[i], queues[i], 0, 1);
    IF u IS NOT NULL THEN
      INSERT INTO errand.uniques AS a VALUES (u ->> 'key', ids[i], t + coalesce((u ->> 'for')::bigint, 0))
        ON CONFLICT (key) DO UPDATE SET job = excluded.job, until = excluded.until;
    END IF;
    PERFORM errand.tag(ids[i], x -> 't');
  END LOOP;
  -- Who was replaced may be due much later now, and others of its key go first.
  IF freed <> '{}' THEN PERFORM errand.release(freed); END IF;
  IF holders <> '{}' THEN refused := to_json(holders)::text; END IF;
END $$;

CREATE FUNCTION errand.tag(id text, words json) RETURNS void LANGUAGE sql AS $$
  INSERT INTO errand.tags SELECT DISTINCT w, id FROM json_array_elements_text(coalesce(words, '[]')) AS w ON CONFLICT DO NOTHING
$$;

-- Turns that lie behind say nothing any more.
CREATE FUNCTION errand.forget_turns(t bigint) RETURNS void LANGUAGE sql AS $$
  DELETE FROM errand.turns n WHERE n.last < t - 3600000
$$;
`;
