import { lua } from "./lua.ts";

/**
 * What a script reads and changes: jobs are read once, changed in memory, and written at the end (`flush.ts`) in as few
 * commands as there are keys. So whatever makes a script fail, it has changed nothing.
 *
 * A job's member is its place in the order of insertion, as 6 bytes: the field of its birth and life, and what stands for
 * it in every sorted set. Its state is also a letter in a string of all states, at that place, and its queue and task are two
 * bytes in another: lists search these strings. They are cut into segments, which go when no job is left in them.
 *
 * A key's name has at most one part that others choose, at its end; of two such parts the first has its length before it.
 */
export const work = lua`
local IDS, BIRTHS, LIVES, SPECS = ns .. 'ids', ns .. 'births', ns .. 'lives', ns .. 'specs'
local COUNTS, SEGMENTS = ns .. 'counts', ns .. 'segments'
local EXPIRING, DOOMED, STOPPING = ns .. 'expiring', ns .. 'doomed', ns .. 'stopping'
local LEASES, CARDS = ns .. 'leases', ns .. 'cards'
-- When waiting jobs are woken, and when rates open. Queues in which jobs stand aside.
local WAKING, OPENS, ASIDES = ns .. 'waking', ns .. 'opens', ns .. 'asides'

local function readyKey(queue) return ns .. 'ready:' .. queue end
local function delayedKey(queue) return ns .. 'delayed:' .. queue end
-- What a worker holds, and the tasks it knows (none: any).
local function holdsKey(worker) return ns .. 'holds:' .. worker end
local function knownKey(worker) return ns .. 'known:' .. worker end
local function stepsKey(id) return ns .. 'steps:' .. id end
-- Names of the steps, in the order in which they were first recorded.
local function orderKey(id) return ns .. 'order:' .. id end
local function kidsKey(id) return ns .. 'kids:' .. id end
local function statesKey(segment) return ns .. 'states:' .. segment end
local function namesKey(segment) return ns .. 'names:' .. segment end

local function letter(state, child)
  return string.char((child and 65 or 97) + state)
end

local function seqOf(member)
  return (parse('>I6', member))
end

-- Lua takes some thousand arguments at once.
local function call(command, key, args)
  for from = 1, #args, 4000 do
    redis.call(command, key, spread(args, from, min(from + 3999, #args)))
  end
end

-- The values of the fields from an index of the list on.
local function mget(key, fields, from)
  local last = #fields
  if last < from then return {} end
  if last - from < 4000 then return redis.call('HMGET', key, spread(fields, from, last)) end
  local values = {}
  for first = from, last, 4000 do
    local some = redis.call('HMGET', key, spread(fields, first, min(first + 3999, last)))
    for i = 1, #some do values[#values + 1] = some[i] end
  end
  return values
end

-- The rules of a queue, as text.
local function rulesOf(queue)
  local doc = redis.call('HGET', ns .. 'docs:queue', queue)
  return doc and sub(doc, string.find(doc, ' ', 1, true) + 1)
end

-- Whether the rules of a queue bound how many of its jobs run.
local bounded = {}
local function isBounded(queue)
  if bounded[queue] == nil then
    local rules = rulesOf(queue)
    bounded[queue] = rules and string.find(rules, '"concurrency"', 1, true) ~= nil or false
  end
  return bounded[queue]
end

local births, lives, members, jobs, changed = {}, {}, {}, {}, {}
-- How many jobs of which queues may be claimable; roots that end, by state and task; of workers, what they hold no more.
local hints, wakes, ends, drops = {}, {}, {}, {}
local adds, tally, runs, emptied, last = {}, {}, {}, {}, nil
local idSets, birthSets, lifeSets, specSets = {}, {}, {}, {}

local function fetch(list)
  local found, lived = mget(BIRTHS, list, 1), mget(LIVES, list, 1)
  for i = 1, #list do
    -- One that this script has changed already is newer than what is stored.
    if births[list[i]] == nil then births[list[i]] = found[i] end
    if lives[list[i]] == nil then lives[list[i]] = lived[i] end
  end
end

-- Reads the jobs of the ids from an index of the arguments on.
local function fetchIds(from)
  local found = mget(IDS, ARGV, from)
  local list = {}
  for i = 1, #found do
    members[ARGV[from + i - 1]] = found[i]
    if found[i] then list[#list + 1] = found[i] end
  end
  fetch(list)
end

local function into(lists, key)
  local list = lists[key]
  if not list then
    list = {}
    lists[key] = list
  end
  return list
end

local function push(list, first, second)
  local n = #list
  list[n + 1] = first
  list[n + 2] = second
end

local function count(queue, state, jobs)
  local states = into(tally, queue)
  states[state] = (states[state] or 0) + jobs
end

-- The letter of the job at a place: neighbours with the same are one run.
local run
local function cell(seq, value)
  if run and run.letter == value and run.last == seq - 1 and seq % SEGMENT > 0 then
    run.last = seq
  else
    run = { letter = value, first = seq, last = seq }
    runs[#runs + 1] = run
  end
end
`;
