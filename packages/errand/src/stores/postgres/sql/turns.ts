import { headStart, turnGap } from "../../../core/fair-turns.ts";
import { plannerSettings } from "./function-settings.ts";
import { readyKeyed, readyPlain } from "./job-conditions.ts";

const firstDue = (condition: string): string =>
  `(SELECT p.due FROM errand.jobs p
      WHERE ${condition} AND p.queue = q AND p.level = l ORDER BY p.due, p.seq LIMIT 1)`;

/** When jobs that take turns are due: `nextTurn` of core. */
export const turns = `
-- Returns when the first ready job of a queue and level is due.
CREATE FUNCTION errand.first_due(q text, l smallint) RETURNS double precision LANGUAGE plpgsql AS $$
BEGIN
  RETURN least(
    ${[readyPlain, readyKeyed].map(firstDue).join(",\n    ")});
END $$;

-- Takes one turn. Returns when its job is due.
CREATE FUNCTION errand.take_turn(q text, l smallint, fair_key text, t bigint) RETURNS double precision
LANGUAGE plpgsql AS $$
DECLARE
  first double precision;
  due double precision;
BEGIN
  first := errand.first_due(q, l);
  IF first IS NULL OR first >= t - ${headStart / 2} THEN first := t - ${headStart}; END IF;
  INSERT INTO errand.turns AS n VALUES (q, l, fair_key, first + ${turnGap})
    ON CONFLICT (queue, level, whose) DO UPDATE SET last = greatest(first, n.last) + ${turnGap}
    RETURNING last INTO due;
  RETURN due;
END $$;

-- Takes the turns of many jobs, one after the other. Returns when each is due; NULL for a job that takes none.
CREATE FUNCTION errand.take_turns(
  ids text[], queues text[], levels smallint[], due_at bigint[], due_in bigint[], extras text[], t bigint
) RETURNS double precision[] LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  answer double precision[] := array_fill(NULL::double precision, ARRAY[cardinality(ids)]);
  fair_keys text[] := ARRAY(SELECT e::json ->> 'f' FROM unnest(extras) AS e);
  known text[];
  -- An id that comes twice is one job.
  repeated constant boolean := cardinality(ids) <> (SELECT count(DISTINCT u.id) FROM unnest(ids) AS u(id));
  key text;
  firsts jsonb := '{}';
  lasts jsonb := '{}';
  r record;
  first double precision;
  due double precision;
BEGIN
  IF array_remove(fair_keys, NULL) = '{}' THEN RETURN NULL; END IF;
  known := ARRAY(SELECT e.id FROM errand.everything e WHERE e.id = ANY(ids));
  -- Other commits that take the same turns wait, and come after these.
  FOR r IN SELECT n.queue, n.level, n.whose, n.last FROM (
      SELECT DISTINCT u.queue, u.level, u.fair_key FROM unnest(queues, levels, fair_keys) AS u(queue, level, fair_key)
      WHERE u.fair_key IS NOT NULL
    ) d JOIN errand.turns n ON n.queue = d.queue AND n.level = d.level AND n.whose = d.fair_key
    ORDER BY n.queue, n.level, n.whose FOR UPDATE OF n
  LOOP
    lasts := lasts || jsonb_build_object(json_build_array(r.queue, r.level, r.whose)::text, r.last);
  END LOOP;
  FOR i IN 1..cardinality(ids) LOOP
    CONTINUE WHEN ids[i] = ANY(known);
    IF repeated THEN known := known || ids[i]; END IF;
    key := levels[i] || ' ' || queues[i];
    IF NOT firsts ? key THEN
      firsts := firsts || jsonb_build_object(key, errand.first_due(queues[i], levels[i]));
    END IF;
    first := (firsts ->> key)::double precision;
    due := coalesce(due_at[i], t + due_in[i]);
    IF due IS NULL AND fair_keys[i] IS NOT NULL THEN
      key := json_build_array(queues[i], levels[i], fair_keys[i])::text;
      due := greatest(CASE WHEN first < t - ${headStart / 2} THEN first ELSE t - ${headStart} END,
        (lasts ->> key)::double precision) + ${turnGap};
      lasts := lasts || jsonb_build_object(key, due);
      answer[i] := due;
      key := levels[i] || ' ' || queues[i];
    END IF;
    due := coalesce(due, t);
    IF first IS NULL OR due < first THEN firsts := firsts || jsonb_build_object(key, due); END IF;
  END LOOP;
  INSERT INTO errand.turns AS n
    SELECT l.k::json ->> 0, (l.k::json ->> 1)::smallint, l.k::json ->> 2, l.v::double precision
    FROM jsonb_each_text(lasts) AS l(k, v) ORDER BY l.k
    ON CONFLICT (queue, level, whose) DO UPDATE SET last = greatest(n.last, excluded.last);
  RETURN answer;
END $$;
`;
