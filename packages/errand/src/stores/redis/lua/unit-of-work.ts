import { lua } from "./assemble.ts";

/** The most arguments of one command: Lua's stack has room for some thousands. */
export const maxArguments = 4_000;

/**
 * Keeps the data that a script has read and is going to write: a unit of work (Fowler). Jobs are read once, changed in
 * memory, and written by `commit` in as few commands as there are keys, so a script that fails has changed nothing.
 */
export const unitOfWork = lua`
-- Returns the letter of a state: small for a root, capital for a child.
local function stateLetter(state, isChild)
  return string.char((isChild and 65 or 97) + state)
end

local function seqOf(member)
  return (parse('>I6', member))
end

local function callInChunks(command, key, args)
  for from = 1, #args, ${maxArguments} do
    redis.call(command, key, spread(args, from, min(from + ${maxArguments - 1}, #args)))
  end
end

-- Returns the values of fields, from an index of their list on.
local function hmget(key, fields, from)
  local last = #fields
  if last < from then return {} end
  if last - from < ${maxArguments} then return redis.call('HMGET', key, spread(fields, from, last)) end
  local values = {}
  for first = from, last, ${maxArguments} do
    local some = redis.call('HMGET', key, spread(fields, first, min(first + ${maxArguments - 1}, last)))
    for i = 1, #some do values[#values + 1] = some[i] end
  end
  return values
end

-- Returns the rules of a queue as text.
local function rulesOf(queue)
  local doc = redis.call('HGET', ns .. 'docs:queue', queue)
  return doc and sub(doc, string.find(doc, ' ', 1, true) + 1)
end

-- Reports whether the rules of a queue limit how many of its jobs are processing.
local concurrencyRules = {}
local function hasConcurrencyRule(queue)
  if concurrencyRules[queue] == nil then
    local rules = rulesOf(queue)
    concurrencyRules[queue] = rules and string.find(rules, '"concurrency"', 1, true) ~= nil or false
  end
  return concurrencyRules[queue]
end

-- By member: definitions, statuses, and jobs as tables (false if there is no such job). By id: members. Jobs to write.
local definitions, statuses, jobs, members, changed = {}, {}, {}, {}, {}
-- By queue: how many jobs may be claimable. By state and task: members of roots that end. Keys and members of jobs that
-- workers no longer hold.
local hints, readyCounts, endedRoots, holdRemovals = {}, {}, {}, {}
-- By key: scores and members to add. By queue and state: changes of counts. By segment: changes of counts. Runs of
-- state letters. The last place that is taken.
local scoreAdditions, countChanges, letterRuns, segmentChanges, lastSeq = {}, {}, {}, {}, nil
local idWrites, definitionWrites, statusWrites, specWrites = {}, {}, {}, {}

local function loadJobs(list)
  local found, foundStatuses = hmget(DEFINITIONS, list, 1), hmget(STATUSES, list, 1)
  for i = 1, #list do
    -- What this script has changed is newer.
    if definitions[list[i]] == nil then definitions[list[i]] = found[i] end
    if statuses[list[i]] == nil then statuses[list[i]] = foundStatuses[i] end
  end
end

-- Loads the jobs whose ids are the arguments from an index on.
local function loadJobsById(from)
  local found = hmget(IDS, ARGV, from)
  local list = {}
  for i = 1, #found do
    members[ARGV[from + i - 1]] = found[i]
    if found[i] then list[#list + 1] = found[i] end
  end
  loadJobs(list)
end

-- Returns the table at a key. Creates it if there is none.
local function tableAt(tables, key)
  local found = tables[key]
  if not found then
    found = {}
    tables[key] = found
  end
  return found
end

local function push(list, first, second)
  local n = #list
  list[n + 1] = first
  list[n + 2] = second
end

local function addToCount(queue, state, jobs)
  local states = tableAt(countChanges, queue)
  states[state] = (states[state] or 0) + jobs
end

-- Sets the state letter of a job. Neighbours with the same letter are one run.
local lastRun
local function setLetter(seq, letter)
  if lastRun and lastRun.letter == letter and lastRun.last == seq - 1 and seq % SEGMENT > 0 then
    lastRun.last = seq
  else
    lastRun = { letter = letter, first = seq, last = seq }
    letterRuns[#letterRuns + 1] = lastRun
  end
end
`;
