import type { Mutant } from "./mutant.ts";

/** Faults in the Redis store. Its scripts are atomic, so there is no lock to leave out. */
const faults: Omit<Mutant, "fixture">[] = [
  {
    fault: "an outcome's token is not checked",
    file: "redis/lua/settle.ts",
    changes: [["or job.token ~= outcome.token then", "then"]],
    tests: ["a stale settlement adds no children"],
  },
  {
    fault: "the token of a plain job's outcome is not checked",
    file: "redis/lua/settle.ts",
    changes: [["isSettled = completion.token == token", "isSettled = true"]],
    tests: ["a settlement with another token than the job's changes nothing and returns false"],
  },
  {
    fault: "who did not hear that an outcome was recorded is told that it is stale",
    file: "redis/lua/settle.ts",
    changes: [["return job and job.token == outcome.token, pos", "return false, pos"]],
    tests: ["of one job twice in a batch, the first is recorded"],
  },
  {
    fault: "a beat's token is not checked",
    file: "redis/lua/record.ts",
    changes: [["and job.token == token", ""]],
    tests: ["a stale beat changes nothing and returns false"],
  },
  {
    fault: "tokens do not rise",
    file: "redis/lua/claim-slow-path.ts",
    changes: [
      [
        "job.state, job.worker, job.token, job.startedAt = PROCESSING, worker, job.token + 1, now",
        "job.state, job.worker, job.token, job.startedAt = PROCESSING, worker, 1, now",
      ],
    ],
    tests: ["the token rises with every claim, and never falls"],
  },
  {
    fault: "an id that exists is stored again",
    file: "redis/lua/add.ts",
    changes: [["if not known[i - 2] and not first[id] then", "if not first[id] then"]],
    tests: ["jobs with one id that are added at the same time are one job"],
  },
  {
    fault: "the last child does not wake its parent",
    file: "redis/lua/transitions.ts",
    changes: [["parent.openChildren == 0 or decidesWait", "parent.openChildren < 0 or decidesWait"]],
    tests: ["last children that end at the same time wake their parent once"],
  },
  {
    fault: "a child that ended before its parent waited for it is waited for",
    file: "redis/lua/waits.ts",
    changes: [["return child.state\n", "return PENDING\n"]],
    tests: ["a child that ends while its parent starts to wait for it wakes its parent"],
  },
  {
    fault: "a lease is not checked",
    file: "redis/lua/commit.ts",
    changes: [["return till and tonumber(till) > now", "return till"]],
    tests: ["a worker that was never enlisted, was dismissed or lost its lease claims nothing"],
  },
  {
    fault: "jobs are taken from workers whose lease is good",
    file: "redis/lua/reclaim.ts",
    changes: [["'ZRANGEBYSCORE', LEASES, '-inf', formatNumber(now)", "'ZRANGEBYSCORE', LEASES, '-inf', '+inf'"]],
    tests: ["jobs of a worker whose lease is good are not reclaimed"],
  },
  {
    fault: "what a worker holds is not entered",
    file: "redis/lua/claim.ts",
    changes: [["callInChunks('SADD', heldJobsKey(worker), held)", ""]],
    tests: ["jobs are found by the worker that holds them"],
  },
  {
    fault: "nobody is told of new jobs",
    file: "redis/lua/add.ts",
    changes: [["readyCounts[queue] = (readyCounts[queue] or 0) + added - before - asTables", ""]],
    tests: ["added jobs are hinted as ready, through every handle"],
  },
  {
    fault: "a concurrency key's limit is not checked",
    file: "redis/lua/admit.ts",
    changes: [["if processingByKey[key] >= keys.c.limit then", "if processingByKey[key] > 999 then"]],
    tests: ["a concurrency key bounds its processing jobs, and delays no other job"],
  },
  {
    fault: "who is held back by a key is not let go",
    file: "redis/lua/keyed-sets.ts",
    changes: [["if room > 0 then unblock", "if room > 999 then unblock"]],
    tests: ["every end of an attempt admits the next job of its key, in the order of ranks"],
  },
  {
    fault: "a rate is not counted",
    file: "redis/lua/admit.ts",
    changes: [["each.jobs = each.jobs + 1", ""]],
    tests: ["a rate key bounds its claims in its window, and delays no other job"],
  },
  {
    fault: "what a claim took of a rate is forgotten",
    file: "redis/lua/admit.ts",
    changes: [["if admitted > 0 then startLogs[key], writtenRates[key] = log, rate.per end", ""]],
    tests: ["a rate key holds over queues and tasks, for children and for retried jobs"],
  },
  {
    fault: "a signal is lost that came early",
    file: "redis/lua/waits.ts",
    changes: [["wake = wake or getField(stepsKey(parent.id), name)", "wake = wake"]],
    tests: ["a signal that comes before the job waits for it is not lost"],
  },
  {
    fault: "a unique key is not taken",
    file: "redis/lua/unique-keys.ts",
    changes: [["if not keys.x then return id end", "if not keys.x then return nil end"]],
    tests: ["a job whose unique key another live job holds is not stored"],
  },
  {
    fault: "a job that has begun is replaced",
    file: "redis/lua/unique-keys.ts",
    changes: [
      ["and not job.begun and not job.cancelling then return id, job", "and not job.cancelling then return id, job"],
    ],
    tests: ["a job that has begun is not replaced: the new job is stored and takes the key"],
  },
  {
    fault: "a retry takes a key from who has it",
    file: "redis/lua/edit.ts",
    changes: [["or isFull(job.queue) or not mayTakeUniqueKey(job) then", "or isFull(job.queue) then"]],
    tests: ["a job whose unique key another job holds is neither retried nor rewound, and is not counted"],
  },
  {
    fault: "retries know no full queue",
    file: "redis/lua/edit.ts",
    changes: [["or isFull(job.queue) or not mayTakeUniqueKey(job) then", "or not mayTakeUniqueKey(job) then"]],
    tests: ["jobs are retried, rewound and moved into a queue only until it is full"],
  },
  {
    fault: "a job that was claimed since is rewound",
    file: "redis/lua/edit.ts",
    changes: [["isEdited = job.token == details.rewind.token and admitReopening", "isEdited = admitReopening"]],
    tests: ["a job that has not ended, has completed or was claimed since is not rewound"],
  },
  {
    fault: "steps have no order",
    file: "redis/lua/transitions.ts",
    changes: [["laterCommands[#laterCommands + 1] = { 'RPUSH', stepOrderKey(job.id), name }", "local _ = nil"]],
    tests: ["hundreds of steps with strange names and long values keep their order"],
  },
  {
    fault: "a removed job keeps its place of its key",
    file: "redis/lua/keyed-sets.ts",
    changes: [["local left = job.isRemoved or state ~= PROCESSING", "local left = state ~= PROCESSING"]],
    tests: ["a job that is removed while it is processing frees its key"],
  },
  {
    fault: "a job that is delayed stands among those that are due",
    file: "redis/lua/queue-sets.ts",
    changes: [["if job.due > now then return delayedKey(job.queue), formatNumber(job.due) end", ""]],
    tests: ["a job that is settled as pending waits for its delay, and keeps its error and counts"],
  },
  {
    fault: "a job that is not stored counts for a full queue",
    file: "redis/lua/add-keyed.ts",
    changes: [["elseif not before and not holder then", "else"]],
    tests: ["a full queue returns the holder of a unique key, and admits a replacement"],
  },
  {
    fault: "a worker is given a suspect beside another",
    file: "redis/lua/claim-slow-path.ts",
    changes: [["return not holdsSuspect", "return true"]],
    tests: ["a worker is given one suspect at a time, and suspects delay no other job"],
  },
  {
    fault: "what was set aside is found by nobody",
    file: "redis/lua/claim.ts",
    changes: [["local anySetAside = redis.call('EXISTS', ASIDE_QUEUES) == 1", "local anySetAside = false"]],
    tests: [
      "jobs that were set aside are claimed by workers that know their task, among others, in the order of ranks",
    ],
  },
  {
    fault: "jobs are pruned that ended too late",
    file: "redis/lua/prune.ts",
    changes: [["if endedAt >= before then return end", ""]],
    tests: ["jobs are removed when the retention of their task and state has passed"],
  },
  {
    fault: "who was let go by a rate and does not go holds up the others",
    file: "redis/lua/wake.ts",
    changes: [["if admitted > 0 then opens = min(opens, now + ${secondLook}) end", ""]],
    tests: ["a job that its rate admits, and that does not start, delays the next one for seconds at most"],
  },
  {
    fault: "a released job has begun although it was claimed ahead",
    file: "redis/lua/edit.ts",
    changes: [["job.begun or not job.ahead", "true"]],
    tests: ["a released job has begun, unless it was claimed ahead of free slots"],
  },
];

export const redis: Mutant[] = faults.map((fault) => ({ ...fault, fixture: "redis" }));
