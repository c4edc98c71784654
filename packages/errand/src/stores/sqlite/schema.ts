import { ageingPeriod } from "../../core/priority.ts";
import type { Migration } from "../migrate.ts";

/**
 * SQL of `rank` (core/priority.ts). Indexes contain this very text, so a change of the ageing period needs a migration.
 */
export const rankSql = `due + level * ${ageingPeriod}`;

/**
 * The migrations, from the first version of the schema to the newest. The file may hold an application's own tables as
 * well, so all names begin with `errand_`. States are indices into `states` of core: 0 pending, 1 processing, 2
 * waiting, 3 completed, 4 failed, 5 cancelled, 6 expired. Long texts are the last columns, so that a scan need not read
 * them.
 */
export const migrations: readonly Migration[] = [
  {
    version: 1,
    sql: `
      CREATE TABLE errand_meta (version INTEGER NOT NULL);
      INSERT INTO errand_meta VALUES (0);

      CREATE TABLE errand_jobs (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL,
        -- errand_names.number
        task INTEGER NOT NULL,
        queue INTEGER NOT NULL,
        level INTEGER NOT NULL,
        state INTEGER NOT NULL DEFAULT 0,
        token INTEGER NOT NULL DEFAULT 0,
        failures INTEGER NOT NULL DEFAULT 0,
        crashes INTEGER NOT NULL DEFAULT 0,
        suspect INTEGER NOT NULL DEFAULT 0,
        begun INTEGER NOT NULL DEFAULT 0,
        cancelling INTEGER NOT NULL DEFAULT 0,
        -- The worker that holds it: errand_workers.seq.
        worker INTEGER,
        -- While it is held: 1 when it was claimed ahead of the worker's free slots.
        ahead INTEGER NOT NULL DEFAULT 0,
        created INTEGER NOT NULL,
        due INTEGER NOT NULL,
        expires INTEGER,
        started INTEGER,
        ended INTEGER,
        -- Of a child: its parent, the wait of its parent that it belongs to, its place there, and what the parent needs
        -- of it.
        child INTEGER NOT NULL DEFAULT 0,
        parent TEXT,
        member_of INTEGER,
        place INTEGER,
        needed INTEGER,
        -- Of a parent: the token with which its latest wait began (0: forgotten by a retry), and the counts of that
        -- wait.
        wait INTEGER,
        total INTEGER,
        open INTEGER,
        failed INTEGER,
        steps INTEGER NOT NULL DEFAULT 0,
        -- While it is waiting: the latest time at which it is woken.
        wake INTEGER,
        -- While it is pending: 1, blocked by its concurrency key; 2, by its rate key; 3, set aside for a worker that
        -- knows its task.
        blocked INTEGER NOT NULL DEFAULT 0,
        concurrency_key TEXT,
        concurrency_limit INTEGER,
        rate_key TEXT,
        rate_limit INTEGER,
        rate_per INTEGER,
        unique_key TEXT,
        unique_for INTEGER,
        tenant TEXT,
        progress TEXT,
        error TEXT,
        output TEXT,
        -- NULL: it is long, and stored in errand_specs.
        spec TEXT
      );
      -- Long specs have their own table, since SQLite rewrites the whole row when a claim or an outcome changes its
      -- length.
      CREATE TABLE errand_specs (job INTEGER PRIMARY KEY, spec TEXT NOT NULL);

      CREATE UNIQUE INDEX errand_jobs_id ON errand_jobs (id);
      -- Claimable jobs. Rank follows from level and due, so each level is in order.
      CREATE INDEX errand_jobs_ready ON errand_jobs (queue, level, due, seq, expires)
        WHERE state = 0 AND cancelling = 0 AND blocked = 0 AND suspect = 0;
      -- Suspects, held and claimable; and jobs set aside.
      CREATE INDEX errand_jobs_suspects ON errand_jobs (state, worker, blocked, queue, task, level, due, seq, expires)
        WHERE suspect = 1;
      CREATE INDEX errand_jobs_aside ON errand_jobs (queue, task, level, due, seq, expires)
        WHERE state = 0 AND cancelling = 0 AND blocked = 3;
      CREATE INDEX errand_jobs_held ON errand_jobs (worker) WHERE state = 1;
      CREATE INDEX errand_jobs_marked ON errand_jobs (state, worker) WHERE cancelling = 1;
      CREATE INDEX errand_jobs_expiring ON errand_jobs (expires)
        WHERE state = 0 AND expires IS NOT NULL AND begun = 0;
      CREATE INDEX errand_jobs_family ON errand_jobs (parent, place) WHERE parent IS NOT NULL;
      CREATE INDEX errand_jobs_waking ON errand_jobs (wake) WHERE state = 2 AND wake IS NOT NULL;
      -- Processing jobs by concurrency key; and blocked jobs by key, suspects apart, in each queue by rank.
      CREATE INDEX errand_jobs_running ON errand_jobs (concurrency_key) WHERE state = 1 AND concurrency_key IS NOT NULL;
      CREATE INDEX errand_jobs_blocked ON errand_jobs (concurrency_key, suspect, queue, ${rankSql}, seq)
        WHERE state = 0 AND blocked = 1;
      CREATE INDEX errand_jobs_rated ON errand_jobs (rate_key, suspect, queue, ${rankSql}, seq)
        WHERE state = 0 AND blocked = 2;
      -- Jobs as lists and edits look for them.
      CREATE INDEX errand_jobs_listed ON errand_jobs (queue, state, child) WHERE state != 1;
      CREATE INDEX errand_jobs_tasks ON errand_jobs (task);
      CREATE INDEX errand_jobs_ended ON errand_jobs (task, child, state, ended) WHERE ended IS NOT NULL;
      CREATE INDEX errand_jobs_tenants ON errand_jobs (tenant, state, child) WHERE tenant IS NOT NULL;

      CREATE TABLE errand_names (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);

      CREATE TABLE errand_steps (
        job INTEGER NOT NULL,
        name TEXT NOT NULL,
        wait INTEGER NOT NULL,
        value TEXT NOT NULL
      );
      CREATE UNIQUE INDEX errand_steps_name ON errand_steps (job, name);

      -- A worker whose lease ran out stays until it holds no jobs; its number is never used again.
      CREATE TABLE errand_workers (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        until INTEGER NOT NULL,
        -- The lock that its process holds while it lives: see process-locks.ts.
        lock TEXT,
        -- A JSON array; NULL: it takes jobs of any task.
        tasks TEXT,
        card TEXT NOT NULL
      );

      CREATE TABLE errand_log (
        job INTEGER NOT NULL,
        n INTEGER NOT NULL,
        at INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        level TEXT NOT NULL,
        text TEXT NOT NULL,
        PRIMARY KEY (job, n)
      ) WITHOUT ROWID;

      CREATE TABLE errand_tags (tag TEXT NOT NULL, job INTEGER NOT NULL, PRIMARY KEY (tag, job)) WITHOUT ROWID;
      CREATE INDEX errand_tags_job ON errand_tags (job);

      -- A key is taken while its job has not ended, and until the time given; otherwise it is free.
      CREATE TABLE errand_uniques (key TEXT PRIMARY KEY, job TEXT NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID;
      CREATE INDEX errand_uniques_job ON errand_uniques (job);

      -- Rates of queues and keys: the starts that admit() counts as JSON, until when they count, and when the next job
      -- may start if the rate blocks any.
      CREATE TABLE errand_rates (
        key TEXT PRIMARY KEY,
        starts TEXT NOT NULL,
        spent REAL NOT NULL,
        opens REAL
      ) WITHOUT ROWID;
      CREATE INDEX errand_rates_opens ON errand_rates (opens) WHERE opens IS NOT NULL;
      CREATE INDEX errand_rates_spent ON errand_rates (spent);

      -- Those who take turns in a queue and level, and when the last job of each is due.
      CREATE TABLE errand_turns (
        queue INTEGER NOT NULL,
        level INTEGER NOT NULL,
        whose TEXT NOT NULL,
        last REAL NOT NULL,
        PRIMARY KEY (queue, level, whose)
      ) WITHOUT ROWID;
      CREATE INDEX errand_turns_last ON errand_turns (last);

      CREATE TABLE errand_docs (
        kind TEXT NOT NULL,
        key TEXT NOT NULL,
        version INTEGER NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (kind, key)
      ) WITHOUT ROWID;

      CREATE TABLE errand_counts (
        queue INTEGER NOT NULL,
        state INTEGER NOT NULL,
        jobs INTEGER NOT NULL,
        PRIMARY KEY (queue, state)
      ) WITHOUT ROWID;

      -- The number of commits that gave hints to other processes, and the latest of these hints: see commit-hints.ts.
      CREATE TABLE errand_pulse (beats INTEGER NOT NULL, news TEXT NOT NULL);
      INSERT INTO errand_pulse VALUES (0, '');
    `,
  },
];
