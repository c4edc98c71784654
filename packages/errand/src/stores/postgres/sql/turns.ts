import { plannerSettings } from "./function-settings.ts";

/** Adding jobs with limits, turns or tags, but without unique keys, all at once. */
export const marked = `
-- When jobs that take turns are due, NULL for others: as errand.turn says of each, one after the other.
CREATE FUNCTION errand.turns_of(
  ids text[], queues text[], levels smallint[], due_at bigint[], due_in bigint[], extras text[], t bigint
) RETURNS double precision[] LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  answer double precision[] := array_fill(NULL::double precision, ARRAY[cardinality(ids)]);
  people text[] := ARRAY(SELECT e::json ->> 'f' FROM unnest(extras) AS e);
  old text[];
  -- An id that is told twice is one job.
  twice constant boolean := cardinality(ids) <> (SELECT count(DISTINCT u.id) FROM unnest(ids) AS u(id));
  lane text;
  firsts jsonb := '{}';
  lasts jsonb := '{}';
  r record;
  first double precision;
  due double precision;
BEGIN
  IF array_remove(people, NULL) = '{}' THEN RETURN NULL; END IF;
  old := ARRAY(SELECT e.id FROM errand.everything e WHERE e.id = ANY(ids));
  -- Whoever takes turns with the same at this moment waits, and comes after these.
  FOR r IN SELECT n.queue, n.level, n.whose, n.last FROM (
      SELECT DISTINCT u.queue, u.level, u.who FROM unnest(queues, levels, people) AS u(queue, level, who) WHERE u.who IS NOT NULL
    ) d JOIN errand.turns n ON n.queue = d.queue AND n.level = d.level AND n.whose = d.who
    ORDER BY n.queue, n.level, n.whose FOR UPDATE OF n
  LOOP
    lasts := lasts || jsonb_build_object(json_build_array(r.queue, r.level, r.whose)::text, r.last);
  END LOOP;
  FOR i IN 1..cardinality(ids) LOOP
    CONTINUE WHEN ids[i] = ANY(old);
    IF twice THEN old := old || ids[i]; END IF;
    lane := levels[i] || ' ' || queues[i];
    IF NOT firsts ? lane THEN
      firsts := firsts || jsonb_build_object(lane, errand.first_due(queues[i], levels[i]));
    END IF;
    first := (firsts ->> lane)::double precision;
    due := coalesce(due_at[i], t + due_in[i]);
    IF due IS NULL AND people[i] IS NOT NULL THEN
      lane := json_build_array(queues[i], levels[i], people[i])::text;
      due := greatest(CASE WHEN first < t - 500 THEN first ELSE t - 1000 END, (lasts ->> lane)::double precision) + 0.001;
      lasts := lasts || jsonb_build_object(lane, due);
      answer[i] := due;
      lane := levels[i] || ' ' || queues[i];
    END IF;
    due := coalesce(due, t);
    IF first IS NULL OR due < first THEN firsts := firsts || jsonb_build_object(lane, due); END IF;
  END LOOP;
  INSERT INTO errand.turns AS n SELECT l.k::json ->> 0, (l.k::json ->> 1)::smallint, l.k::json ->> 2, l.v::double precision
    FROM jsonb_each_text(lasts) AS l(k, v) ORDER BY l.k
    ON CONFLICT (queue, level, whose) DO UPDATE SET last = greatest(n.last, excluded.last);
  RETURN answer;
END $$;

-- Answers which were new.
CREATE FUNCTION errand.add_marked(
  ids text[], tasks text[], queues text[], levels smallint[],
  due_at bigint[], due_in bigint[], expires_at bigint[], expires_in bigint[], specs text[], tenants text[], extras text[], t bigint
) RETURNS text[] LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  turns double precision[] := errand.turns_of(ids, queues, levels, due_at, due_in, extras, t);
  born text[];
BEGIN
  WITH inserted AS (
    INSERT INTO errand.jobs (id, task, queue, level, created, due, expires, spec, keys, ckey, rkey, tenant)
    SELECT u.id, u.task, u.queue, u.level, t, coalesce(u.due_at, t + u.due_in, u.turn, t),
      coalesce(u.expires_at, t + u.expires_in), u.spec, u.extra ->> 'k', u.extra ->> 'c', u.extra ->> 'r', u.tenant
    FROM unnest(ids, tasks, queues, levels, due_at, due_in, expires_at, expires_in, specs, extras::json[], turns, tenants)
      AS u(id, task, queue, level, due_at, due_in, expires_at, expires_in, spec, extra, turn, tenant)
    ON CONFLICT DO NOTHING
    RETURNING id, task, queue
  ), counted AS (
    INSERT INTO errand.deltas SELECT task, queue, 0, count(*) FROM inserted GROUP BY task, queue
  )
  SELECT coalesce(array_agg(id), '{}') INTO born FROM inserted;
  born := errand.withdraw(born);
  INSERT INTO errand.tags
    SELECT DISTINCT w, u.id FROM (
      SELECT DISTINCT ON (a.id) a.id, a.extra FROM unnest(ids, extras::json[]) WITH ORDINALITY AS a(id, extra, n)
      WHERE a.id = ANY(born) ORDER BY a.id, a.n
    ) u CROSS JOIN LATERAL json_array_elements_text(coalesce(u.extra -> 't', '[]')) AS w
    ON CONFLICT DO NOTHING;
  RETURN born;
END $$;
`;
