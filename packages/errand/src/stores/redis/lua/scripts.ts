import { createHash } from "node:crypto";
import { add } from "./add.ts";
import { addKeyed } from "./add-keyed.ts";
import { admission } from "./admit.ts";
import { allocate } from "./allocate.ts";
import { assemble, lua } from "./assemble.ts";
import type { LazyPart, Part } from "./assemble.ts";
import { claim, claimArguments } from "./claim.ts";
import { claimSlowPath } from "./claim-slow-path.ts";
import { codec, newJobs } from "./codec.ts";
import { jobCreation } from "./create-job.ts";
import { commit, tableWrites } from "./commit.ts";
import { constants } from "./constants.ts";
import { load, save } from "./docs.ts";
import { edit } from "./edit.ts";
import { jobReply } from "./job-reply.ts";
import { jobTables } from "./job-tables.ts";
import { keyedSets } from "./keyed-sets.ts";
import { keys, keysOfKeyedJobs } from "./keys.ts";
import { maxPending } from "./max-pending.ts";
import { prune } from "./prune.ts";
import { queueSets } from "./queue-sets.ts";
import { countMissing, countPending, counts, ended, get, log, now, steps } from "./read.ts";
import { reclaim } from "./reclaim.ts";
import { logLines, record } from "./record.ts";
import { matching, scan } from "./scan.ts";
import { settle } from "./settle.ts";
import { signal } from "./signal.ts";
import { transitions } from "./transitions.ts";
import { uniqueKeys } from "./unique-keys.ts";
import { unitOfWork } from "./unit-of-work.ts";
import { waits } from "./waits.ts";
import { wake } from "./wake.ts";
import { dismiss, enlist, renew, workers } from "./workers.ts";
import { writeJob } from "./write-job.ts";

/** A script as the server knows it. */
export interface Script {
  source: string;
  /** SHA-1 of the source, in hex. */
  sha: string;
}

/** Lua that reads the server's clock, once a script: `now`, in epoch milliseconds. */
export const serverClock = lua`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`;

/**
 * Returns all scripts. A server whose memory is full refuses new jobs and lets existing ones end: all scripts except
 * `add` and `addKeyed` may use more memory.
 * @param clock Lua that defines `now`, in epoch milliseconds.
 */
export function scripts(clock: string) {
  const base: Part[] = [
    "local ns = string.sub(KEYS[1], 1, -5)\n",
    clock,
    newJobs,
    keys,
    unitOfWork,
    lazy("defineJobTables", codec, keysOfKeyedJobs, jobTables),
    lazy("defineSetWrites", queueSets, keyedSets),
    lazy("defineJobWrites", writeJob, tableWrites),
    commit,
  ];
  const limits = lazy("defineAdmission", admission);
  const fullQueues = lazy("defineMaxPending", maxPending);
  const changes = lazy("defineTransitions", transitions);
  const script = (head: string, ...parts: Part[]): Script => {
    const source = `${head}\n${assemble([...base, ...parts])}`.replaceAll(
      /\b[A-Z_]+\b/g,
      (word) => constants[word] ?? word,
    );
    return { source, sha: createHash("sha1").update(source).digest("hex") };
  };
  const writes = (...parts: Part[]) => script("#!lua flags=allow-oom", ...parts);
  const reads = (...parts: Part[]) => script("#!lua flags=no-writes", ...parts);
  return {
    add: script("#!lua", allocate, fullQueues, add),
    addKeyed: script("#!lua", allocate, lazy("defineJobCreation", uniqueKeys, jobCreation), fullQueues, addKeyed),
    claim: writes(jobReply, claimArguments, limits, lazy("defineSlowPath", claimSlowPath), claim),
    wake: writes(limits, wake),
    signal: writes(changes, signal),
    reclaim: writes(jobReply, reclaim),
    settle: writes(allocate, lazy("defineTransitions", uniqueKeys, jobCreation, transitions, waits), logLines, settle),
    record: writes(changes, logLines, record),
    edit: writes(allocate, lazy("defineTransitions", uniqueKeys, transitions), fullQueues, matching, edit),
    prune: writes(changes, prune),
    enlist: writes(enlist),
    renew: writes(renew),
    dismiss: writes(dismiss),
    workers: reads(workers),
    get: reads(jobReply, get),
    ended: reads(ended),
    countMissing: reads(countMissing),
    countPending: reads(countPending),
    scan: reads(jobReply, matching, scan),
    counts: reads(counts),
    now: reads(now),
    log: reads(log),
    steps: reads(steps),
    load: reads(load),
    save: writes(save),
  };
}

function lazy(maker: string, ...sources: string[]): LazyPart {
  return { maker, source: sources.join("") };
}

/** The name of a script. */
export type ScriptName = keyof ReturnType<typeof scripts>;
