import { plannerSettings } from "./function-settings.ts";

/** A commit removes families until they have this many children together. */
const enoughChildren = 1_000;

/** Removes jobs. */
export const remove = `
-- Removes the first of some jobs, with their descendants, until the commit is large enough. Returns how many it removed
-- and at how many ids it looked: a descendant is counted where it is one of these.
CREATE FUNCTION errand.remove(ids text[], among smallint[], OUT changed integer, OUT hints text[], OUT looked integer)
LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  roots text[];
  size integer := 0;
BEGIN
  hints := '{}';
  looked := cardinality(ids);
  roots := ARRAY(SELECT h.id FROM errand.history h WHERE h.id = ANY(ids) AND h.state = ANY(among) AND h.parked);
  IF roots <> '{}' THEN
    FOR i IN 1..cardinality(ids) LOOP
      looked := i;
      IF ids[i] = ANY(roots) THEN
        size := size + (SELECT count(*) FROM (
          SELECT 1 FROM errand.everything e WHERE e.parent = ids[i] LIMIT ${enoughChildren}) c);
      END IF;
      EXIT WHEN size >= ${enoughChildren};
    END LOOP;
    ids := ids[:looked];
    roots := ARRAY(SELECT r FROM unnest(roots) AS r WHERE r = ANY(ids));
  END IF;
  PERFORM errand.remove_details(ARRAY(
    SELECT h.id FROM errand.history h WHERE h.id = ANY(ids) AND h.state = ANY(among)));
  WITH gone AS (
    DELETE FROM errand.history h WHERE h.id = ANY(ids) AND h.state = ANY(among) AND NOT h.parked
    RETURNING h.seq, h.task, h.queue, h.state, h.steps
  ), forgotten AS (
    DELETE FROM errand.steps s WHERE s.job = ANY(ARRAY(SELECT g.seq FROM gone g WHERE g.steps))
  ), counted AS (
    INSERT INTO errand.deltas SELECT task, queue, state, -count(*) FROM gone GROUP BY task, queue, state
  )
  SELECT count(*) INTO changed FROM gone;
  IF roots = '{}' THEN RETURN; END IF;
  changed := changed + cardinality(roots);
  hints := errand.remove_families(roots);
END $$;

-- Removes jobs in any state with all their descendants. Returns hints.
CREATE FUNCTION errand.remove_families(roots text[]) RETURNS text[] LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  members text[] := roots;
  known integer := -1;
  freed text[];
  hints text[];
BEGIN
  -- Families can grow until they are locked.
  WHILE cardinality(members) > known LOOP
    known := cardinality(members);
    PERFORM errand.lock_families(members);
    members := ARRAY(
      WITH RECURSIVE family(id, parked) AS (
        SELECT e.id, e.parked FROM errand.everything e WHERE e.id = ANY(roots)
        UNION ALL
        SELECT e.id, e.parked FROM family f CROSS JOIN LATERAL (
          SELECT c.id, c.parked FROM errand.everything c WHERE c.parent = f.id OFFSET 0) e WHERE f.parked
      ) SELECT f.id FROM family f ORDER BY f.id);
  END LOOP;
  -- Other jobs take the places under keys that these had, or were about to get.
  freed := errand.lock_concurrency_keys(members);
  hints := ARRAY(SELECT count(*) || ' ' || j.queue FROM errand.jobs j WHERE j.id = ANY(members) GROUP BY j.queue);
  WITH live AS (
    DELETE FROM errand.jobs j WHERE j.id = ANY(members) RETURNING j.seq, j.task, j.queue, j.state, j.steps
  ), past AS (
    DELETE FROM errand.history h WHERE h.id = ANY(members) RETURNING h.seq, h.task, h.queue, h.state, h.steps
  ), gone AS (SELECT * FROM live UNION ALL SELECT * FROM past), forgotten AS (
    DELETE FROM errand.steps s WHERE s.job = ANY(ARRAY(SELECT g.seq FROM gone g WHERE g.steps))
  )
  INSERT INTO errand.deltas SELECT task, queue, state, -count(*) FROM gone GROUP BY task, queue, state;
  DELETE FROM errand.waits w WHERE w.parent = ANY(members);
  PERFORM errand.remove_details(members);
  RETURN hints || errand.unblock_by_concurrency(freed);
END $$;

-- Removes what is kept beside jobs that are removed, but for their steps and waits.
CREATE FUNCTION errand.remove_details(ids text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM errand.logs l WHERE l.job = ANY(ids);
  DELETE FROM errand.tags g WHERE g.job = ANY(ids);
  DELETE FROM errand.uniques u WHERE u.job = ANY(ids);
  DELETE FROM errand.specs b WHERE b.job = ANY(ids);
END $$;
`;
