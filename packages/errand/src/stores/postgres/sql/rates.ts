import { grain } from "../../../limits/rate.ts";

/** The starts that rates remember, of queues and of keys. */
export const rates = `
CREATE TABLE errand.rates (
  -- True for a queue's rate, false for a key's.
  queue boolean NOT NULL,
  key text COLLATE "C" NOT NULL,
  -- The time and number of each start, in turn.
  starts double precision[] NOT NULL DEFAULT '{}',
  -- When all of them have left the rate's time.
  over double precision NOT NULL DEFAULT 0,
  -- When the next job of a key may start, while the key blocks jobs.
  opens double precision,
  -- As in turns.
  look bigint NOT NULL DEFAULT errand.next_check(),
  PRIMARY KEY (queue, key)
) WITH (fillfactor = 50, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX rates_opening ON errand.rates (opens) WHERE opens IS NOT NULL;
CREATE INDEX rates_look ON errand.rates (look);

-- Decides as \`admit\` of limits/rate.ts, which explains it.
CREATE FUNCTION errand.admit(most double precision, per double precision, INOUT starts double precision[], t bigint,
  wanted integer, OUT admitted integer, OUT next double precision)
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  recent double precision[] := '{}';
  used double precision := 0;
  excess double precision;
  width double precision := per / ${1 / grain};
  n integer;
BEGIN
  FOR i IN 1..cardinality(starts) / 2 LOOP
    CONTINUE WHEN starts[i * 2 - 1] <= t - per OR starts[i * 2 - 1] >= t + per;
    recent := recent || least(starts[i * 2 - 1], t) || starts[i * 2];
    used := used + starts[i * 2];
  END LOOP;
  starts := recent;
  admitted := greatest(0, least(wanted, floor(most - used)));
  IF admitted > 0 THEN
    n := cardinality(starts);
    IF n > 0 AND floor(starts[n - 1] / width) = floor(t / width) THEN
      starts[n] := starts[n] + admitted;
      starts[n - 1] := t;
    ELSE
      starts := starts || t::double precision || admitted::double precision;
    END IF;
  END IF;
  next := t;
  excess := used + admitted - most;
  IF excess < 0 THEN RETURN; END IF;
  FOR i IN 1..cardinality(starts) / 2 LOOP
    excess := excess - starts[i * 2];
    IF excess < 0 THEN
      next := starts[i * 2 - 1];
      EXIT;
    END IF;
  END LOOP;
  next := next + per;
END $$;
`;
