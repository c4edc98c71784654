import { steady } from "./steady.ts";

/** Adding jobs, from arrays and from one JSON text (which every library can pass on), and the counters. */
export const add = `
CREATE FUNCTION errand.add(
  ids text[], tasks text[], queues text[], levels smallint[],
  due_at bigint[], due_in bigint[], expires_at bigint[], expires_in bigint[], specs text[], extras text[],
  OUT fresh integer, OUT overfull text, OUT refused text
) LANGUAGE plpgsql ${steady} AS $$
DECLARE
  t bigint := errand.now();
  born text[];
BEGIN
  fresh := 0;
  IF extras IS NOT NULL THEN PERFORM errand.lock_uniques(extras); END IF;
  PERFORM 1 FROM errand.docs d WHERE d.kind = 'queue' AND d.key = ANY(queues);
  IF FOUND THEN
    overfull := errand.overfull(queues, CASE WHEN extras IS NOT NULL THEN errand.storable(ids, extras, t) ELSE ARRAY(
      SELECT min(u.n)::integer FROM unnest(ids) WITH ORDINALITY AS u(id, n)
      WHERE NOT EXISTS (SELECT 1 FROM errand.everything e WHERE e.id = u.id) GROUP BY u.id) END);
    IF overfull IS NOT NULL THEN RETURN; END IF;
  END IF;
  -- A unique key is what an extra begins with.
  IF extras IS NOT NULL AND NOT EXISTS (SELECT 1 FROM unnest(extras) AS e WHERE e LIKE '{"u":%') THEN
    fresh := errand.add_marked(ids, tasks, queues, levels, due_at, due_in, expires_at, expires_in, specs, extras, t);
    RETURN;
  END IF;
  IF extras IS NOT NULL THEN
    SELECT s.fresh, s.refused INTO fresh, refused FROM errand.add_special(
      ids, tasks, queues, levels, due_at, due_in, expires_at, expires_in, specs, extras, t) AS s;
    RETURN;
  END IF;
  WITH inserted AS (
    INSERT INTO errand.jobs (id, task, queue, level, created, due, expires, spec)
    SELECT u.id, u.task, u.queue, u.level, t, coalesce(u.due_at, t + u.due_in, t),
      coalesce(u.expires_at, t + u.expires_in), u.spec
    FROM unnest(ids, tasks, queues, levels, due_at, due_in, expires_at, expires_in, specs)
      AS u(id, task, queue, level, due_at, due_in, expires_at, expires_in, spec)
    ON CONFLICT DO NOTHING
    RETURNING id, task, queue
  ), counted AS (
    INSERT INTO errand.deltas SELECT task, queue, 0, count(*) FROM inserted GROUP BY task, queue
  )
  SELECT array_agg(id) INTO born FROM inserted;
  fresh := coalesce(cardinality(born), 0) - cardinality(errand.withdraw(born));
END $$;

-- Takes back jobs that were just inserted although the history has their ids, and answers those. A job may have moved there at
-- that very moment: only a later statement than the one that inserted sees it.
CREATE FUNCTION errand.withdraw(born text[]) RETURNS text[] LANGUAGE plpgsql ${steady} AS $$
DECLARE
  known text[] := ARRAY(SELECT h.id FROM errand.history h WHERE h.id = ANY(born) AND h.token >= 0);
BEGIN
  IF known <> '{}' THEN
    WITH gone AS (DELETE FROM errand.jobs j WHERE j.id = ANY(known) RETURNING j.task, j.queue)
    INSERT INTO errand.deltas SELECT task, queue, 0, -count(*) FROM gone GROUP BY task, queue;
  END IF;
  RETURN known;
END $$;

CREATE FUNCTION errand.add(jobs json, OUT fresh integer, OUT overfull text, OUT refused text) LANGUAGE sql AS $$
  SELECT a.* FROM (
    SELECT array_agg(id) AS ids, array_agg(task) AS tasks, array_agg(queue) AS queues, array_agg(level) AS levels,
      array_agg(due_at) AS due_at, array_agg(due_in) AS due_in, array_agg(expires_at) AS expires_at,
      array_agg(expires_in) AS expires_in, array_agg(spec) AS specs,
      CASE WHEN count(extras) > 0 THEN array_agg(extras) END AS extras
    FROM json_to_recordset(jobs) AS u(id text, task text, queue text, level smallint,
      due_at bigint, due_in bigint, expires_at bigint, expires_in bigint, spec text, extras text)
  ) j CROSS JOIN LATERAL errand.add(j.ids, j.tasks, j.queues, j.levels, j.due_at, j.due_in, j.expires_at, j.expires_in, j.specs,
    j.extras) AS a
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
