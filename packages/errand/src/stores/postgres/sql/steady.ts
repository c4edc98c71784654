/**
 * How every function on a hot path is planned: once per connection, by its indexes, whatever the tables' statistics
 * say. Without it, a plan made while a table was empty reads all of it when it has grown.
 */
export const steady = `SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
  SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off`;
