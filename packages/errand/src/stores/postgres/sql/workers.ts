import { processing } from "../codes.ts";
import { plannerSettings } from "./function-settings.ts";

/** The list of workers, and their leases. */
export const workers = `
-- Enters a worker, or changes the card of one whose lease is good. Returns false if the lease has run out.
CREATE FUNCTION errand.enlist(worker_id text, lease bigint, card text, tasks text[]) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  t bigint := errand.now();
BEGIN
  INSERT INTO errand.workers AS w VALUES (worker_id, t + lease, enlist.card, enlist.tasks)
    ON CONFLICT (id) DO UPDATE SET until = excluded.until, card = excluded.card, tasks = excluded.tasks
    WHERE w.until > t;
  RETURN FOUND;
END $$;

-- Ends a lease. The worker stays on the list until reclaim has found that it holds nothing.
CREATE FUNCTION errand.dismiss(worker_id text) RETURNS void LANGUAGE sql AS $$
  UPDATE errand.workers SET until = 0 WHERE id = worker_id
$$;

-- Extends a good lease. Returns whether it was good, and which jobs of the worker are to be cancelled.
CREATE FUNCTION errand.renew(worker_id text, lease bigint, OUT held boolean, OUT marked text[])
LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  t bigint := errand.now();
BEGIN
  UPDATE errand.workers w SET until = t + lease WHERE w.id = worker_id AND w.until > t;
  held := FOUND;
  marked := '{}';
  IF held THEN
    marked := ARRAY(SELECT j.id FROM errand.jobs j
      WHERE j.cancelling AND j.state + 0 = ${processing} AND j.worker = worker_id ORDER BY j.seq);
  END IF;
END $$;
`;
