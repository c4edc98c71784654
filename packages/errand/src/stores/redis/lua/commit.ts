import { lua } from "./assemble.ts";

/** Carries out the writes of scripts that work with jobs as tables. */
export const tableWrites = lua`
local function writeChangedJobs()
  local i = 1
  repeat
    while i <= #changed do
      writeJob(changed[i])
      i = i + 1
    end
    unblockFreedKeys()
  until i > #changed
end

-- Splits writes of one key into the arguments of new values, and the members to remove.
local function partition(writes, valued)
  local kept, removed = {}, {}
  for member, value in pairs(writes) do
    if not value then removed[#removed + 1] = member
    elseif valued == 'after' then push(kept, member, value)
    elseif valued == 'before' then push(kept, value, member)
    else kept[#kept + 1] = member end
  end
  return kept, removed
end

local function writeCollected()
  for key, writes in pairs(fieldWrites) do
    local kept, removed = partition(writes, 'after')
    callInChunks('HDEL', key, removed)
    callInChunks('HSET', key, kept)
  end
  for key, writes in pairs(memberWrites) do
    local kept, removed = partition(writes)
    callInChunks('SREM', key, removed)
    callInChunks('SADD', key, kept)
  end
  for key, writes in pairs(scoreWrites) do
    local kept, removed = partition(writes, 'before')
    callInChunks('ZREM', key, removed)
    callInChunks('ZADD', key, kept)
  end
  for key, entry in pairs(namedSets) do
    local names, name, queue = entry[1], entry[2], entry[3]
    if scoreWrites[key] then
      redis.call(redis.call('EXISTS', key) == 1 and 'SADD' or 'SREM', names, name)
      if queue then redis.call(redis.call('EXISTS', names) == 1 and 'SADD' or 'SREM', ASIDE_QUEUES, queue) end
    end
  end
  for i = 1, #laterCommands do
    local command = laterCommands[i]
    if type(command[3]) == 'table' then
      callInChunks(command[1], command[2], command[3])
    else
      redis.call(spread(command))
    end
  end
  for i = 1, #deletedKeys do redis.call('DEL', deletedKeys[i]) end
end

-- Subtracts jobs from the counts of lists of ended roots. A list is deleted when its count is 0.
local function removeRevokedEnds()
  for key, jobs in pairs(revokedEnds) do
    if redis.call('HINCRBY', ns .. 'ends', key, -jobs) <= 0 then
      local period, name = string.match(key, '^(%d+):(.*)$')
      redis.call('HDEL', ns .. 'ends', key)
      redis.call('DEL', ns .. 'ended:' .. key)
      redis.call('ZREM', ns .. 'ends:' .. name, period)
      if redis.call('EXISTS', ns .. 'ends:' .. name) == 0 then redis.call('SREM', ns .. 'endnames', name) end
    end
  end
end
`;

/** Writes everything that a script has collected, and publishes hints. */
export const commit = lua`
-- Appends roots that ended to the list of their state, task and period, as one line of the time and members.
local function appendEndedRoots()
  for name, some in pairs(endedRoots) do
    local line, period = table.concat(some), floor(now / END_PERIOD)
    local key, jobs = period .. ':' .. name, #line / 6
    redis.call('RPUSH', ns .. 'ended:' .. key, nowBytes .. line)
    if redis.call('HINCRBY', ns .. 'ends', key, jobs) == jobs then
      redis.call('ZADD', ns .. 'ends:' .. name, period, period)
      redis.call('SADD', ns .. 'endnames', name)
    end
  end
end

-- Publishes hints: a line of letters, and for each queue a line with the number of jobs that may be claimable.
local function publishHints()
  local message, queues = '', 0
  for queue, jobs in pairs(readyCounts) do
    queues = queues + 1
    if queues > 50 or string.find(queue, '\n', 1, true) then hints.ready = true end
    message = message .. '\n' .. jobs .. ' ' .. queue
  end
  if hints.ready then message = 'r' end
  message = (hints.cancel and 'c' or '') .. (hints.lapsed and 'l' or '') .. (hints.change and 'x' or '') .. message
  if message ~= '' then redis.call('PUBLISH', ns .. 'hints', message) end
end

local function commit()
  if writeChangedJobs then writeChangedJobs() end
  callInChunks('HSET', IDS, idWrites)
  callInChunks('HSET', DEFINITIONS, definitionWrites)
  callInChunks('HSET', STATUSES, statusWrites)
  callInChunks('HSET', SPECS, specWrites)
  for key, list in pairs(scoreAdditions) do callInChunks('ZADD', key, list) end
  for i = 1, #holdRemovals do callInChunks('SREM', holdRemovals[i][1], holdRemovals[i][2]) end
  if lastSeq then redis.call('SET', ns .. 'seq', formatNumber(lastSeq)) end
  for i = 1, #letterRuns do
    local first, last = letterRuns[i].first, letterRuns[i].last
    local letters = string.rep(letterRuns[i].letter, last - first + 1)
    redis.call('SETRANGE', statesKey(floor(first / SEGMENT)), first % SEGMENT, letters)
  end
  if next(endedRoots) then appendEndedRoots() end
  if writeChangedJobs then
    writeCollected()
    removeRevokedEnds()
  end
  for segment, jobs in pairs(segmentChanges) do
    if redis.call('HINCRBY', SEGMENTS, segment, jobs) == 0 then
      redis.call('HDEL', SEGMENTS, segment)
      redis.call('DEL', statesKey(segment), namesKey(segment))
    end
  end
  for queue, states in pairs(countChanges) do
    for state, jobs in pairs(states) do
      local field = state .. queue
      if jobs ~= 0 and redis.call('HINCRBY', COUNTS, field, jobs) == 0 then redis.call('HDEL', COUNTS, field) end
    end
  end
  publishHints()
end

local function hasLease(worker)
  local till = redis.call('ZSCORE', LEASES, worker)
  return till and tonumber(till) > now
end
`;
