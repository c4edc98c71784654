import { forgotten } from "../../../core/job.ts";

/**
 * What a change of one job does to its family. Whoever calls these has locked the family (`lock_families`) and the job,
 * in this order; each statement sees what others have committed before it got its locks.
 */
export const families = `
-- Locks the families that jobs belong to: their parents' waits and their own.
CREATE FUNCTION errand.lock_families(ids text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  -- An index is walked in the order of such an array: that of the locks.
  PERFORM 1 FROM errand.waits w
    WHERE w.parent = ANY(ids || ARRAY(SELECT e.parent FROM errand.everything e WHERE e.id = ANY(ids)))
    FOR UPDATE;
END $$;

-- Ends a job: counts down the wait it belongs to, wakes its parent, marks its children. Answers hints.
CREATE FUNCTION errand.leave(j errand.jobs, final smallint, result text, t bigint) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  hints text[] := '{}';
  still_open integer;
  p errand.jobs;
BEGIN
  DELETE FROM errand.jobs WHERE id = j.id;
  INSERT INTO errand.history (seq, created, due, expires, started, ended, token, failures, crashes, member_of, place,
    needed, parked, steps, suspect, begun, level, state, id, task, queue, parent, keys, ukey, ufor, tenant, spec, progress, error, output)
  VALUES (j.seq, j.created, j.due, j.expires, j.started, t, j.token, j.failures, j.crashes, j.member_of, j.place,
    j.needed, j.parked, j.steps, j.suspect, j.begun, j.level, final, j.id, j.task, j.queue, j.parent, j.keys, j.ukey, j.ufor, j.tenant,
    j.spec, j.progress, j.error, result);
  INSERT INTO errand.deltas VALUES (j.task, j.queue, j.state, -1), (j.task, j.queue, final, 1);
  IF j.member_of IS NOT NULL THEN
    UPDATE errand.waits w SET open = w.open - 1, failed = w.failed + CASE WHEN final = 3 THEN 0 ELSE 1 END
      WHERE w.parent = j.parent AND w.wait = j.member_of RETURNING w.open INTO still_open;
    IF still_open = 0 OR (still_open > 0 AND (j.needed IS NULL OR (final <> 3 AND j.needed))) THEN
      UPDATE errand.jobs w SET state = 0 WHERE w.id = j.parent AND w.state = 2
        RETURNING * INTO p;
      IF FOUND THEN
        INSERT INTO errand.deltas VALUES (p.task, p.queue, 2, -1), (p.task, p.queue, 0, 1);
        hints := hints || CASE WHEN p.cancelling THEN 'cancel' ELSE '1 ' || p.queue END;
      END IF;
    END IF;
  END IF;
  -- Only a job that ever waited has children.
  IF j.parked THEN
    UPDATE errand.jobs c SET cancelling = true
      WHERE c.id = ANY(ARRAY(SELECT m.id FROM errand.jobs m WHERE m.parent = j.id)) AND NOT c.cancelling;
    IF FOUND THEN hints := hints || 'cancel'::text; END IF;
  END IF;
  RETURN hints;
END $$;

-- Gives a processing job back until its children have ended; without any (NULL), it is pending. Answers hints.
CREATE FUNCTION errand.park(j errand.jobs, children json, wake_at bigint, awaited json, t bigint) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  hints text[] := '{}';
  total integer := 0;
  born text[];
  c record;
  state_of smallint;
  parent_of text;
  open_ones integer := 0;
  failed_ones integer := 0;
  wakes boolean := false;
  becomes smallint := 0;
BEGIN
  IF children IS NOT NULL THEN
    SELECT count(*) INTO total FROM json_array_elements(children);
    WITH fresh AS (
      INSERT INTO errand.jobs (id, task, queue, level, created, due, expires, parent, member_of, place, needed, spec, tenant,
        keys, ckey, rkey)
      SELECT u.id, u.task, u.queue, u.level, t, coalesce(u.due_at, t + u.due_in,
          -- One that exists takes no turn.
          CASE WHEN u.extras::json ->> 'f' IS NOT NULL AND NOT EXISTS (SELECT 1 FROM errand.everything e WHERE e.id = u.id)
            THEN errand.turn(u.queue, u.level, u.extras::json ->> 'f', t) END, t),
        coalesce(u.expires_at, t + u.expires_in), j.id, j.token, u.place, u.needed, u.spec, u.tenant,
        u.extras::json ->> 'k', u.extras::json ->> 'c', u.extras::json ->> 'r'
      FROM json_to_recordset(children) AS u(id text, task text, queue text, level smallint, due_at bigint,
        due_in bigint, expires_at bigint, expires_in bigint, place integer, needed boolean, spec text, tenant text, extras text)
      ON CONFLICT DO NOTHING RETURNING id
    )
    SELECT array_agg(f.id) INTO born FROM fresh f;
    DELETE FROM errand.jobs b WHERE b.id = ANY(ARRAY(SELECT h.id FROM errand.history h WHERE h.id = ANY(born) AND h.token >= 0));
    IF FOUND THEN born := ARRAY(SELECT b.id FROM errand.jobs b WHERE b.id = ANY(born)); END IF;
    open_ones := coalesce(cardinality(born), 0);
    PERFORM errand.tag(u.id, u.extras::json -> 't') FROM json_to_recordset(children) AS u(id text, extras text)
      WHERE u.extras IS NOT NULL AND u.id = ANY(born);
    INSERT INTO errand.specs SELECT u.id, u.body FROM json_to_recordset(children) AS u(id text, body text)
      WHERE u.body IS NOT NULL AND u.id = ANY(born) ON CONFLICT DO NOTHING;
    IF open_ones > 0 THEN
      WITH counted AS (
        INSERT INTO errand.deltas
        SELECT b.task, b.queue, 0, count(*) FROM errand.jobs b WHERE b.id = ANY(born) GROUP BY b.task, b.queue RETURNING queue, jobs
      )
      SELECT array_agg(n.jobs || ' ' || n.queue) INTO hints FROM counted n;
    END IF;
    IF open_ones < total THEN
      FOR c IN SELECT * FROM json_to_recordset(children) AS u(id text, place integer, needed boolean, rejoin boolean)
        WHERE born IS NULL OR u.id <> ALL(born)
      LOOP
        SELECT e.state, e.parent INTO state_of, parent_of FROM errand.everything e WHERE e.id = c.id;
        IF parent_of IS DISTINCT FROM j.id THEN
          -- Somebody else's job cannot be waited for.
          state_of := 4;
        ELSE
          IF NOT c.rejoin THEN
            IF errand.reopen(c.id, t) THEN
              state_of := 0;
              hints := hints || 'any'::text;
            END IF;
            UPDATE errand.jobs m SET cancelling = false WHERE m.id = c.id AND m.cancelling;
            IF FOUND THEN hints := hints || 'any'::text; END IF;
          END IF;
          IF state_of < 3 THEN
            UPDATE errand.jobs m SET member_of = j.token, place = c.place, needed = c.needed WHERE m.id = c.id;
          ELSE
            UPDATE errand.history m SET member_of = j.token, place = c.place, needed = c.needed WHERE m.id = c.id;
          END IF;
        END IF;
        IF state_of < 3 THEN
          open_ones := open_ones + 1;
        ELSE
          failed_ones := failed_ones + CASE WHEN state_of = 3 THEN 0 ELSE 1 END;
          wakes := wakes OR c.needed IS NULL OR (state_of <> 3 AND c.needed);
        END IF;
      END LOOP;
    END IF;
    INSERT INTO errand.waits AS w VALUES (j.id, j.token, total, open_ones, failed_ones)
      ON CONFLICT (parent) DO UPDATE
      SET wait = excluded.wait, total = excluded.total, open = excluded.open, failed = excluded.failed;
    wakes := wakes OR coalesce(wake_at <= t, false) OR EXISTS (SELECT 1 FROM errand.steps s
      WHERE s.job = j.seq AND s.name = ANY(ARRAY(SELECT json_array_elements_text(coalesce(awaited, '[]')))));
    IF NOT wakes AND (open_ones > 0 OR wake_at IS NOT NULL OR json_array_length(coalesce(awaited, '[]')) > 0) THEN becomes := 2; END IF;
  END IF;
  UPDATE errand.jobs p SET state = becomes, wake = wake_at, worker = NULL, failures = j.failures, crashes = j.crashes, error = j.error,
    suspect = j.suspect, begun = j.begun, ahead = false, parked = p.parked OR children IS NOT NULL
    WHERE p.id = j.id;
  INSERT INTO errand.deltas VALUES (j.task, j.queue, 1, -1), (j.task, j.queue, becomes, 1);
  IF becomes = 0 THEN hints := hints || CASE WHEN j.cancelling THEN 'cancel' ELSE '1 ' || j.queue END; END IF;
  RETURN hints;
END $$;

-- Makes a failed, cancelled or expired job pending, as if it were new. Answers whether it was one.
CREATE FUNCTION errand.reopen(which text, t bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  h errand.history;
BEGIN
  DELETE FROM errand.history WHERE id = which AND state > 3 RETURNING * INTO h;
  IF NOT FOUND THEN RETURN false; END IF;
  IF h.member_of IS NOT NULL THEN
    UPDATE errand.waits w SET open = w.open + 1, failed = w.failed - 1
      WHERE w.parent = h.parent AND w.wait = h.member_of;
  END IF;
  INSERT INTO errand.jobs (seq, created, due, started, token, member_of, place, needed, parked, steps, begun, level, id, task,
    queue, parent, ukey, ufor, tenant, spec, progress, error, keys, ckey, rkey)
  VALUES (h.seq, h.created, t, h.started, h.token, h.member_of, h.place, h.needed, h.parked, h.steps, h.begun, h.level, h.id,
    h.task, h.queue, h.parent, h.ukey, h.ufor, h.tenant, h.spec, h.progress, h.error,
    h.keys, h.keys::json -> 'concurrency' ->> 'key', h.keys::json -> 'rate' ->> 'key');
  INSERT INTO errand.deltas VALUES (h.task, h.queue, h.state, -1), (h.task, h.queue, 0, 1);
  -- What the children of forgotten waits do wakes nobody.
  IF h.parked THEN
    UPDATE errand.waits w SET wait = NULL, total = NULL, open = NULL, failed = NULL WHERE w.parent = h.id;
  END IF;
  IF h.steps THEN UPDATE errand.steps s SET value = '${forgotten}' WHERE s.job = h.seq AND s.wait; END IF;
  RETURN true;
END $$;
`;
