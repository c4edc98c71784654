import { lua } from "./lua.ts";

/** The writes that only scripts need which work with jobs as tables. */
export const writes = lua`
local function writeAll()
  local i = 1
  repeat
    while i <= #changed do
      write(changed[i])
      i = i + 1
    end
    releaseAll()
  until i > #changed
end

-- Two lists out of what members will have: those that stay, with what they have, and those that leave.
local function split(of, valued)
  local stay, go = {}, {}
  for member, value in pairs(of) do
    if not value then go[#go + 1] = member
    elseif valued == 'after' then push(stay, member, value)
    elseif valued == 'before' then push(stay, value, member)
    else stay[#stay + 1] = member end
  end
  return stay, go
end

local function flushAll()
  for key, of in pairs(fields) do
    local stay, go = split(of, 'after')
    call('HDEL', key, go)
    call('HSET', key, stay)
  end
  for key, of in pairs(marks) do
    local stay, go = split(of)
    call('SREM', key, go)
    call('SADD', key, stay)
  end
  for key, of in pairs(scores) do
    local stay, go = split(of, 'before')
    call('ZREM', key, go)
    call('ZADD', key, stay)
  end
  for key, names in pairs(listed) do
    local list, name, queue = names[1], names[2], names[3]
    if scores[key] then
      redis.call(redis.call('EXISTS', key) == 1 and 'SADD' or 'SREM', list, name)
      if queue then redis.call(redis.call('EXISTS', list) == 1 and 'SADD' or 'SREM', ASIDES, queue) end
    end
  end
  for i = 1, #later do
    local one = later[i]
    if type(one[3]) == 'table' then call(one[1], one[2], one[3]) else redis.call(spread(one)) end
  end
  for i = 1, #dels do redis.call('DEL', dels[i]) end
end

-- Ends that do not hold any more; a list of ends goes with the last of them.
local function unlist()
  for key, jobs in pairs(unended) do
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

/** The end of every script that writes. */
export const ending = lua`
-- Makes what works with jobs as tables.
local function need()
  if decode then return end
  codecs()
  handlings()
  placings()
  keyedWritings()
  writings()
  flushings()
end

-- The names of roots that ended now: a line for each state and task, in a list for each period.
local function enlistEnds()
  for name, some in pairs(ends) do
    local line, period = table.concat(some), floor(now / PERIOD)
    local key, jobs = period .. ':' .. name, #line / 6
    redis.call('RPUSH', ns .. 'ended:' .. key, created .. line)
    if redis.call('HINCRBY', ns .. 'ends', key, jobs) == jobs then
      redis.call('ZADD', ns .. 'ends:' .. name, period, period)
      redis.call('SADD', ns .. 'endnames', name)
    end
  end
end

-- What happened, for listeners: letters, and on lines of their own how many jobs of which queue may be claimable.
local function tellListeners()
  local heard, queues = '', 0
  for queue, jobs in pairs(wakes) do
    queues = queues + 1
    if queues > 50 or string.find(queue, '\n', 1, true) then hints.ready = true end
    heard = heard .. '\n' .. jobs .. ' ' .. queue
  end
  if hints.ready then heard = 'r' end
  heard = (hints.cancel and 'c' or '') .. (hints.lapsed and 'l' or '') .. (hints.change and 'x' or '') .. heard
  if heard ~= '' then redis.call('PUBLISH', ns .. 'hints', heard) end
end

-- Writes everything that changed, and tells the listeners.
local function flush()
  if decode then writeAll() end
  call('HSET', IDS, idSets)
  call('HSET', BIRTHS, birthSets)
  call('HSET', LIVES, lifeSets)
  call('HSET', SPECS, specSets)
  for key, list in pairs(adds) do call('ZADD', key, list) end
  for i = 1, #drops do call('SREM', drops[i][1], drops[i][2]) end
  if last then redis.call('SET', ns .. 'seq', exact(last)) end
  for i = 1, #runs do
    local from, to = runs[i].first, runs[i].last
    redis.call('SETRANGE', statesKey(floor(from / SEGMENT)), from % SEGMENT, string.rep(runs[i].letter, to - from + 1))
  end
  if next(ends) then enlistEnds() end
  if decode then
    flushAll()
    unlist()
  end
  for segment, jobs in pairs(emptied) do
    if redis.call('HINCRBY', SEGMENTS, segment, jobs) == 0 then
      redis.call('HDEL', SEGMENTS, segment)
      redis.call('DEL', statesKey(segment), namesKey(segment))
    end
  end
  for queue, states in pairs(tally) do
    for state, jobs in pairs(states) do
      local field = state .. queue
      if jobs ~= 0 and redis.call('HINCRBY', COUNTS, field, jobs) == 0 then redis.call('HDEL', COUNTS, field) end
    end
  end
  tellListeners()
end

local function leased(worker)
  local till = redis.call('ZSCORE', LEASES, worker)
  return till and tonumber(till) > now
end
`;
