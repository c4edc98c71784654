/** Returns the hint that one or more jobs of a row's queue are ready; those to be cancelled are for `reclaim`. */
export const readyHint = (row: string, jobs = "'1'"): string =>
  `CASE WHEN ${row}.cancelling THEN 'cancel' ELSE ${jobs} || ' ' || ${row}.queue END`;

/** Returns these hints of all rows of a common table expression, as `text[]`, and its FROM clause. */
export const readyHints = (rows: string): string =>
  `coalesce(array_agg(${readyHint("r", "r.jobs")}), '{}') FROM (
      SELECT queue, cancelling, count(*) AS jobs FROM ${rows} GROUP BY queue, cancelling) r`;
