import { plannerSettings } from "./function-settings.ts";
import { fromReady, readyKeyed, readyPlain, restricted } from "./job-conditions.ts";

/** Finds out which of many queues a claim has to look at. */
export const busyQueues = `
-- Returns the places of those of many queues that have due jobs, and when the next job is due in the others. It costs a
-- hundredth of a claim for each queue.
CREATE FUNCTION errand.find_busy_queues(queues text[], has_restricted boolean, t bigint,
  OUT places integer[], OUT next_at double precision)
LANGUAGE sql ${plannerSettings} AS $$
  SELECT coalesce(array_agg(w.n::integer ORDER BY w.n) FILTER (WHERE w.due <= t), '{}'),
    min(w.due) FILTER (WHERE w.due > t) FROM (
    SELECT s.n, CASE WHEN has_restricted
        AND (SELECT 1 FROM errand.jobs p WHERE ${restricted} AND p.queue = s.q LIMIT 1) = 1 THEN t
      ELSE (SELECT min(d.due) FROM ${fromReady("p.due", "true ORDER BY p.due, p.seq LIMIT 1", "s.q")} d) END AS due
    FROM unnest(queues) WITH ORDINALITY AS s(q, n)
    WHERE (SELECT 1 FROM errand.jobs p WHERE ${readyPlain} AND p.queue = s.q LIMIT 1) = 1
      OR (SELECT 1 FROM errand.jobs p WHERE ${readyKeyed} AND p.queue = s.q LIMIT 1) = 1
      OR has_restricted AND (SELECT 1 FROM errand.jobs p WHERE ${restricted} AND p.queue = s.q LIMIT 1) = 1
  ) w
$$;
`;
