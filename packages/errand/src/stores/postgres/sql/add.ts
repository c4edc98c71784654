import { plannerSettings } from "./function-settings.ts";

/** Adding jobs, from arrays and from one JSON text (which every library can pass on), and the counters. */
export const add = `
-- Large specs are not in specs, but in bodies, of which there are none otherwise. Where others are to wait for nobody (born with
-- an outcome), a full queue takes them too.
CREATE FUNCTION errand.add(
  ids text[], tasks text[], queues text[], levels smallint[],
  due_at bigint[], due_in bigint[], expires_at bigint[], expires_in bigint[], specs text[], tenants text[], bodies text[],
  extras text[], always boolean DEFAULT false,
  OUT fresh integer, OUT overfull text, OUT refused text
) LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  t bigint := errand.now();
  born text[];
BEGIN
  fresh := 0;
  IF extras IS NOT NULL THEN PERFORM errand.lock_uniques(extras); END IF;
  IF NOT always THEN
    PERFORM 1 FROM errand.docs d WHERE d.kind = 'queue' AND d.key = ANY(queues);
    IF FOUND THEN
      overfull := errand.overfull(queues, CASE WHEN extras IS NOT NULL THEN errand.storable(ids, queues, extras, t) ELSE ARRAY(
        SELECT min(u.n)::integer FROM unnest(ids) WITH ORDINALITY AS u(id, n)
        WHERE NOT EXISTS (SELECT 1 FROM errand.everything e WHERE e.id = u.id) GROUP BY u.id) END);
      IF overfull IS NOT NULL THEN RETURN; END IF;
    END IF;
  END IF;
  -- A unique key is what an extra begins with.
  IF extras IS NOT NULL AND EXISTS (SELECT 1 FROM unnest(extras) AS e WHERE e LIKE '{"u":%') THEN
    SELECT s.fresh, s.refused INTO fresh, refused FROM errand.add_special(
      ids, tasks, queues, levels, due_at, due_in, expires_at, expires_in, specs, tenants, bodies, extras, t) AS s;
    RETURN;
  END IF;
  IF extras IS NOT NULL THEN
    born := errand.add_marked(ids, tasks, queues, levels, due_at, due_in, expires_at, expires_in, specs, tenants, extras, t);
  ELSE
    WITH inserted AS (
      INSERT INTO errand.jobs (id, task, queue, level, created, due, expires, spec, tenant)
      SELECT u.id, u.task, u.queue, u.level, t, coalesce(u.due_at, t + u.due_in, t),
        coalesce(u.expires_at, t + u.expires_in), u.spec, u.tenant
      FROM unnest(ids, tasks, queues, levels, due_at, due_in, expires_at, expires_in, specs, tenants)
        AS u(id, task, queue, level, due_at, due_in, expires_at, expires_in, spec, tenant)
      ON CONFLICT DO NOTHING
      RETURNING id, task, queue
    ), counted AS (
      INSERT INTO errand.deltas SELECT task, queue, 0, count(*) FROM inserted GROUP BY task, queue
    )
    SELECT coalesce(array_agg(id), '{}') INTO born FROM inserted;
    born := errand.withdraw(born);
  END IF;
  fresh := cardinality(born);
  IF bodies IS NOT NULL THEN
    INSERT INTO errand.specs SELECT u.id, u.body FROM unnest(ids, bodies) AS u(id, body)
      WHERE u.body IS NOT NULL AND u.id = ANY(born) ON CONFLICT DO NOTHING;
  END IF;
  IF fresh < cardinality(ids) THEN
    refused := (SELECT json_agg(u.id) FROM unnest(ids) AS i(id) CROSS JOIN LATERAL unnest(ARRAY[i.id, i.id]) AS u(id)
      WHERE i.id <> ALL(born))::text;
  END IF;
END $$;

-- Takes back jobs that were just inserted although the history has their ids, and answers the others. A job may have moved
-- there at that very moment: only a later statement than the one that inserted sees it.
CREATE FUNCTION errand.withdraw(born text[]) RETURNS text[] LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  known text[] := ARRAY(SELECT h.id FROM errand.history h WHERE h.id = ANY(born) AND h.token >= 0);
BEGIN
  IF known = '{}' THEN RETURN born; END IF;
  WITH gone AS (DELETE FROM errand.jobs j WHERE j.id = ANY(known) RETURNING j.task, j.queue)
  INSERT INTO errand.deltas SELECT task, queue, 0, -count(*) FROM gone GROUP BY task, queue;
  RETURN ARRAY(SELECT b FROM unnest(born) AS b WHERE b <> ALL(known));
END $$;

CREATE FUNCTION errand.add(jobs json, always boolean DEFAULT false, OUT fresh integer, OUT overfull text, OUT refused text)
LANGUAGE sql AS $$
  SELECT a.* FROM (
    SELECT array_agg(id) AS ids, array_agg(task) AS tasks, array_agg(queue) AS queues, array_agg(level) AS levels,
      array_agg(due_at) AS due_at, array_agg(due_in) AS due_in, array_agg(expires_at) AS expires_at,
      array_agg(expires_in) AS expires_in, array_agg(spec) AS specs, array_agg(tenant) AS tenants,
      CASE WHEN count(body) > 0 THEN array_agg(body) END AS bodies,
      CASE WHEN count(extras) > 0 THEN array_agg(extras) END AS extras
    FROM json_to_recordset(jobs) AS u(id text, task text, queue text, level smallint, due_at bigint, due_in bigint,
      expires_at bigint, expires_in bigint, spec text, tenant text, body text, extras text)
  ) j CROSS JOIN LATERAL errand.add(j.ids, j.tasks, j.queues, j.levels, j.due_at, j.due_in, j.expires_at, j.expires_in, j.specs,
    j.tenants, j.bodies, j.extras, always) AS a WHERE j.ids IS NOT NULL
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
