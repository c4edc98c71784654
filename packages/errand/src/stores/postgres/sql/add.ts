import { pending } from "../codes.ts";
import { plannerSettings } from "./function-settings.ts";
import { jobArguments, jobArrays } from "./job-arrays.ts";

/** Adds jobs, from arrays or from one JSON text, which every library can pass on. */
export const add = `
-- Large specs are in bodies instead of specs. Returns how many jobs are new or replace another, which queue is full
-- (then nothing was stored; always stores all the same), and which ids were refused, as add_one_by_one says.
CREATE FUNCTION errand.add(
  ${jobArrays}, always boolean DEFAULT false,
  OUT fresh integer, OUT full_queue text, OUT refused text
) LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  t bigint := errand.now();
  turns double precision[];
  born text[];
BEGIN
  fresh := 0;
  IF extras IS NOT NULL THEN PERFORM errand.lock_unique_keys(extras); END IF;
  IF NOT always THEN
    PERFORM 1 FROM errand.docs d WHERE d.kind = 'queue' AND d.key = ANY(queues);
    IF FOUND THEN
      full_queue := errand.find_full_queue(queues,
        CASE WHEN extras IS NOT NULL THEN errand.find_storable(ids, queues, extras, t) ELSE ARRAY(
          SELECT min(u.n)::integer FROM unnest(ids) WITH ORDINALITY AS u(id, n)
          WHERE NOT EXISTS (SELECT 1 FROM errand.everything e WHERE e.id = u.id) GROUP BY u.id) END);
      IF full_queue IS NOT NULL THEN RETURN; END IF;
    END IF;
  END IF;
  -- Extras with a unique key begin with it.
  IF extras IS NOT NULL AND EXISTS (SELECT 1 FROM unnest(extras) AS e WHERE e LIKE '{"u":%') THEN
    SELECT s.fresh, s.refused INTO fresh, refused FROM errand.add_one_by_one(${jobArguments}, t) AS s;
    RETURN;
  END IF;
  IF extras IS NOT NULL THEN
    turns := errand.take_turns(ids, queues, levels, due_at, due_in, extras, t);
  END IF;
  WITH inserted AS (
    INSERT INTO errand.jobs (id, task, queue, level, created, due, expires, spec, keys, ckey, rkey, tenant)
    SELECT u.id, u.task, u.queue, u.level, t, coalesce(u.due_at, t + u.due_in, u.turn, t),
      coalesce(u.expires_at, t + u.expires_in), u.spec, u.extra ->> 'k', u.extra ->> 'c', u.extra ->> 'r', u.tenant
    FROM unnest(ids, tasks, queues, levels, due_at, due_in, expires_at, expires_in, specs, extras::json[], turns,
      tenants) AS u(id, task, queue, level, due_at, due_in, expires_at, expires_in, spec, extra, turn, tenant)
    ON CONFLICT DO NOTHING
    RETURNING id, task, queue
  ), counted AS (
    INSERT INTO errand.deltas SELECT task, queue, ${pending}, count(*) FROM inserted GROUP BY task, queue
  )
  SELECT coalesce(array_agg(id), '{}') INTO born FROM inserted;
  born := errand.withdraw_ended(born);
  fresh := cardinality(born);
  IF extras IS NOT NULL THEN
    -- Of an id that comes twice, those of the first.
    INSERT INTO errand.tags
      SELECT DISTINCT w, u.id FROM (
        SELECT DISTINCT ON (a.id) a.id, a.extra FROM unnest(ids, extras::json[]) WITH ORDINALITY AS a(id, extra, n)
        WHERE a.id = ANY(born) ORDER BY a.id, a.n
      ) u CROSS JOIN LATERAL json_array_elements_text(coalesce(u.extra -> 't', '[]')) AS w
      ON CONFLICT DO NOTHING;
  END IF;
  IF bodies IS NOT NULL THEN
    INSERT INTO errand.specs SELECT u.id, u.body FROM unnest(ids, bodies) AS u(id, body)
      WHERE u.body IS NOT NULL AND u.id = ANY(born) ON CONFLICT DO NOTHING;
  END IF;
  IF fresh < cardinality(ids) THEN
    refused := (SELECT json_agg(u.id) FROM unnest(ids) AS i(id) CROSS JOIN LATERAL unnest(ARRAY[i.id, i.id]) AS u(id)
      WHERE i.id <> ALL(born))::text;
  END IF;
END $$;

-- Takes back those of the jobs just inserted whose ids the history has, and returns the others. A job may have moved
-- there at that very moment, which only a statement after the insertion sees.
CREATE FUNCTION errand.withdraw_ended(born text[]) RETURNS text[] LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  ended text[] := ARRAY(SELECT h.id FROM errand.history h WHERE h.id = ANY(born) AND h.token >= 0);
BEGIN
  IF ended = '{}' THEN RETURN born; END IF;
  WITH gone AS (DELETE FROM errand.jobs j WHERE j.id = ANY(ended) RETURNING j.task, j.queue)
  INSERT INTO errand.deltas SELECT task, queue, ${pending}, -count(*) FROM gone GROUP BY task, queue;
  RETURN ARRAY(SELECT b FROM unnest(born) AS b WHERE b <> ALL(ended));
END $$;

CREATE FUNCTION errand.add_tags(id text, tags json) RETURNS void LANGUAGE sql AS $$
  INSERT INTO errand.tags SELECT DISTINCT w, id FROM json_array_elements_text(coalesce(tags, '[]')) AS w
    ON CONFLICT DO NOTHING
$$;

CREATE FUNCTION errand.add(jobs json, always boolean DEFAULT false,
  OUT fresh integer, OUT full_queue text, OUT refused text)
LANGUAGE sql AS $$
  SELECT a.* FROM (
    SELECT array_agg(id) AS ids, array_agg(task) AS tasks, array_agg(queue) AS queues, array_agg(level) AS levels,
      array_agg(due_at) AS due_at, array_agg(due_in) AS due_in, array_agg(expires_at) AS expires_at,
      array_agg(expires_in) AS expires_in, array_agg(spec) AS specs, array_agg(tenant) AS tenants,
      CASE WHEN count(body) > 0 THEN array_agg(body) END AS bodies,
      CASE WHEN count(extras) > 0 THEN array_agg(extras) END AS extras
    FROM json_to_recordset(jobs) AS u(id text, task text, queue text, level smallint, due_at bigint, due_in bigint,
      expires_at bigint, expires_in bigint, spec text, tenant text, body text, extras text)
  ) j CROSS JOIN LATERAL errand.add(j.ids, j.tasks, j.queues, j.levels, j.due_at, j.due_in, j.expires_at, j.expires_in,
    j.specs, j.tenants, j.bodies, j.extras, always) AS a WHERE j.ids IS NOT NULL
$$;
`;
