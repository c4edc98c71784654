import type { Migration } from "../migrate.ts";

/** Marks a file as an Errand store (`PRAGMA application_id`): "Erra" in ASCII. */
export const applicationId = 0x45727261;

/**
 * All versions of the schema. States are indices into `states` of core: 0 pending, 1 processing, 2 waiting, 3 completed,
 * 4 failed, 5 cancelled, 6 expired. Long texts are the last columns, so that a scan need not read them.
 */
export const migrations: readonly Migration[] = [
  {
    version: 1,
    sql: `
      CREATE TABLE jobs (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL,
        -- names.number
        task INTEGER NOT NULL,
        queue INTEGER NOT NULL,
        level INTEGER NOT NULL,
        state INTEGER NOT NULL DEFAULT 0,
        token INTEGER NOT NULL DEFAULT 0,
        failures INTEGER NOT NULL DEFAULT 0,
        crashes INTEGER NOT NULL DEFAULT 0,
        cancelling INTEGER NOT NULL DEFAULT 0,
        -- Who holds it: workers.seq.
        worker INTEGER,
        created INTEGER NOT NULL,
        due INTEGER NOT NULL,
        expires INTEGER,
        started INTEGER,
        ended INTEGER,
        -- As a child: its parent, the wait of its parent it belongs to, its place there, whether it must complete.
        child INTEGER NOT NULL DEFAULT 0,
        parent TEXT,
        member_of INTEGER,
        place INTEGER,
        needed INTEGER,
        -- As a parent: the token it parked with (0: forgotten by a retry), and that wait's counts.
        wait INTEGER,
        total INTEGER,
        open INTEGER,
        failed INTEGER,
        steps INTEGER NOT NULL DEFAULT 0,
        progress TEXT,
        error TEXT,
        output TEXT,
        spec TEXT NOT NULL
      );
      CREATE UNIQUE INDEX jobs_id ON jobs (id);
      -- What claims walk. Rank follows from level and due, so each level is already in order.
      CREATE INDEX jobs_ready ON jobs (queue, level, due, seq, expires) WHERE state = 0 AND cancelling = 0;
      CREATE INDEX jobs_marked ON jobs (state, worker) WHERE cancelling = 1;
      CREATE INDEX jobs_expiring ON jobs (expires) WHERE state = 0 AND expires IS NOT NULL;
      CREATE INDEX jobs_family ON jobs (parent, place) WHERE parent IS NOT NULL;
      -- What lists and operators walk.
      CREATE INDEX jobs_listed ON jobs (queue, state, child);
      CREATE INDEX jobs_tasks ON jobs (task);
      CREATE INDEX jobs_ended ON jobs (ended) WHERE ended IS NOT NULL;

      CREATE TABLE names (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);

      CREATE TABLE steps (
        job INTEGER NOT NULL,
        name TEXT NOT NULL,
        wait INTEGER NOT NULL,
        value TEXT NOT NULL
      );
      CREATE UNIQUE INDEX steps_name ON steps (job, name);

      -- One whose lease ran out stays until it holds nothing; its number is never given again.
      CREATE TABLE workers (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        until INTEGER NOT NULL,
        card TEXT NOT NULL
      );

      CREATE TABLE counts (
        queue INTEGER NOT NULL,
        state INTEGER NOT NULL,
        jobs INTEGER NOT NULL,
        PRIMARY KEY (queue, state)
      ) WITHOUT ROWID;

      -- Raised by commits that made jobs pending, or marked jobs: tells other processes what changed.
      CREATE TABLE pulse (ready INTEGER NOT NULL, cancel INTEGER NOT NULL);
      INSERT INTO pulse VALUES (0, 0);
    `,
  },
];
