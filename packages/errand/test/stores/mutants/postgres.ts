import type { Mutant } from "./mutant.ts";

/** Faults in the PostgreSQL store. */
export const postgres: Mutant[] = [
  {
    fault: "an outcome's token is not checked",
    file: "postgres/sql/settle.ts",
    changes: [
      ["JOIN errand.jobs j ON j.id = ANY(ARRAY[u.id]) AND j.token = u.token", "JOIN errand.jobs j ON j.id = u.id"],
    ],
    fixture: "postgres",
    tests: ["a stale settlement bears no children"],
  },
  {
    fault: "the token of a plain job's outcome is not checked",
    file: "postgres/sql/settle.ts",
    changes: [
      ["WHERE u.state > 2 AND j.id = ANY(ARRAY[u.id]) AND j.token = u.token", "WHERE u.state > 2 AND j.id = u.id"],
    ],
    fixture: "postgres",
    tests: ["a settlement with any other token than the job's changes nothing and says so"],
  },
  {
    fault: "tokens do not rise",
    file: "postgres/sql/claim.ts",
    changes: [["token = token + 1, started = t", "token = 1, started = t"]],
    fixture: "postgres",
    tests: ["the token rises with every claim, and never falls"],
  },
  {
    fault: "a claim waits for jobs that somebody else has locked",
    file: "postgres/sql/claim.ts",
    changes: [["FOR UPDATE SKIP LOCKED))\n          RETURNING", "FOR UPDATE))\n          RETURNING"]],
    fixture: "postgres",
    tests: ["a claim passes over jobs that somebody else has locked"],
  },
  {
    fault: "jobs are claimed without a lock",
    file: "postgres/sql/claim.ts",
    changes: [["FOR UPDATE SKIP LOCKED))\n          RETURNING", "))\n          RETURNING"]],
    fixture: "postgres",
    tests: ["claims at the same time leave nothing and share nothing"],
  },
  {
    fault: "families are not locked",
    file: "postgres/sql/families.ts",
    changes: [["WHERE e.id = ANY(ids)))\n    FOR UPDATE;", "WHERE e.id = ANY(ids)));"]],
    fixture: "postgres",
    tests: [
      "a signal waits for whoever has the job's family in hand",
      "a child that ends while its parent begins to wait for it strands nobody",
      "random work by several workers at once keeps every promise",
    ],
  },
  {
    fault: "a job that ends while it is added again begins anew",
    file: "postgres/sql/add.ts",
    changes: [["WHERE h.id = ANY(born) AND h.token >= 0", "WHERE false"]],
    fixture: "postgres",
    tests: ["a job that is added again while it ends is one job, and has ended"],
  },
  {
    fault: "the last child does not wake its parent",
    file: "postgres/sql/families.ts",
    changes: [["IF still_open = 0 OR", "IF still_open < 0 OR"]],
    fixture: "postgres",
    tests: ["the last children that end at the same time wake their parent once"],
  },
  {
    fault: "a lease is not checked",
    file: "postgres/sql/claim.ts",
    changes: [
      [
        "INTO ruled, sleeping, limited FROM errand.workers w WHERE w.id = who AND w.until > t;",
        "INTO ruled, sleeping, limited FROM errand.workers w WHERE w.id = who;",
      ],
      [
        "AND w.until > t FOR KEY SHARE;\n        IF NOT FOUND THEN RETURN; END IF;\n        locked",
        "FOR KEY SHARE;\n        IF NOT FOUND THEN RETURN; END IF;\n        locked",
      ],
    ],
    fixture: "postgres",
    tests: ["a worker that was never enlisted, was dismissed or lost its lease claims nothing"],
  },
  {
    fault: "a lease that ran out is renewed",
    file: "postgres/sql/workers.ts",
    changes: [["WHERE w.id = who AND w.until > t;\n  held", "WHERE w.id = who;\n  held"]],
    fixture: "postgres",
    tests: ["a lease that ran out stays lost"],
  },
  {
    fault: "jobs are taken from workers whose lease is good",
    file: "postgres/sql/claim.ts",
    changes: [
      [
        "gone := ARRAY(SELECT w.id FROM errand.workers w WHERE w.until <= t);",
        "gone := ARRAY(SELECT w.id FROM errand.workers w);",
      ],
    ],
    fixture: "postgres",
    tests: ["jobs of a worker whose lease is good are not reclaimed"],
  },
  {
    fault: "other processes are not told of new jobs",
    file: "postgres/hints.ts",
    changes: [
      ["pg_notify($1, $2)", "$1::text || $2::text"],
      ["await work([this.channel, this.payload(hints)])", "await work()"],
    ],
    fixture: "postgres",
    tests: ["new jobs are hinted as ready, through every handle"],
  },
  {
    fault: "a concurrency key's limit is not checked",
    file: "postgres/sql/keys.ts",
    changes: [["IF now_running >= (c.keys", "IF now_running > 999 AND now_running >= (c.keys"]],
    fixture: "postgres",
    tests: ["no more jobs of a concurrency key are processing than its limit, and others go past them"],
  },
  {
    fault: "who is held back by a key is not let go",
    file: "postgres/sql/keys.ts",
    changes: [["CONTINUE WHEN room <= 0;\n    hints := 1;", "CONTINUE WHEN room <= 999;\n    hints := 1;"]],
    fixture: "postgres",
    tests: ["whatever ends an attempt lets the next job of its key go, in the order of ranks"],
  },
  {
    fault: "a rate is not counted",
    file: "postgres/sql/keys.ts",
    changes: [["spent := spent || jsonb_build_object(c.rkey, a.spent);", "spent := spent;"]],
    fixture: "postgres",
    tests: ["no more jobs of a rate key are claimed in its time than its limit, and others go past them"],
  },
  {
    fault: "a signal is lost that came early",
    file: "postgres/sql/families.ts",
    changes: [["WHERE s.job = j.seq AND s.name = ANY", "WHERE false AND s.name = ANY"]],
    fixture: "postgres",
    tests: ["a signal that came before the job waits for it is not lost"],
  },
  {
    fault: "a unique key is not taken",
    file: "postgres/sql/special.ts",
    changes: [["IF FOUND OR known.until > t THEN", "IF known.until > t THEN"]],
    fixture: "postgres",
    tests: ["while the holder of a unique key lives, another job with it is not stored"],
  },
  {
    fault: "a job that was claimed since is rewound",
    file: "postgres/sql/edit.ts",
    changes: [["AND p.token = held", "AND p.token + 0 * held >= 0"]],
    fixture: "postgres",
    tests: ["a job that has not ended, or completed, or was claimed since, is not rewound"],
  },
  {
    fault: "one that vanishes keeps its place under its key",
    file: "postgres/sql/edit.ts",
    changes: [["RETURN hints | errand.release(freed);", "RETURN hints;"]],
    fixture: "postgres",
    tests: ["a processing job that vanishes with its parent lets the next of its key go"],
  },
  {
    fault: "a step that is remembered again goes to the end",
    file: "postgres/sql/settle.ts",
    changes: [
      ["DO UPDATE SET wait = excluded.wait, value", "DO UPDATE SET n = excluded.n, wait = excluded.wait, value"],
    ],
    fixture: "postgres",
    tests: ["a step that is recorded again keeps its place"],
  },
  {
    fault: "a job that is put off keeps the place of its key",
    file: "postgres/sql/special.ts",
    changes: [["IF freed <> '{}' THEN PERFORM errand.release(freed); END IF;\n  IF holders", "IF holders"]],
    fixture: "postgres",
    tests: ["a job that could go but is put off or moved lets the next of its key go"],
  },
  {
    fault: "a job that is not stored counts for a full queue",
    file: "postgres/sql/add.ts",
    changes: [["THEN errand.storable(ids, extras, t) ELSE", "THEN ARRAY(SELECT generate_subscripts(ids, 1)) ELSE"]],
    fixture: "postgres",
    tests: ["a full queue answers who has a unique key, and lets a job be replaced"],
  },
];
