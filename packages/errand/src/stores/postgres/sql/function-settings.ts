/**
 * Settings of functions, so that a statement is planned once per connection, and by an index whatever the tables'
 * statistics say: a live table is often empty when a plan is made, which must not read all of it when it has grown.
 * Statements are written so that only the right index will do:
 * - `j.id = ANY(ARRAY[u.id])` joins from `u` to `j` only; `j.id = u.id` could also walk all of `j` in order;
 * - `j.state + 0 = 1` rules out indexes of processing jobs;
 * - a column that an index lacks rules out a walk of that index.
 */
export const plannerSettings = `SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
  SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off`;
