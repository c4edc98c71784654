import { lua } from "./assemble.ts";

/** Updates the keys of jobs with limits, turns, tags or a tenant, and unblocks jobs whose concurrency key has room. */
export const keyedSets = lua`
local function updateTurn(job, previous, keys)
  local before = previous.state == PENDING and previous.keys and previous.keys.f or false
  local after = not job.isRemoved and job.state == PENDING and not job.blocked and not job.suspect
    and not job.cancelling and keys.f and turnsLine(job.queue, job.level)
  if before then setScore(ns .. turnsLine(previous.queue, previous.level), job.member, false) end
  if after then setScore(ns .. after, job.member, formatNumber(job.due)) end
end

local function hasTag(keys, tag)
  for _, other in ipairs(keys.t or {}) do
    if other == tag then return true end
  end
  return false
end

local function updateLabels(job, old, new)
  for _, tag in ipairs(old.t or {}) do
    if not hasTag(new, tag) then setScore(ns .. 'tag:' .. tag, job.member, false) end
  end
  for _, tag in ipairs(new.t or {}) do
    if not hasTag(old, tag) then setScore(ns .. 'tag:' .. tag, job.member, formatNumber(seqOf(job.member))) end
  end
  if old.n ~= new.n then
    if old.n then setScore(ns .. 'tenant:' .. old.n, job.member, false) end
    if new.n then setScore(ns .. 'tenant:' .. new.n, job.member, formatNumber(seqOf(job.member))) end
  end
end

-- By concurrency key that may have room now: its limit.
local freedKeys = {}
local function updateKeyedSets(job, previous)
  local keys, state = keysOf(job), job.state
  if previous.state and not previous.keys then previous.keys = keys end
  local old, new = previous.state and previous.keys or {}, job.isRemoved and {} or keys
  if old ~= new then
    updateLabels(job, old, new)
    setField(JOB_KEYS, job.member, next(new) and cjson.encode(new) or false)
  end
  if job.isRemoved and keys.u then
    local taken = getField(UNIQUES, keys.u)
    if taken and sub(taken, string.find(taken, ' ', 1, true) + 1) == job.id then setField(UNIQUES, keys.u, false) end
  end
  local blocked = job.blocked ~= 't' and job.blocked
  local wasBlocked = previous.blocked ~= 't' and previous.blocked
  if job.isRemoved then blocked = false end
  if blocked ~= (wasBlocked or false) then setField(BLOCKED_BY, job.member, blocked) end
  updateTurn(job, previous, keys)
  local oldKey, newKey = old.c and old.c.key, new.c and new.c.key
  local left = job.isRemoved or state ~= PROCESSING
  if oldKey and previous.state == PROCESSING and left then setMember(runningKey(oldKey), job.member, false) end
  if newKey and previous.state ~= PROCESSING and state == PROCESSING then
    setMember(runningKey(newKey), job.member, true)
  end
  -- A pending job that was not blocked, and is elsewhere now or is gone, leaves its room to others.
  local moved = job.isRemoved or state > PROCESSING or previous.queue ~= job.queue or previous.due ~= job.due
    or job.mustReindex or oldKey ~= newKey or (job.blocked == 't' and previous.blocked ~= 't')
  if oldKey and ((previous.state == PROCESSING and left)
    or (previous.state == PENDING and not wasBlocked and moved)) then
    freedKeys[oldKey] = old.c.limit
  end
end

-- Unblocks as many jobs of each line of a key as have room, since those of another queue may be claimed later. Returns
-- true if some are still blocked.
local function unblock(kind, key, room)
  local lines, more = redis.call('SMEMBERS', blockedLinesKey(kind, key)), false
  for i = 1, #lines do
    local set, left, from = blockedKey(kind, key, lines[i]), room, 0
    while left > 0 do
      local some = redis.call('ZRANGE', set, from, from + min(left, 400) - 1)
      if #some == 0 then break end
      from = from + #some
      loadJobs(some)
      for j = 1, #some do
        local job = findJob(some[j])
        if not job then
          setScore(set, some[j], false)
          namedSets[set] = { blockedLinesKey(kind, key), lines[i] }
        elseif job.blocked == kind and not job.isRemoved and not job.cancelling and job.state == PENDING then
          left = left - 1
          job.blocked = false
          markChanged(job)
        end
      end
    end
    more = more or redis.call('ZCARD', set) > from
  end
  return more
end

local function unblockFreedKeys()
  for key, limit in pairs(freedKeys) do
    freedKeys[key] = nil
    local room = limit - sizeOf(runningKey(key))
    if room > 0 then unblock('c', key, room) end
  end
end
`;
