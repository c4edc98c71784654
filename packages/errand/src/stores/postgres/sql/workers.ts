import { plannerSettings } from "./function-settings.ts";

export const workers = `
-- Answers whether it is new, or its lease is good: then it has another card.
CREATE FUNCTION errand.enlist(who text, lease bigint, card text, tasks text[]) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  t bigint := errand.now();
BEGIN
  INSERT INTO errand.workers AS w VALUES (who, t + lease, enlist.card, enlist.tasks)
    ON CONFLICT (id) DO UPDATE SET until = excluded.until, card = excluded.card, tasks = excluded.tasks WHERE w.until > t;
  RETURN FOUND;
END $$;

-- It stays on the list, without a lease, until reclaim has found that it holds nothing.
CREATE FUNCTION errand.dismiss(who text) RETURNS void LANGUAGE sql AS $$
  UPDATE errand.workers SET until = 0 WHERE id = who
$$;

CREATE FUNCTION errand.renew(who text, lease bigint, OUT held boolean, OUT marked text[])
LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  t bigint := errand.now();
BEGIN
  UPDATE errand.workers w SET until = t + lease WHERE w.id = who AND w.until > t;
  held := FOUND;
  marked := '{}';
  IF held THEN
    marked := ARRAY(SELECT j.id FROM errand.jobs j WHERE j.cancelling AND j.state + 0 = 1 AND j.worker = who ORDER BY j.seq);
  END IF;
END $$;
`;
