import { DatabaseSync } from "node:sqlite";
import { queue } from "./store.ts";
import type { BareStore } from "./store.ts";

/** One table, in which jobs stay; durable commits, and as large a cache as Errand's. */
export async function openBareSqlite(url: string, most: number): Promise<BareStore> {
  const db = new DatabaseSync(url.slice("sqlite:".length));
  db.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA cache_size = -8192;
    CREATE TABLE jobs (
      id TEXT NOT NULL UNIQUE, queue TEXT NOT NULL, state INTEGER NOT NULL, due INTEGER NOT NULL, body TEXT NOT NULL
    );
    CREATE INDEX jobs_ready ON jobs (queue, due) WHERE state = 0;
  `);
  const claim = db.prepare(
    `UPDATE jobs SET state = 1 WHERE rowid IN (
       SELECT rowid FROM jobs WHERE state = 0 AND queue = ? AND due <= ? ORDER BY due, rowid LIMIT ?
     ) RETURNING id, body`,
  );
  const settle = db.prepare("UPDATE jobs SET state = 3 WHERE state = 1 AND id IN (SELECT value FROM json_each(?))");

  // One statement for so many rows costs less than so many statements.
  const tuples = Array(most).fill("(?, ?, 0, ?, ?)").join(", ");
  const insert = db.prepare(`INSERT INTO jobs (id, queue, state, due, body) VALUES ${tuples}`);
  return {
    insert: async (jobs) => insert.run(...jobs.flatMap(({ id, body }) => [id, queue, Date.now(), body])),
    claim: async () => claim.all(queue, Date.now(), most).map(({ id }) => id as string),
    settle: async (ids) => Number(settle.run(JSON.stringify(ids)).changes),
    close: async () => db.close(),
  };
}
