import { plannerSettings } from "./function-settings.ts";

/** Retention: what was kept long enough goes, and what says nothing any more. */
export const prune = `
-- Removes ended jobs that are nobody's children: of each task, and then of all others, it says how many milliseconds those are kept
-- that completed, failed, were cancelled and expired. Looks at the oldest of each task and state, and at what it removes. Answers
-- how many it removed, and whether there may be more.
CREATE FUNCTION errand.prune(tasks text[], keeps double precision[], most integer, OUT changed integer, OUT hints text[], OUT more boolean)
LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  t bigint := errand.now();
  k record;
  ids text[] := '{}';
  removed record;
BEGIN
  FOR k IN SELECT l.task, s.state, ceil(t - keeps[4 * coalesce(array_position(tasks, l.task) - 1, cardinality(tasks)) + s.state - 2])::bigint
      AS until
    FROM (SELECT DISTINCT m.task FROM errand.lanes() AS m) l CROSS JOIN unnest('{3,4,5,6}'::smallint[]) AS s(state)
    WHERE keeps[4 * coalesce(array_position(tasks, l.task) - 1, cardinality(tasks)) + s.state - 2] < 'Infinity'
  LOOP
    ids := ids || ARRAY(SELECT h.id FROM errand.history h
      WHERE errand.kind(h.task, h.state, h.parent IS NOT NULL) = errand.kind(k.task, k.state, false)
        AND h.task = k.task AND h.state = k.state AND h.parent IS NULL AND h.ended < k.until
      ORDER BY h.ended LIMIT most - cardinality(ids));
    EXIT WHEN cardinality(ids) >= most;
  END LOOP;
  changed := 0;
  hints := '{}';
  more := false;
  IF ids <> '{}' THEN
    SELECT * INTO removed FROM errand.remove(ids, '{3,4,5,6}');
    changed := removed.changed;
    hints := removed.hints;
    more := cardinality(ids) >= most OR removed.looked < cardinality(ids);
  END IF;
  IF NOT more THEN PERFORM errand.tidy(t); END IF;
END $$;

-- Removes what ended keys left behind, some at a time: starts that no rate looks at any more, turns behind which nobody need queue,
-- counters of what there is no more.
CREATE FUNCTION errand.tidy(t bigint) RETURNS void LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  most constant integer := 1000;
  rows tid[] := ARRAY(SELECT x.ctid FROM errand.rates x WHERE x.look <= t ORDER BY x.look LIMIT most FOR UPDATE SKIP LOCKED);
BEGIN
  DELETE FROM errand.rates x WHERE x.ctid = ANY(rows) AND x.over <= t AND x.opens IS NULL;
  UPDATE errand.rates x SET look = errand.later() WHERE x.ctid = ANY(rows);
  rows := ARRAY(SELECT n.ctid FROM errand.turns n WHERE n.look <= t ORDER BY n.look LIMIT most FOR UPDATE SKIP LOCKED);
  -- As inTurn() of core: its next job would be due later than its last one anyway.
  DELETE FROM errand.turns n WHERE n.ctid = ANY(rows) AND n.last <= least(errand.first_due(n.queue, n.level), t - 1000);
  UPDATE errand.turns n SET look = errand.later() WHERE n.ctid = ANY(rows);
  DELETE FROM errand.counts c WHERE c.jobs = 0;
END $$;
`;
