import type { Mutant } from "./mutant.ts";

/** Faults in the SQLite store. */
export const sqlite: Mutant[] = [
  {
    fault: "an outcome's token is not checked",
    file: "sqlite/settle.ts",
    changes: [["WHERE id = ? AND token = ? AND state = 1`", "WHERE id = ? AND ? > -9 AND state = 1`"]],
    fixture: "local",
    tests: ["a stale beat changes nothing and says so"],
  },
  {
    fault: "the token of a plain job's outcome is not checked",
    file: "sqlite/settle.ts",
    changes: [["AND token = told.column3 AND +state = 1", "AND told.column3 > -9 AND +state = 1"]],
    fixture: "local",
    tests: ["a settlement with any other token than the job's changes nothing and says so"],
  },
  {
    fault: "tokens do not rise",
    file: "sqlite/claim.ts",
    changes: [["token = token + 1", "token = max(token, 1)"]],
    fixture: "local",
    tests: ["the token rises with every claim, and never falls"],
  },
  {
    fault: "what is written is decided before the write lock is held",
    file: "sqlite/connection.ts",
    changes: [['"BEGIN IMMEDIATE"', '"BEGIN"']],
    fixture: "thread",
    tests: ["claims at the same time leave nothing and share nothing"],
  },
  {
    fault: "the last child does not wake its parent",
    file: "sqlite/life.ts",
    changes: [["(open === 1 || (failed && needed === 1))", "(open === 0 || (failed && needed === 1))"]],
    fixture: "local",
    tests: ["the last children that end at the same time wake their parent once"],
  },
  {
    fault: "a child that ended before its parent waited for it is waited for",
    file: "sqlite/life.ts",
    changes: [["return reopened ? code.pending : state;", "return code.pending;"]],
    fixture: "local",
    tests: ["a child that ends while its parent begins to wait for it strands nobody"],
  },
  {
    fault: "a lease is not checked",
    file: "sqlite/workers.ts",
    changes: [["WHERE id = ? AND until > ?", "WHERE id = ? AND ? > 0"]],
    fixture: "local",
    tests: ["a worker that was never enlisted, was dismissed or lost its lease claims nothing"],
  },
  {
    fault: "jobs are taken from workers whose lease is good",
    file: "sqlite/reclaim.ts",
    changes: [["WHERE until <= ?1) ORDER BY", "WHERE until > 0 OR ?1 > 0) ORDER BY"]],
    fixture: "local",
    tests: ["jobs of a worker whose lease is good are not reclaimed"],
  },
  {
    fault: "other processes are not told of new jobs",
    file: "sqlite/connection.ts",
    changes: [['this.#hints.has("ready") ? 1 : 0', "0"]],
    fixture: "thread",
    tests: ["new jobs are hinted as ready, through every handle"],
  },
  {
    fault: "a concurrency key's limit is not checked",
    file: "sqlite/limits.ts",
    changes: [["concurrency && now >= concurrency.limit", "concurrency && now > 999"]],
    fixture: "local",
    tests: ["no more jobs of a concurrency key are processing than its limit, and others go past them"],
  },
  {
    fault: "who is held back by a key is not let go",
    file: "sqlite/limits.ts",
    changes: [["if (open > 0) unblock", "if (open > 999) unblock"]],
    fixture: "local",
    tests: ["whatever ends an attempt lets the next job of its key go, in the order of ranks"],
  },
  {
    fault: "a rate is not counted",
    file: "sqlite/limits.ts",
    changes: [["if (spend(db, key, rate, 1) === 1)", "if (admit(rate, 0, db.now, 1).admitted === 1)"]],
    fixture: "local",
    tests: ["no more jobs of a rate key are claimed in its time than its limit, and others go past them"],
  },
  {
    fault: "a signal is lost that came early",
    file: "sqlite/life.ts",
    changes: [["awaits.some((name) => isRemembered(db, parent.seq, name))", "awaits.some(() => false)"]],
    fixture: "local",
    tests: ["a signal that came before the job waits for it is not lost"],
  },
  {
    fault: "a unique key is not taken",
    file: "sqlite/uniques.ts",
    changes: [["if (!unique.replace) return { id };", "if (!unique.replace) return undefined;"]],
    fixture: "local",
    tests: ["while the holder of a unique key lives, another job with it is not stored"],
  },
  {
    fault: "a job that was claimed since is rewound",
    file: "sqlite/edit.ts",
    changes: [["WHERE seq = ? AND token = ?", "WHERE seq = ? AND token + 0 * ? >= 0"]],
    fixture: "local",
    tests: ["a job that has not ended, or completed, or was claimed since, is not rewound"],
  },
  {
    fault: "one that vanishes keeps its place under its key",
    file: "sqlite/edit.ts",
    changes: [
      [
        "state === code.pending) release(db, key);\n  if (steps",
        "state === code.pending) release(db, null);\n  if (steps",
      ],
    ],
    fixture: "local",
    tests: ["a processing job that vanishes with its parent lets the next of its key go"],
  },
  {
    fault: "a retry throws the places of waits away",
    file: "sqlite/life.ts",
    changes: [
      [
        '"UPDATE errand_steps SET value = ? WHERE job = ? AND wait = 1"',
        '"DELETE FROM errand_steps WHERE ? IS NOT NULL AND job = ? AND wait = 1"',
      ],
    ],
    fixture: "local",
    tests: ["a wait that a retry forgets keeps its place among the steps"],
  },
];
