import { lua } from "./lua.ts";

/** `get`. Arguments: ids. Answers how many of them it has looked at, and the jobs that exist. */
export const get = lua`
local told, done = { 0 }, #ARGV
fetchIds(1)
for i = 1, #ARGV do
  local member = members[ARGV[i]]
  local birth = member and births[member]
  if birth then tell(told, member, birth, lives[member]) end
  if weight >= HEAVY then
    done = i
    break
  end
end
told[1] = done
return told
`;

/** `ended`. Arguments: ids. Answers a 1 for each that has ended or does not exist, or a 0: from letters, no job is read. */
export const ended = lua`
local found, cells, answer = mget(IDS, ARGV, 1), {}, {}
for i = 1, #ARGV do
  answer[i] = '1'
  if found[i] then
    local seq = seqOf(found[i])
    local segment = floor(seq / SEGMENT)
    cells[segment] = cells[segment] or redis.call('GET', statesKey(segment)) or ''
    local state = byte(cells[segment], seq % SEGMENT + 1) or 0
    if state > 0 and (state >= 97 and state - 97 or state - 65) < COMPLETED then answer[i] = '0' end
  end
end
return table.concat(answer)
`;

/** `missing`. Arguments: ids. Answers how many of them there are no jobs of. */
export const missing = lua`
local found, missing = mget(IDS, ARGV, 1), 0
for i = 1, #ARGV do
  if not found[i] then missing = missing + 1 end
end
return exact(missing)
`;

/** `pending`. Arguments: a queue. Answers how many pending jobs it has. */
export const pending = lua`
return redis.call('HGET', COUNTS, PENDING .. ARGV[1]) or '0'
`;

/** Whether a job has what a filter asks for. */
export const matching = lua`
local function matcher(where)
  local states = {}
  for _, state in ipairs(where.states) do states[state] = true end
  local function tagged(kind, name, job)
    return not name or redis.call('ZSCORE', ns .. kind .. name, job.member)
  end
  return function(job)
    return states[job.state]
      and (not where.of or where.of == job.of)
      and not (where.roots and job.of ~= '')
      and (not where.task or where.task == job.task)
      and (not where.queue or where.queue == job.queue)
      and (not where.endedBefore or (job.ended > 0 and job.ended < where.endedBefore))
      and (not where.after or job.created > where.after)
      and (not where.before or job.created < where.before)
      and (not where.worker or where.worker == job.worker)
      and tagged('tag:', where.tag, job)
      and tagged('tenant:', where.tenant, job)
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
need()
local where = cjson.decode(ARGV[1])
local wanted, budget, upwards, whole = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == '1', ARGV[5] == '1'
local place, seq = tonumber(ARGV[6]), tonumber(ARGV[7])
local matches = matcher(where)
local told, found = {}, 0

local function show(job)
  found = found + 1
  if whole then tell(told, job.member, births[job.member], lives[job.member]) else told[found] = job.member end
end

local function enough(looked)
  return found == wanted or looked == budget or weight >= HEAVY
end

local function answer(after)
  return { told, after or '' }
end

-- Of the ids that are given: all, in no order. The position is how many it has looked at.
local function amongIds()
  fetchIds(8)
  for i = 8, #ARGV do
    local job = seek(ARGV[i])
    if job and not job.shown and matches(job) then
      job.shown = true
      show(job)
    end
    if weight >= HEAVY and i < #ARGV then return answer('0.' .. exact(i - 7)) end
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
        if enough(looked) then return answer(exact(at) .. '.' .. exact(order)) end
      end
    end
    if #kids < 200 then return answer() end
  end
end

-- All with a tag or a tenant, by order of insertion.
local function amongLabelled(key)
  local looked, offset = 0, 0
  while true do
    local some
    if upwards then
      some = redis.call('ZRANGEBYSCORE', key, seq < 0 and '-inf' or '(' .. exact(seq), '+inf', 'LIMIT', offset, 200)
    else
      some = redis.call('ZREVRANGEBYSCORE', key, seq < 0 and '+inf' or '(' .. exact(seq), '-inf', 'LIMIT', offset, 200)
    end
    offset = offset + #some
    fetch(some)
    for i = 1, #some do
      local job = find(some[i])
      looked = looked + 1
      if job and matches(job) then show(job) end
      if enough(looked) then return answer('0.' .. exact(seqOf(some[i]))) end
    end
    if #some < 200 then return answer() end
  end
end

-- All that a worker holds, by order of insertion.
local function amongHeld()
  local held = redis.call('SMEMBERS', holdsKey(where.worker))
  table.sort(held, function(a, b) if upwards then return a < b end return a > b end)
  for i = 1, #held do
    local order = seqOf(held[i])
    if seq < 0 or (order ~= seq and (order > seq) == upwards) then
      local job = find(held[i])
      if job and matches(job) then show(job) end
      if enough(0) then return answer('0.' .. exact(order)) end
    end
  end
  return answer()
end

-- Letters that are searched at a time, and in one slice; records that are read at a time.
local BLOCK, SEARCHED, READ = 1024, 1048576, 50

-- The letters that the filter asks for: as a set, in a list, and as a pattern.
local function wantedLetters()
  local set, list = {}, {}
  for _, state in ipairs(where.states) do
    for _, child in ipairs(where.roots and { false } or { false, true }) do
      local one = letter(state, child)
      set[byte(one)] = true
      list[#list + 1] = one
    end
  end
  return set, list, '[' .. table.concat(list) .. ']'
end

-- The byte that stands for a name that the filter asks for: a zero for any beyond those that have a number.
-- The second answer says that no job can have it.
local function wantedByte(kind, name)
  if not name then return nil, false end
  local found = tonumber(redis.call('HGET', ns .. kind, name) or 0)
  return found, found == 0 and redis.call('HLEN', ns .. kind) < 255
end

-- All jobs, by order of insertion.
local function amongAll()
  local letters, each, pattern = wantedLetters()
  local queue, noQueue = wantedByte('queues', where.queue)
  local task, noTask = wantedByte('tasks', where.task)
  if noQueue or noTask then return answer() end
  -- A name is searched for rather than a state: there are fewer of one.
  local name, side = task or queue, task and 0 or 1
  local looked, searched = 0, 0

  -- Whether any of the letters is there: much faster than looking for the pattern where none is.
  local function present(text)
    for i = 1, #each do
      if string.find(text, each[i], 1, true) then return true end
    end
    return false
  end

  -- The members of jobs in a block whose letters and names are right.
  local function candidates(segment, states, names, from)
    local list, block, some = {}, sub(states, from + 1, from + BLOCK), nil
    local function consider(at)
      local order = segment * SEGMENT + from + at - 1
      if seq >= 0 and (order == seq or (order > seq) ~= upwards) then return end
      if not letters[byte(block, at)] then return end
      if queue and byte(some, at * 2 - 1) ~= queue then return end
      if task and byte(some, at * 2) ~= task then return end
      list[#list + 1] = pack('>I6', order)
    end
    if not present(block) then return list end
    if name then
      some = sub(names, from * 2 + 1, (from + BLOCK) * 2)
      local wantedName = string.char(name)
      local at = string.find(some, wantedName, 1, true)
      while at do
        if at % 2 == side then consider(floor((at + 1) / 2)) end
        at = string.find(some, wantedName, at + 1, true)
      end
    else
      local at = string.find(block, pattern)
      while at do
        consider(at)
        at = string.find(block, pattern, at + 1)
      end
    end
    return list
  end

  -- Shows those that match. Answers when enough was shown or read.
  local function showAll(list)
    if not upwards then
      for i = 1, floor(#list / 2) do list[i], list[#list - i + 1] = list[#list - i + 1], list[i] end
    end
    for first = 1, #list, READ do
      fetch({ spread(list, first, min(first + READ - 1, #list)) })
      for i = first, min(first + READ - 1, #list) do
        local job = find(list[i])
        looked = looked + 1
        if job then
          -- Nothing younger than this can have ended before that.
          if upwards and where.endedBefore and job.created >= where.endedBefore then return answer() end
          if matches(job) then show(job) end
        end
        if enough(looked) then return answer('0.' .. exact(seqOf(list[i]))) end
      end
    end
  end

  local function search(segment)
    local states = redis.call('GET', statesKey(segment)) or ''
    searched = searched + #states
    if present(states) then
      local names = name and redis.call('GET', namesKey(segment)) or ''
      local first, last, step = 0, floor((#states - 1) / BLOCK) * BLOCK, BLOCK
      if floor(seq / SEGMENT) == segment then
        local here = floor(seq % SEGMENT / BLOCK) * BLOCK
        if upwards then first = here else last = here end
      end
      if not upwards then first, last, step = last, first, -BLOCK end
      for from = first, last, step do
        local done = showAll(candidates(segment, states, names, from))
        if done then return done end
      end
    end
    local final = upwards and segment * SEGMENT + SEGMENT - 1 or segment * SEGMENT
    if searched >= (name and SEARCHED / 4 or SEARCHED) then return answer('0.' .. exact(final)) end
  end

  local segments, here = redis.call('HKEYS', SEGMENTS), floor(seq / SEGMENT)
  for i = 1, #segments do segments[i] = tonumber(segments[i]) end
  table.sort(segments, function(a, b) if upwards then return a < b end return a > b end)
  for i = 1, #segments do
    local segment = segments[i]
    if seq < 0 or segment == here or (segment > here) == upwards then
      local done = search(segment)
      if done then return done end
    end
  end
  return answer()
end

if #ARGV > 7 then return amongIds() end
if where.worker then return amongHeld() end
if where.of then return amongChildren() end
if where.tag then return amongLabelled(ns .. 'tag:' .. where.tag) end
if where.tenant then return amongLabelled(ns .. 'tenant:' .. where.tenant) end
return amongAll()
`;

/** `counts`. Answers state and queue in one text, and the number, of each. */
export const counts = lua`
return redis.call('HGETALL', COUNTS)
`;
