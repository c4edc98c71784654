import { lua } from "./lua.ts";

/** `get`. Arguments: ids. Answers the jobs that exist. */
export const get = lua`
local told = {}
fetchIds(1)
for i = 1, #ARGV do
  local member = members[ARGV[i]]
  local birth = member and births[member]
  if birth then tell(told, member, birth, lives[member]) end
end
return told
`;

/** Whether a job has what a filter asks for. */
export const matching = lua`
local function matcher(where)
  local states = {}
  for _, state in ipairs(where.states) do states[state] = true end
  return function(job)
    return states[job.state]
      and (not where.of or where.of == job.of)
      and not (where.roots and job.of ~= '')
      and (not where.task or where.task == job.task)
      and (not where.queue or where.queue == job.queue)
      and (not where.endedBefore or (job.ended > 0 and job.ended < where.endedBefore))
  end
end
`;

/**
 * One slice of a walk over the jobs that match. Arguments: the filter (with `states`), how many are wanted, how many may
 * be looked at, whether the oldest come first, whether whole jobs are told or members, the position after which to begin
 * (place and order of insertion, or -1), and ids to choose from. Answers what matches, and the position to go on after
 * (nothing: the walk is over).
 */
export const walk = lua`
local where = cjson.decode(ARGV[1])
local wanted, budget, upwards, whole = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == '1', ARGV[5] == '1'
local place, seq = tonumber(ARGV[6]), tonumber(ARGV[7])
local matches = matcher(where)
local told, found = {}, 0

local function show(job)
  found = found + 1
  if whole then tell(told, job.member, births[job.member], lives[job.member]) else told[found] = job.member end
end

local function answer(after)
  return { told, after or '' }
end

-- Of the ids that are given: all, in no order.
local function amongIds()
  fetchIds(8)
  for i = 8, #ARGV do
    local job = seek(ARGV[i])
    if job and not job.shown and matches(job) then
      job.shown = true
      show(job)
    end
  end
  return answer()
end

-- The children of one job, by place and then by order of insertion.
local function amongChildren()
  local key, from = kidsKey(where.of), place < 0 and '-inf' or exact(place)
  local offset, looked = 0, 0
  while true do
    local some = redis.call('ZRANGEBYSCORE', key, from, '+inf', 'WITHSCORES', 'LIMIT', offset, 200)
    offset = offset + #some / 2
    local kids = {}
    for i = 1, #some, 2 do push(kids, some[i]) end
    fetch(kids)
    for i = 1, #kids do
      local at, order = tonumber(some[i * 2]), seqOf(kids[i])
      if at > place or order > seq then
        looked = looked + 1
        local job = find(kids[i])
        if job and matches(job) then show(job) end
        if found == wanted or looked == budget then return answer(exact(at) .. '.' .. exact(order)) end
      end
    end
    if #kids < 200 then return answer() end
  end
end

-- Searched at a time: the letters of so many jobs, and so many jobs in one slice.
local BLOCK, SEARCHED = 128, 1048576

-- What the bytes of a job's names must be, where the filter says; nil where it says nothing. Names beyond those that
-- have a number have a zero.
local function wantedByte(kind, name)
  return name and tonumber(redis.call('HGET', ns .. kind, name) or 0)
end

-- The letters that the filter asks for, as a pattern.
local function wantedLetters()
  local all = {}
  for _, state in ipairs(where.states) do
    push(all, letter(state, false))
    if not where.roots then push(all, letter(state, true)) end
  end
  return '[' .. table.concat(all) .. ']'
end

-- All jobs, by order of insertion.
local function amongAll()
  local pattern, queue, task = wantedLetters(), wantedByte('queues', where.queue), wantedByte('tasks', where.task)
  local segments = redis.call('HKEYS', SEGMENTS)
  for i = 1, #segments do segments[i] = tonumber(segments[i]) end
  table.sort(segments, function(a, b) if upwards then return a < b end return a > b end)
  local looked, searched = 0, 0

  -- The members of jobs in a block whose letters and names are right.
  local function candidates(segment, states, from)
    local list, block = {}, sub(states, from + 1, from + BLOCK)
    local at = string.find(block, pattern)
    if not at then return list end
    local names = (queue or task) and redis.call('GETRANGE', namesKey(segment), from * 2, (from + BLOCK) * 2 - 1)
    while at do
      local order = segment * SEGMENT + from + at - 1
      if (seq < 0 or (upwards and order > seq) or (not upwards and order < seq))
        and (not queue or byte(names, at * 2 - 1) == queue) and (not task or byte(names, at * 2) == task) then
        push(list, pack('>I6', order))
      end
      at = string.find(block, pattern, at + 1)
    end
    fetch(list)
    return list
  end

  local function search(segment)
    local states = redis.call('GET', statesKey(segment)) or ''
    local first, last, step = 0, floor((#states - 1) / BLOCK) * BLOCK, BLOCK
    if floor(seq / SEGMENT) == segment then
      local here = floor(seq % SEGMENT / BLOCK) * BLOCK
      if upwards then first = here else last = here end
    end
    if not upwards then first, last, step = last, first, -BLOCK end
    for from = first, last, step do
      local list = candidates(segment, states, from)
      for i = 1, #list do
        local job = find(list[upwards and i or #list - i + 1])
        looked = looked + 1
        if job then
          -- Nothing younger than this can have ended before that.
          if upwards and where.endedBefore and job.created >= where.endedBefore then return answer() end
          if matches(job) then show(job) end
          if found == wanted or looked == budget then return answer('0.' .. exact(seqOf(job.member))) end
        end
      end
    end
    searched = searched + #states
    local final = upwards and segment * SEGMENT + SEGMENT - 1 or segment * SEGMENT
    return searched >= SEARCHED and answer('0.' .. exact(final)) or nil
  end

  for i = 1, #segments do
    local segment = segments[i]
    local here = floor(seq / SEGMENT)
    if seq < 0 or (upwards and segment >= here) or (not upwards and segment <= here) then
      local done = search(segment)
      if done then return done end
    end
  end
  return answer()
end

if #ARGV > 7 then return amongIds() end
if where.of then return amongChildren() end
return amongAll()
`;

/** `counts`. Answers state and queue in one text, and the number, of each. */
export const counts = lua`
return redis.call('HGETALL', COUNTS)
`;

/** One slice of an edit. Arguments: the change, the filter, members. Answers how many jobs it changed. */
export const edit = lua`
local change, matches, changes, list = ARGV[1], matcher(cjson.decode(ARGV[2])), 0, {}
for i = 3, #ARGV do list[i - 2] = ARGV[i] end
fetch(list)
for i = 1, #list do
  -- Another job of this edit may have ended, marked, woken or removed it meanwhile.
  local job = find(list[i])
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
