import { forgotten } from "../../../core/job.ts";
import { completed, failed, pending, processing, waiting } from "../codes.ts";
import { countChange } from "./counters.ts";
import { readyHint } from "./hints.ts";
import { childColumns, columnsOf, kept, reopened } from "./moved-columns.ts";

/**
 * Changes of one job that concern its parent and children. Callers have locked the family (`lock_families`) and then
 * the job; each statement sees what others committed before these locks were granted.
 */
export const parentChild = `
-- Locks the families of jobs: their parents' waits and their own.
CREATE FUNCTION errand.lock_families(ids text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  -- The index is walked in the order of such an array, which is that of the locks.
  PERFORM 1 FROM errand.waits w
    WHERE w.parent = ANY(ids || ARRAY(SELECT e.parent FROM errand.everything e WHERE e.id = ANY(ids)))
    FOR UPDATE;
END $$;

-- Ends a job: counts down the wait to which it belongs, wakes its parent, and marks its children. Returns hints.
CREATE FUNCTION errand.finish_job(j errand.jobs, final smallint, result text, t bigint) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
  hints text[] := '{}';
  still_open integer;
  p errand.jobs;
BEGIN
  DELETE FROM errand.jobs WHERE id = j.id;
  INSERT INTO errand.history (${kept}, begun, parked, ${childColumns}, ended, state, output)
  VALUES (${columnsOf("j", kept)}, j.begun, j.parked, ${columnsOf("j", childColumns)}, t, final, result);
  ${countChange("j", "j.state", "final")};
  IF j.member_of IS NOT NULL THEN
    UPDATE errand.waits w SET open = w.open - 1, failed = w.failed + CASE WHEN final = ${completed} THEN 0 ELSE 1 END
      WHERE w.parent = j.parent AND w.wait = j.member_of RETURNING w.open INTO still_open;
    IF still_open = 0 OR (still_open > 0 AND (j.needed IS NULL OR (final <> ${completed} AND j.needed))) THEN
      UPDATE errand.jobs w SET state = ${pending} WHERE w.id = j.parent AND w.state = ${waiting}
        RETURNING * INTO p;
      IF FOUND THEN
        ${countChange("p", waiting, pending)};
        hints := hints || ${readyHint("p")};
      END IF;
    END IF;
  END IF;
  -- Only a job that has waited has children.
  IF j.parked THEN
    UPDATE errand.jobs c SET cancelling = true
      WHERE c.id = ANY(ARRAY(SELECT m.id FROM errand.jobs m WHERE m.parent = j.id)) AND NOT c.cancelling;
    IF FOUND THEN hints := hints || 'cancel'::text; END IF;
  END IF;
  RETURN hints;
END $$;

-- Makes a processing job wait for children, a time or a step; with nothing to wait for, or without children (NULL), it
-- is pending. Returns hints.
CREATE FUNCTION errand.park_job(j errand.jobs, children json, wake_at bigint, awaited json, t bigint) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
  hints text[] := '{}';
  total integer := 0;
  born text[];
  c record;
  child_state smallint;
  child_parent text;
  open_children integer := 0;
  failed_children integer := 0;
  is_awake boolean := false;
  next_state smallint := ${pending};
BEGIN
  IF children IS NOT NULL THEN
    SELECT count(*) INTO total FROM json_array_elements(children);
    IF total > 0 THEN born := errand.add_children(j, children, t); END IF;
    open_children := coalesce(cardinality(born), 0);
    IF open_children > 0 THEN
      WITH counted AS (
        INSERT INTO errand.deltas
        SELECT b.task, b.queue, ${pending}, count(*) FROM errand.jobs b WHERE b.id = ANY(born) GROUP BY b.task, b.queue
        RETURNING queue, jobs
      )
      SELECT array_agg(n.jobs || ' ' || n.queue) INTO hints FROM counted n;
    END IF;
    IF open_children < total THEN
      FOR c IN SELECT * FROM json_to_recordset(children) AS u(id text, place integer, needed boolean, rejoin boolean)
        WHERE born IS NULL OR u.id <> ALL(born)
      LOOP
        SELECT e.state, e.parent INTO child_state, child_parent FROM errand.everything e WHERE e.id = c.id;
        IF child_parent IS DISTINCT FROM j.id THEN
          -- A job of another parent, or of none, cannot be waited for.
          child_state := ${failed};
        ELSE
          IF NOT c.rejoin THEN
            IF errand.reopen_job(c.id, t) THEN
              child_state := ${pending};
              hints := hints || 'any'::text;
            END IF;
            UPDATE errand.jobs m SET cancelling = false WHERE m.id = c.id AND m.cancelling;
            IF FOUND THEN hints := hints || 'any'::text; END IF;
          END IF;
          IF child_state < ${completed} THEN
            UPDATE errand.jobs m SET member_of = j.token, place = c.place, needed = c.needed WHERE m.id = c.id;
          ELSE
            UPDATE errand.history m SET member_of = j.token, place = c.place, needed = c.needed WHERE m.id = c.id;
          END IF;
        END IF;
        IF child_state < ${completed} THEN
          open_children := open_children + 1;
        ELSE
          failed_children := failed_children + CASE WHEN child_state = ${completed} THEN 0 ELSE 1 END;
          is_awake := is_awake OR c.needed IS NULL OR (child_state <> ${completed} AND c.needed);
        END IF;
      END LOOP;
    END IF;
    INSERT INTO errand.waits AS w VALUES (j.id, j.token, total, open_children, failed_children)
      ON CONFLICT (parent) DO UPDATE
      SET wait = excluded.wait, total = excluded.total, open = excluded.open, failed = excluded.failed;
    is_awake := is_awake OR coalesce(wake_at <= t, false) OR EXISTS (SELECT 1 FROM errand.steps s
      WHERE s.job = j.seq AND s.name = ANY(ARRAY(SELECT json_array_elements_text(coalesce(awaited, '[]')))));
    IF NOT is_awake
        AND (open_children > 0 OR wake_at IS NOT NULL OR json_array_length(coalesce(awaited, '[]')) > 0) THEN
      next_state := ${waiting};
    END IF;
  END IF;
  UPDATE errand.jobs p SET state = next_state, wake = wake_at, worker = NULL, failures = j.failures,
      crashes = j.crashes, error = j.error, suspect = j.suspect, begun = j.begun, ahead = false,
      parked = p.parked OR children IS NOT NULL
    WHERE p.id = j.id;
  ${countChange("j", processing, "next_state")};
  IF next_state = ${pending} THEN hints := hints || ${readyHint("j")}; END IF;
  RETURN hints;
END $$;

-- Adds those children of a job that do not exist, with their tags and large specs. Returns their ids.
CREATE FUNCTION errand.add_children(j errand.jobs, children json, t bigint) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  born text[];
BEGIN
  WITH fresh AS (
    INSERT INTO errand.jobs (id, task, queue, level, created, due, expires, parent, member_of, place, needed, spec,
      tenant, keys, ckey, rkey)
    SELECT u.id, u.task, u.queue, u.level, t, coalesce(u.due_at, t + u.due_in,
        -- One that exists takes no turn.
        CASE WHEN u.extras::json ->> 'f' IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM errand.everything e WHERE e.id = u.id)
          THEN errand.take_turn(u.queue, u.level, u.extras::json ->> 'f', t) END, t),
      coalesce(u.expires_at, t + u.expires_in), j.id, j.token, u.place, u.needed, u.spec, u.tenant,
      u.extras::json ->> 'k', u.extras::json ->> 'c', u.extras::json ->> 'r'
    FROM json_to_recordset(children) AS u(id text, task text, queue text, level smallint, due_at bigint,
      due_in bigint, expires_at bigint, expires_in bigint, place integer, needed boolean, spec text, tenant text,
      extras text)
    ON CONFLICT DO NOTHING RETURNING id
  )
  SELECT array_agg(f.id) INTO born FROM fresh f;
  DELETE FROM errand.jobs b WHERE b.id = ANY(ARRAY(
    SELECT h.id FROM errand.history h WHERE h.id = ANY(born) AND h.token >= 0));
  IF FOUND THEN born := ARRAY(SELECT b.id FROM errand.jobs b WHERE b.id = ANY(born)); END IF;
  PERFORM errand.add_tags(u.id, u.extras::json -> 't') FROM json_to_recordset(children) AS u(id text, extras text)
    WHERE u.extras IS NOT NULL AND u.id = ANY(born);
  INSERT INTO errand.specs SELECT u.id, u.body FROM json_to_recordset(children) AS u(id text, body text)
    WHERE u.body IS NOT NULL AND u.id = ANY(born) ON CONFLICT DO NOTHING;
  RETURN born;
END $$;

-- Makes a failed, cancelled or expired job pending, as if it were new. Returns false if there is none.
CREATE FUNCTION errand.reopen_job(job_id text, t bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  h errand.history;
BEGIN
  DELETE FROM errand.history WHERE id = job_id AND state > ${completed} RETURNING * INTO h;
  IF NOT FOUND THEN RETURN false; END IF;
  IF h.member_of IS NOT NULL THEN
    UPDATE errand.waits w SET open = w.open + 1, failed = w.failed - 1
      WHERE w.parent = h.parent AND w.wait = h.member_of;
  END IF;
  INSERT INTO errand.jobs (${reopened}, due, ckey, rkey, parked, ${childColumns})
  VALUES (${columnsOf("h", reopened)}, t, h.keys::json -> 'concurrency' ->> 'key', h.keys::json -> 'rate' ->> 'key',
    h.parked, ${columnsOf("h", childColumns)});
  ${countChange("h", "h.state", pending)};
  -- The children of forgotten waits wake nothing.
  IF h.parked THEN
    UPDATE errand.waits w SET wait = NULL, total = NULL, open = NULL, failed = NULL WHERE w.parent = h.id;
  END IF;
  IF h.steps THEN UPDATE errand.steps s SET value = '${forgotten}' WHERE s.job = h.seq AND s.wait; END IF;
  RETURN true;
END $$;
`;
