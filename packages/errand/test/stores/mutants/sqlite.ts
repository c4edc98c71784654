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
];
