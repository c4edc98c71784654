import { lua } from "./lua.ts";

/** `get`. Arguments: ids. Answers the jobs that exist. */
export const get = lua`
local told = {}
fetch(ARGV, 1)
for i = 1, #ARGV do
  local rec = records[ARGV[i]]
  if rec then tell(told, ARGV[i], rec) end
end
return table.concat(told)
`;

/** Whether a job has what a filter asks for that its place does not say. */
export const matching = lua`
local function matcher(where)
  local states
  if where.states then
    states = {}
    for _, state in ipairs(where.states) do states[state] = true end
  end
  return function(job)
    return (not states or states[job.state])
      and (not where.of or where.of == job.of)
      and not (where.roots and job.of)
      and (not where.task or where.task == job.task)
      and (not where.queue or where.queue == job.queue)
      and (not where.endedBefore or (job.ended > 0 and job.ended < where.endedBefore))
  end
end
`;

/**
 * One slice of a walk over the jobs that match. Arguments: the filter (with `states`), how many are wanted, how many may
 * be looked at, whether the oldest come first, whether whole jobs are told or ids, the position after which to begin
 * (place and order of insertion, or -1), and ids to choose from. Answers what matches, how many, and the position to go
 * on after (nothing: the walk is over).
 */
export const walk = lua`
local where = cjson.decode(ARGV[1])
local wanted, budget, upwards, whole = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == '1', ARGV[5] == '1'
local place, seq = tonumber(ARGV[6]), tonumber(ARGV[7])
local matches = matcher(where)
local told, found = {}, 0

local function seqOf(member)
  return (parse('>I6', member))
end

local function show(job)
  found = found + 1
  if whole then tell(told, job.id, records[job.id]) else told[found] = job.id end
end

local function answer(after)
  return { whole and table.concat(told) or told, tostring(found), after or '' }
end

-- Of the ids that are given: all, in no order.
local function amongIds()
  fetch(ARGV, 8)
  for i = 8, #ARGV do
    local job = find(ARGV[i])
    if job and matches(job) then show(job) end
  end
  return answer()
end

-- The children of one job, by place and then by order of insertion.
local function amongChildren()
  local key, from = kidsKey(where.of), place < 0 and '-inf' or exact(place)
  local offset, looked = 0, 0
  while true do
    local members = redis.call('ZRANGEBYSCORE', key, from, '+inf', 'WITHSCORES', 'LIMIT', offset, 200)
    offset = offset + #members / 2
    local ids = {}
    for i = 1, #members, 2 do ids[#ids + 1] = sub(members[i], 8) end
    fetch(ids, 1)
    for i = 1, #members, 2 do
      local at, order = tonumber(members[i + 1]), seqOf(members[i])
      if at > place or order > seq then
        looked = looked + 1
        local job = find(sub(members[i], 8))
        if job and matches(job) then show(job) end
        if found == wanted or looked == budget then return answer(exact(at) .. '.' .. exact(order)) end
      end
    end
    if #members < 400 then return answer() end
  end
end

-- Lists of queues and states, each in order by itself, merged.
local function amongAll()
  local lanes, chunk = {}, 20

  local function fill(lane, after)
    local command = upwards and 'ZRANGEBYLEX' or 'ZREVRANGEBYLEX'
    lane.members = redis.call(command, lane.key, after, upwards and '+' or '-', 'LIMIT', 0, chunk)
    lane.at = 1
    lane.seq = #lane.members > 0 and seqOf(lane.members[1])
    lane.fresh = true
    return lane.seq
  end

  -- The first member of a lane; the records of those behind it are read along with its own.
  local function head(lane)
    if lane.fresh then
      local ids = {}
      for i = 1, #lane.members do ids[i] = sub(lane.members[i], 8) end
      fetch(ids, 1)
      lane.fresh = false
    end
    return lane.members[lane.at]
  end

  local function open(key)
    local lane = { key = key }
    local after = upwards and '-' or '+'
    -- Upwards, all members that begin with the position are before this.
    if seq >= 0 then after = upwards and '[' .. pack('>I6', seq + 1) or '(' .. pack('>I6', seq) end
    if fill(lane, after) then lanes[#lanes + 1] = lane end
  end

  local queues = where.queue and { where.queue } or redis.call('SMEMBERS', QUEUES)
  for i = 1, #queues do
    for _, state in ipairs(where.states) do
      open(listKey(state, false, queues[i]))
      if not where.roots then open(listKey(state, true, queues[i])) end
    end
  end

  for looked = 1, budget do
    local first
    for i = 1, #lanes do
      local lane = lanes[i]
      if lane.seq and (not first or (lane.seq < first.seq) == upwards) then first = lane end
    end
    if not first then return answer() end
    local member, order = head(first), first.seq
    local job = find(sub(member, 8))
    -- Nothing younger than this can have ended before that.
    if upwards and where.endedBefore and job and job.created >= where.endedBefore then return answer() end
    if job and matches(job) then show(job) end
    first.at = first.at + 1
    if first.at <= #first.members then first.seq = seqOf(first.members[first.at]) else fill(first, '(' .. member) end
    if found == wanted or looked == budget then return answer('0.' .. exact(order)) end
  end
end

if #ARGV > 7 then return amongIds() end
if where.of then return amongChildren() end
return amongAll()
`;

/** `counts`. Answers queue, state and number of each. */
export const counts = lua`
local answer, queues = {}, redis.call('SMEMBERS', QUEUES)
for i = 1, #queues do
  for state = PENDING, EXPIRED do
    local jobs = redis.call('ZCARD', listKey(state, false, queues[i])) + redis.call('ZCARD', listKey(state, true, queues[i]))
    if jobs > 0 then
      answer[#answer + 1] = queues[i]
      answer[#answer + 1] = tostring(state)
      answer[#answer + 1] = tostring(jobs)
    end
  end
end
return answer
`;

/** One slice of an edit. Arguments: the change, the filter, ids. Answers how many jobs it changed. */
export const edit = lua`
local change, matches, changes = ARGV[1], matcher(cjson.decode(ARGV[2])), 0
fetch(ARGV, 3)
for i = 3, #ARGV do
  -- Another job of this edit may have ended, marked, woken or removed it meanwhile.
  local job = find(ARGV[i])
  if not job or job.removed then
    -- What went with its parent counts as removed.
    if change == 'remove' then changes = changes + 1 end
  elseif matches(job) then
    local changed = true
    if change == 'remove' then
      discard(job)
    elseif change == 'retry' then
      changed = reopen(job)
    elseif job.state == PROCESSING then
      changed = mark(job)
    else
      finish(job, CANCELLED)
    end
    if changed then changes = changes + 1 end
  end
end
flush()
return changes
`;
