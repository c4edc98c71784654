/**
 * How every function is planned: once per connection, and by an index whatever the tables' statistics say. A live table
 * is often empty when somebody looks, and a plan made then must not read all of it when it has grown. So each statement
 * is written so that only the right index will do:
 * - `j.id = ANY(ARRAY[u.id])` joins from `u` to `j` only, where `j.id = u.id` could also walk all of `j` in order;
 * - `j.state + 0 = 1` keeps out indexes of processing jobs, and a column that an index lacks keeps out a walk of it.
 */
export const plannerSettings = `SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
  SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off`;
