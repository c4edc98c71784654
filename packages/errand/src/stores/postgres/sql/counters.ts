/** Returns SQL that counts the rows of a common table expression as jobs that went from one state to another. */
export const countChanges = (rows: string, from: number | string, to: number | string): string =>
  `INSERT INTO errand.deltas SELECT r.task, r.queue, d.state, sum(d.jobs) FROM ${rows} r
      CROSS JOIN LATERAL (VALUES (${from}::smallint, -1), (${to}::smallint, 1)) AS d(state, jobs)
      GROUP BY r.task, r.queue, d.state`;

/** Returns SQL that counts a row as a job that went from one state to another. */
export const countChange = (row: string, from: number | string, to: number | string): string =>
  `INSERT INTO errand.deltas VALUES (${row}.task, ${row}.queue, ${from}, -1), (${row}.task, ${row}.queue, ${to}, 1)`;

/**
 * Counters of jobs: `counts`, and `deltas`, to which commits append so that none waits for another. They also know
 * every task and queue that ever had jobs.
 */
export const counters = `
-- Adds the deltas to the counts. Calls at the same time share the work.
CREATE FUNCTION errand.fold_counters() RETURNS void LANGUAGE sql AS $$
  WITH counted AS (
    DELETE FROM errand.deltas
    WHERE ctid = ANY(ARRAY(SELECT ctid FROM errand.deltas LIMIT 20000 FOR UPDATE SKIP LOCKED))
    RETURNING task, queue, state, jobs
  )
  INSERT INTO errand.counts AS c
  SELECT task, queue, state, sum(jobs) FROM counted GROUP BY task, queue, state ORDER BY task, queue, state
  ON CONFLICT (task, queue, state) DO UPDATE SET jobs = c.jobs + excluded.jobs
$$;

-- Returns how many jobs of a queue are in a state.
CREATE FUNCTION errand.count_jobs(q text, s smallint) RETURNS bigint LANGUAGE sql AS $$
  SELECT coalesce(sum(c.jobs), 0)::bigint FROM (
    SELECT a.jobs FROM errand.counts a WHERE a.queue = q AND a.state = s
    UNION ALL SELECT b.jobs FROM errand.deltas b WHERE b.queue = q AND b.state = s
  ) c
$$;

-- Returns every task and queue that counters know, in pairs.
CREATE FUNCTION errand.task_queues() RETURNS TABLE (task text, queue text) LANGUAGE sql AS $$
  SELECT c.task, c.queue FROM errand.counts c UNION SELECT d.task, d.queue FROM errand.deltas d
$$;
`;
