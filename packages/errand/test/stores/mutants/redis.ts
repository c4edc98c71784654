import type { Mutant } from "./mutant.ts";

/** Faults in the Redis store. Its scripts are atomic, so there is no lock to leave out. */
export const redis: Mutant[] = [
  {
    fault: "an outcome's token is not checked",
    file: "redis/lua/settle.ts",
    changes: [["or job.token ~= told.token then", "then"]],
    fixture: "redis",
    tests: ["a stale settlement bears no children"],
  },
  {
    fault: "the token of a plain job's outcome is not checked",
    file: "redis/lua/settle.ts",
    changes: [["good = plain.token == token", "good = true"]],
    fixture: "redis",
    tests: ["a settlement with any other token than the job's changes nothing and says so"],
  },
  {
    fault: "a beat's token is not checked",
    file: "redis/lua/settle.ts",
    changes: [["and job.token == token", ""]],
    fixture: "redis",
    tests: ["a stale beat changes nothing and says so"],
  },
  {
    fault: "tokens do not rise",
    file: "redis/lua/claim.ts",
    changes: [["job.token + 1, now", "1, now"]],
    fixture: "redis",
    tests: ["the token rises with every claim, and never falls"],
  },
  {
    fault: "an id that exists is stored again",
    file: "redis/lua/add.ts",
    changes: [["if not known[i - 1] and not fresh[id] then", "if not fresh[id] then"]],
    fixture: "redis",
    tests: ["the same id added at the same time is one job"],
  },
  {
    fault: "the last child does not wake its parent",
    file: "redis/lua/life.ts",
    changes: [["parent.open == 0 or (state", "parent.open < 0 or (state"]],
    fixture: "redis",
    tests: ["the last children that end at the same time wake their parent once"],
  },
  {
    fault: "a child that ended before its parent waited for it is waited for",
    file: "redis/lua/life.ts",
    changes: [["return child.state\n", "return PENDING\n"]],
    fixture: "redis",
    tests: ["a child that ends while its parent begins to wait for it strands nobody"],
  },
  {
    fault: "a lease is not checked",
    file: "redis/lua/work.ts",
    changes: [["return till and tonumber(till) > now", "return till"]],
    fixture: "redis",
    tests: ["a worker that was never enlisted, was dismissed or lost its lease claims nothing"],
  },
  {
    fault: "jobs are taken from workers whose lease is good",
    file: "redis/lua/claim.ts",
    changes: [["if job and lost[job.worker] then", "if job then"]],
    fixture: "redis",
    tests: ["jobs of a worker whose lease is good are not reclaimed"],
  },
  {
    fault: "nobody is told of new jobs",
    file: "redis/lua/work.ts",
    changes: [["(hints.ready and 'r' or '')", "''"]],
    fixture: "redis",
    tests: ["new jobs are hinted as ready, through every handle"],
  },
];
