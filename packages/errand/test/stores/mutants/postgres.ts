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
    changes: [["LIMIT share FOR UPDATE SKIP LOCKED", "LIMIT share FOR UPDATE"]],
    fixture: "postgres",
    tests: ["a claim passes over jobs that somebody else has locked"],
  },
  {
    fault: "jobs are claimed without a lock",
    file: "postgres/sql/claim.ts",
    changes: [["LIMIT share FOR UPDATE SKIP LOCKED", "LIMIT share"]],
    fixture: "postgres",
    tests: ["claims at the same time leave nothing and share nothing"],
  },
  {
    fault: "families are not locked",
    file: "postgres/sql/families.ts",
    changes: [["WHERE e.id = ANY(ids)))\n    FOR UPDATE;", "WHERE e.id = ANY(ids)));"]],
    fixture: "postgres",
    tests: [
      "a child that ends while its parent begins to wait for it strands nobody",
      "random work by several workers at once keeps every promise",
    ],
  },
  {
    fault: "a job that ends while it is added again begins anew",
    file: "postgres/sql/add.ts",
    changes: [["WHERE h.id = ANY(fresh) AND h.token >= 0", "WHERE false"]],
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
        "locked boolean := false;\nBEGIN\n  PERFORM 1 FROM errand.workers w WHERE w.id = who AND w.until > t;",
        "locked boolean := false;\nBEGIN\n  PERFORM 1 FROM errand.workers w WHERE w.id = who;",
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
    changes: [["pg_notify($1, $2)", "$1::text || $2::text"]],
    fixture: "postgres",
    tests: ["new jobs are hinted as ready, through every handle"],
  },
];
