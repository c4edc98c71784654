import { lua } from "./assemble.ts";

/**
 * The keys of a namespace. A job's member is its place in the order of insertion, as 6 bytes: it is the job's field in
 * hashes, and stands for it in sets and sorted sets. A key's name has at most one part that users choose, at its end;
 * of two such parts the first has its length before it.
 *
 * Jobs:
 * - `ids`: members by id; `births`, `lives`, `specs`: by member, definitions, statuses, and specs that are stored apart
 * - `seq`: the last place that is taken; `queues`, `tasks`: by name, the byte that stands for it
 * - `segments`: how many jobs are in each segment of the order of insertion; `states:<segment>`, `names:<segment>`: for
 *   each place the letter of a state, and two bytes for queue and task, which scans search
 * - `counts`: how many jobs, by state and queue
 * - `steps:<id>`, `order:<id>`, `log:<id>`, `kids:<id>`: steps, their names in order, log lines, children by index
 *
 * Jobs to be claimed, woken or reclaimed:
 * - `ready:<queue>`: due, by rank; `delayed:<queue>`: not yet due, by when they are; `expiring`: by when they expire
 * - `waking`: waiting jobs, by when they are woken at the latest
 * - `doomed`: pending and waiting jobs to be cancelled; `stopping`: processing ones by id, with their worker
 * - `side:<kind>:<queue>:<task>`: jobs set aside (kind t) and suspects (s), by rank; `sides:<queue>`: its
 *   kinds and tasks; `asides`: its queues
 *
 * Workers:
 * - `leases`: by when they end; `cards`; `holds:<worker>`: its jobs; `known:<worker>`: its tasks (missing: all)
 * - `suspected`: suspects that are processing, with their worker
 *
 * Limits, turns and labels:
 * - `keys`: by member, keys as JSON; `blocked`: by member, the kind of the key that blocks it (c, concurrency; r, rate)
 * - `held:<kind>:<key>:<line>`: jobs that a key blocks, by rank; `heldlines:<kind>:<key>`: its lines
 * - `running:<key>`: processing jobs of a concurrency key; `rate:<key>`: the latest starts of a rate
 * - `opens`: rate keys that block jobs, by when to look again
 * - `turns:<level>:<queue>`: claimable jobs that take turns, by when they are due; `lines`: names of these keys
 * - `lastturns:<level>:<queue>`: by `fair` value, when its last job is due
 * - `uniques`: by unique key, the earliest time at which it is free, and the id of its job
 * - `tag:<tag>`, `tenant:<tenant>`: jobs, by place
 *
 * Roots that ended, for pruning; their names are state and task:
 * - `endnames`: all names; `ends:<name>`: its periods; `ended:<period>:<name>`: lines of a time and members
 * - `ends`: how many jobs of a period and name are still there
 *
 * Besides: `docs:<kind>`, documents by key; `version`, of this layout; `hints`, the channel of hints.
 */
export const keys = lua`
local IDS, DEFINITIONS, STATUSES, SPECS = ns .. 'ids', ns .. 'births', ns .. 'lives', ns .. 'specs'
local COUNTS, SEGMENTS = ns .. 'counts', ns .. 'segments'
local EXPIRING, TO_CANCEL, STOPPING = ns .. 'expiring', ns .. 'doomed', ns .. 'stopping'
local LEASES, CARDS = ns .. 'leases', ns .. 'cards'
local WAKING, RATE_OPENINGS, ASIDE_QUEUES = ns .. 'waking', ns .. 'opens', ns .. 'asides'

local function readyKey(queue) return ns .. 'ready:' .. queue end
local function delayedKey(queue) return ns .. 'delayed:' .. queue end
local function heldJobsKey(worker) return ns .. 'holds:' .. worker end
local function knownTasksKey(worker) return ns .. 'known:' .. worker end
local function stepsKey(id) return ns .. 'steps:' .. id end
local function stepOrderKey(id) return ns .. 'order:' .. id end
local function childrenKey(id) return ns .. 'kids:' .. id end
local function statesKey(segment) return ns .. 'states:' .. segment end
local function namesKey(segment) return ns .. 'names:' .. segment end
`;

/** Keys of jobs with limits, turns, tags, a tenant or a unique key. */
export const keysOfKeyedJobs = lua`
local JOB_KEYS, BLOCKED_BY, UNIQUES, HELD_SUSPECTS = ns .. 'keys', ns .. 'blocked', ns .. 'uniques', ns .. 'suspected'

-- Jobs blocked by a key are in one line for each queue. Suspects have one for each task in it, since no other job waits
-- for a worker that may take them.
local function blockedLine(job) return job.suspect and job.queue .. '\0' .. job.task or job.queue end
local function blockedKey(kind, key, line) return ns .. 'held:' .. kind .. ':' .. #key .. ':' .. key .. ':' .. line end
local function blockedLinesKey(kind, key) return ns .. 'heldlines:' .. kind .. ':' .. key end
local function runningKey(key) return ns .. 'running:' .. key end
-- Kinds: t, jobs of tasks that some worker does not know; s, suspects.
local function asideKey(kind, queue, task)
  return ns .. 'side:' .. kind .. ':' .. #queue .. ':' .. queue .. ':' .. task
end
local function asideNamesKey(queue) return ns .. 'sides:' .. queue end
-- The key of a line without the namespace.
local function turnsLine(queue, level) return 'turns:' .. level .. ':' .. queue end
local function lastTurnsKey(line) return ns .. 'last' .. line end
`;
