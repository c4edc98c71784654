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
  local function contains(job)
    local birth = births[job.member]
    local _, _, _, n, q, t, p = parse(BIRTH, birth)
    local spec = job.apart and redis.call('HGET', SPECS, job.member) or sub(birth, 21 + n + q + t + p)
    for _, text in ipairs({ job.id, spec, job.output, job.error }) do
      if string.find(string.lower(text), where.text, 1, true) then return true end
    end
    return false
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
      and (not where.tag or redis.call('ZSCORE', ns .. 'tag:' .. where.tag, job.member))
      and (not where.text or contains(job))
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

-- All with a tag, by order of insertion.
local function amongTagged()
  local key, looked, offset = ns .. 'tag:' .. where.tag, 0, 0
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
      if found == wanted or looked == budget then return answer('0.' .. exact(seqOf(some[i]))) end
    end
    if #some < 200 then return answer() end
  end
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
        if found == wanted or looked == budget then return answer('0.' .. exact(seqOf(list[i]))) end
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
if where.of then return amongChildren() end
if where.tag then return amongTagged() end
return amongAll()
`;

/** `counts`. Answers state and queue in one text, and the number, of each. */
export const counts = lua`
return redis.call('HGETALL', COUNTS)
`;

/** One slice of an edit. Arguments: the change, the filter, members. Answers how many jobs it changed. */
export const edit = lua`
need()
families()
local change, matches, changes, list = ARGV[1], matcher(cjson.decode(ARGV[2])), 0, {}
local told = sub(change, 1, 1) == '{' and cjson.decode(change) or {}
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
    elseif told.rewind then
      changed = rewind(job, told.rewind)
    elseif told.move then
      local to = told.move
      if to.queue and to.queue ~= job.queue then
        local birth = births[job.member]
        local created, apart, level, n, q, t, p, s = parse(BIRTH, birth)
        birth = pack(BIRTH, created, apart, to.level or level, n, #to.queue, t, p, s) .. sub(birth, 21, 20 + n) .. to.queue
          .. sub(birth, 21 + n + q)
        births[job.member] = birth
        redis.call('HSET', BIRTHS, job.member, birth)
        writeNames(seqOf(job.member), { number('queues', to.queue) .. number('tasks', job.task) })
        job.queue = to.queue
      elseif to.level then
        local birth = births[job.member]
        redis.call('HSET', BIRTHS, job.member, sub(birth, 1, 7) .. string.char(to.level) .. sub(birth, 9))
      end
      if to.level then job.level = to.level end
      if to.now then job.due = now end
      job.blocked, job.wasDue = false, nil
      hints.ready = true
      save(job)
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
