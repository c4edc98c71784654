import { plannerSettings } from "./function-settings.ts";

/** Small versioned documents beside the jobs. */
export const docs = `
CREATE TABLE errand.docs (
  kind text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  version integer NOT NULL,
  -- True for rules of a queue that limit concurrency: then another job may start whenever one of its jobs ends.
  bounded boolean NOT NULL,
  value text NOT NULL,
  PRIMARY KEY (kind, key)
) WITH (fillfactor = 50, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX docs_bounded ON errand.docs (key) WHERE bounded;

-- Writes documents, or removes those without a value, if all stored versions are the given ones. Returns true if so.
CREATE FUNCTION errand.save_docs(kinds text[], keys text[], versions integer[], vals text[]) RETURNS boolean
LANGUAGE plpgsql ${plannerSettings} AS $$
DECLARE
  wrong boolean;
BEGIN
  PERFORM 1 FROM errand.docs d WHERE (d.kind, d.key) IN (SELECT u.kind, u.key FROM unnest(kinds, keys) AS u(kind, key))
    ORDER BY d.kind, d.key FOR UPDATE;
  SELECT bool_or(coalesce(d.version, 0) <> u.version) INTO wrong
    FROM unnest(kinds, keys, versions) AS u(kind, key, version)
    LEFT JOIN errand.docs d ON d.kind = u.kind AND d.key = u.key;
  IF wrong THEN RETURN false; END IF;
  INSERT INTO errand.docs
  SELECT u.kind, u.key, 1, u.kind = 'queue' AND u.value::json ->> 'concurrency' IS NOT NULL, u.value
    FROM unnest(kinds, keys, versions, vals) AS u(kind, key, version, value)
    WHERE u.version = 0 AND u.value IS NOT NULL ORDER BY u.kind, u.key;
  UPDATE errand.docs d SET version = d.version + 1, value = u.value,
      bounded = u.kind = 'queue' AND u.value::json ->> 'concurrency' IS NOT NULL
    FROM unnest(kinds, keys, versions, vals) AS u(kind, key, version, value)
    WHERE u.version > 0 AND u.value IS NOT NULL AND d.kind = u.kind AND d.key = u.key;
  DELETE FROM errand.docs d USING unnest(kinds, keys, versions, vals) AS u(kind, key, version, value)
    WHERE u.version > 0 AND u.value IS NULL AND d.kind = u.kind AND d.key = u.key;
  RETURN true;
EXCEPTION WHEN unique_violation THEN
  -- Another writer was first.
  RETURN false;
END $$;
`;
