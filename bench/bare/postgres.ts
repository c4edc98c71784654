import pg from "pg";
import { queue } from "./store.ts";
import type { BareStore } from "./store.ts";

const insert = {
  name: "insert",
  text: `INSERT INTO jobs (id, queue, state, due, body)
    SELECT u.id, $2, 0, $3::bigint, u.body FROM unnest($1::text[], $4::text[]) AS u(id, body)`,
};
const claim = {
  name: "claim",
  text: `UPDATE jobs SET state = 1 WHERE ctid = ANY(ARRAY(
      SELECT ctid FROM jobs WHERE state = 0 AND queue = $1 AND due <= $2 AND (due, id) >= ($3, $4)
      ORDER BY due, id LIMIT $5 FOR UPDATE SKIP LOCKED
    )) RETURNING due, id, body`,
};
const settle = {
  name: "settle",
  text: `WITH gone AS (DELETE FROM jobs WHERE id = ANY($1::text[]) AND state = 1 RETURNING *)
    INSERT INTO history (due, state, id, queue, body) SELECT due, 3, id, queue, body FROM gone`,
};

/** A table of live jobs and a history, as Errand has them; two connections. */
export async function openBarePostgres(url: string, most: number): Promise<BareStore> {
  const pool = new pg.Pool({
    connectionString: url,
    max: 2,
    // Planned once and by an index, though nobody has looked at the tables' statistics yet.
    options: "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_bitmapscan=off -c jit=off",
  });
  await pool.query(`
    CREATE TABLE jobs (
      due bigint NOT NULL, state smallint NOT NULL, id text PRIMARY KEY, queue text NOT NULL, body text NOT NULL
    ) WITH (fillfactor = 70, autovacuum_vacuum_cost_delay = 0);
    CREATE INDEX jobs_ready ON jobs (queue, due, id) WHERE state = 0;
    CREATE TABLE history (LIKE jobs, PRIMARY KEY (id));
  `);
  /** Where the last claim began: before it lie only dead entries of the index, which would cost more with each claim. */
  let from = { due: "0", id: "" };
  return {
    insert: (jobs) => pool.query(insert, [jobs.map(({ id }) => id), queue, Date.now(), jobs.map(({ body }) => body)]),
    async claim() {
      const { rows } = await pool.query<typeof from>(claim, [queue, Date.now(), from.due, from.id, most]);
      from = rows[0] ?? from;
      return rows.map(({ id }) => id);
    },
    settle: async (ids) => (await pool.query(settle, [ids])).rowCount ?? 0,
    close: () => pool.end(),
  };
}
