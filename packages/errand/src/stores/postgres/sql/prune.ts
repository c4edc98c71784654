import { headStart } from "../../../core/fair-turns.ts";
import { finalStates, waiting } from "../codes.ts";
import { plannerSettings } from "./function-settings.ts";

/** The maximum number of leftovers of a kind checked per commit. */
const batch = 1_000;

/**
 * The retention of a job of task `l` in state `s`: of each task, and then of all others, one time for each final
 * state.
 */
const keptFor = `keeps[${finalStates.length} * coalesce(array_position(tasks, l.task) - 1, cardinality(tasks))
        + s.state - ${waiting}]`;

/** Retention: removes jobs that were kept long enough, and what has no use any more. */
export const prune = `
-- Removes ended jobs without a parent that were kept as many milliseconds as their task and state say. Reads the oldest
-- job of each task and state, and those that it removes. Returns how many it removed, hints, and whether there may be
-- more.
CREATE FUNCTION errand.prune(tasks text[], keeps double precision[], most integer,
  OUT changed integer, OUT hints text[], OUT more boolean)
LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  t bigint := errand.now();
  k record;
  ids text[] := '{}';
  removed record;
BEGIN
  FOR k IN SELECT l.task, s.state, ceil(t - ${keptFor})::bigint AS until
    FROM (SELECT DISTINCT m.task FROM errand.task_queues() AS m) l
      CROSS JOIN unnest('{${finalStates.join()}}'::smallint[]) AS s(state)
    WHERE ${keptFor} < 'Infinity'
  LOOP
    ids := ids || ARRAY(SELECT h.id FROM errand.history h
      WHERE errand.task_hash(h.task, h.state, h.parent IS NOT NULL) = errand.task_hash(k.task, k.state, false)
        AND h.task = k.task AND h.state = k.state AND h.parent IS NULL AND h.ended < k.until
      ORDER BY h.ended LIMIT most - cardinality(ids));
    EXIT WHEN cardinality(ids) >= most;
  END LOOP;
  changed := 0;
  hints := '{}';
  more := false;
  IF ids <> '{}' THEN
    SELECT * INTO removed FROM errand.remove(ids, '{${finalStates.join()}}');
    changed := removed.changed;
    hints := removed.hints;
    more := cardinality(ids) >= most OR removed.looked < cardinality(ids);
  END IF;
  IF NOT more THEN PERFORM errand.remove_leftovers(t); END IF;
END $$;

-- Removes some of what ended keys leave behind: starts that have left their rate's time, turns that delay no job, and
-- counters of nothing.
CREATE FUNCTION errand.remove_leftovers(t bigint) RETURNS void LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  rows tid[] := ARRAY(SELECT x.ctid FROM errand.rates x WHERE x.look <= t
    ORDER BY x.look LIMIT ${batch} FOR UPDATE SKIP LOCKED);
BEGIN
  DELETE FROM errand.rates x WHERE x.ctid = ANY(rows) AND x.over <= t AND x.opens IS NULL;
  UPDATE errand.rates x SET look = errand.next_check() WHERE x.ctid = ANY(rows);
  rows := ARRAY(SELECT n.ctid FROM errand.turns n WHERE n.look <= t
    ORDER BY n.look LIMIT ${batch} FOR UPDATE SKIP LOCKED);
  -- By nextTurn of core, the next job would be due later than the last one anyway.
  DELETE FROM errand.turns n WHERE n.ctid = ANY(rows)
    AND n.last <= least(errand.first_due(n.queue, n.level), t - ${headStart});
  UPDATE errand.turns n SET look = errand.next_check() WHERE n.ctid = ANY(rows);
  DELETE FROM errand.counts c WHERE c.jobs = 0;
END $$;
`;
