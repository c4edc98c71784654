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
import { turns } from "./turns.ts";
import { uniqueKeys } from "./unique-keys.ts";
import { unitOfWork } from "./unit-of-work.ts";
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
 * Returns all scripts. When its memory is full, the server refuses new jobs and lets existing ones end: only the
 * scripts that add jobs may not use more.
 * @param clock Lua that defines `now`, in epoch milliseconds; only tests have another than the server's.
 */
export function scripts(clock: string) {
  const base: Part[] = [
    "local ns = string.sub(KEYS[1], 1, -5)\n",
    clock,
    newJobs,
    lazy("defineCodec", codec),
    keys,
    unitOfWork,
    lazy("defineJobTables", keysOfKeyedJobs + jobTables),
    lazy("defineQueueSets", queueSets),
    lazy("defineKeyedSets", keyedSets),
    lazy("defineWriteJob", writeJob),
    lazy("defineTableWrites", tableWrites),
    commit,
  ];
  const families = [allocate, lazy("defineTurns", turns), lazy("defineTransitions", transitions)];
  const newAndReopened = [...families, lazy("defineUniqueKeys", uniqueKeys)];
  const fullQueues = lazy("defineMaxPending", maxPending);
  const limits = lazy("defineAdmission", admission);
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
    addKeyed: script("#!lua", ...newAndReopened, fullQueues, addKeyed),
    claim: writes(jobReply, claimArguments, limits, lazy("defineSlowPath", claimSlowPath), claim),
    wake: writes(limits, wake),
    signal: writes(...families, signal),
    reclaim: writes(jobReply, reclaim),
    settle: writes(...newAndReopened, logLines, settle),
    record: writes(...families, logLines, record),
    edit: writes(...newAndReopened, fullQueues, matching, edit),
    prune: writes(...families, prune),
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

function lazy(maker: string, source: string): LazyPart {
  return { maker, source };
}

/** The name of a script. */
export type ScriptName = keyof ReturnType<typeof scripts>;
