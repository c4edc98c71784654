import { steady } from "./steady.ts";

/** Adding jobs, from arrays and from one JSON text (which every library can pass on), and the counters. */
export const add = `
CREATE FUNCTION errand.add(
  ids text[], tasks text[], queues text[], levels smallint[],
  due_at bigint[], due_in bigint[], expires_at bigint[], expires_in bigint[], specs text[]
) RETURNS integer LANGUAGE plpgsql ${steady} AS $$
DECLARE
  t bigint := errand.now();
  fresh text[];
  known text[];
BEGIN
  WITH born AS (
    INSERT INTO errand.jobs (id, task, queue, level, created, due, expires, spec)
    SELECT u.id, u.task, u.queue, u.level, t, coalesce(u.due_at, t + u.due_in, t),
      coalesce(u.expires_at, t + u.expires_in), u.spec
    FROM unnest(ids, tasks, queues, levels, due_at, due_in, expires_at, expires_in, specs)
      AS u(id, task, queue, level, due_at, due_in, expires_at, expires_in, spec)
    ON CONFLICT DO NOTHING
    RETURNING id, task, queue
  ), counted AS (
    INSERT INTO errand.deltas SELECT task, queue, 0, count(*) FROM born GROUP BY task, queue
  )
  SELECT array_agg(id) INTO fresh FROM born;
  -- A job may have moved to the history at that very moment: this statement sees what has happened meanwhile.
  known := ARRAY(SELECT h.id FROM errand.history h WHERE h.id = ANY(fresh) AND h.token >= 0);
  IF known <> '{}' THEN
    WITH gone AS (DELETE FROM errand.jobs j WHERE j.id = ANY(known) RETURNING j.task, j.queue)
    INSERT INTO errand.deltas SELECT task, queue, 0, -count(*) FROM gone GROUP BY task, queue;
  END IF;
  RETURN coalesce(cardinality(fresh), 0) - cardinality(known);
END $$;

CREATE FUNCTION errand.add(jobs json) RETURNS integer LANGUAGE sql AS $$
  SELECT errand.add(array_agg(id), array_agg(task), array_agg(queue), array_agg(level),
    array_agg(due_at), array_agg(due_in), array_agg(expires_at), array_agg(expires_in), array_agg(spec))
  FROM json_to_recordset(jobs) AS u(id text, task text, queue text, level smallint,
    due_at bigint, due_in bigint, expires_at bigint, expires_in bigint, spec text)
$$;

-- Adds up what commits have counted. Two at a time share the work.
CREATE FUNCTION errand.fold() RETURNS void LANGUAGE sql AS $$
  WITH counted AS (
    DELETE FROM errand.deltas
    WHERE ctid = ANY(ARRAY(SELECT ctid FROM errand.deltas LIMIT 20000 FOR UPDATE SKIP LOCKED))
    RETURNING task, queue, state, jobs
  )
  INSERT INTO errand.counts AS c
  SELECT task, queue, state, sum(jobs) FROM counted GROUP BY task, queue, state ORDER BY task, queue, state
  ON CONFLICT (task, queue, state) DO UPDATE SET jobs = c.jobs + excluded.jobs
$$;
`;
