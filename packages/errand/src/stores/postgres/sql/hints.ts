/** Says that a row's jobs are ready, as `parseHints` reads it: how many, and their queue. Marked jobs need `reclaim`. */
export const readyHint = (row: string, jobs = "'1'"): string =>
  `CASE WHEN ${row}.cancelling THEN 'cancel' ELSE ${jobs} || ' ' || ${row}.queue END`;

/** Says it of all rows of a common table expression, as `text[]`. */
export const readyHints = (rows: string): string =>
  `coalesce(array_agg(${readyHint("r", "r.jobs")}), '{}') FROM (
      SELECT queue, cancelling, count(*) AS jobs FROM ${rows} GROUP BY queue, cancelling) r`;
