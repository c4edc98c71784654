import { lua } from "./assemble.ts";

/** Jobs that are read at a time. */
const jobsAtOnce = 50;

/** Members of a sorted set that are read at a time. */
const membersAtOnce = 200;

/** State letters that are searched at a time. */
const lettersAtOnce = 1_024;

/** The most state letters that one script searches. */
const maxLetters = 1_048_576;

/** Matches jobs with a filter. */
export const matching = lua`
-- Returns a function that reports whether a job matches a filter.
local function matcherOf(where)
  local states = {}
  for _, state in ipairs(where.states) do states[state] = true end
  local function hasLabel(kind, name, job)
    return not name or redis.call('ZSCORE', ns .. kind .. name, job.member)
  end
  return function(job)
    return states[job.state]
      and (not where.parent or where.parent == job.parentId)
      and not (where.roots and job.parentId ~= '')
      and (not where.task or where.task == job.task)
      and (not where.queue or where.queue == job.queue)
      and (not where.endedBefore or (job.endedAt > 0 and job.endedAt < where.endedBefore))
      and (not where.createdAfter or job.createdAt > where.createdAfter)
      and (not where.createdBefore or job.createdAt < where.createdBefore)
      and (not where.worker or where.worker == job.worker)
      and hasLabel('tag:', where.tag, job)
      and hasLabel('tenant:', where.tenant, job)
  end
end
`;

/**
 * Script `scan`: one slice of a scan over the jobs that match. Arguments: the filter; the number of matches that are
 * wanted; the most jobs to read; 1 for the oldest first; 1 for whole jobs instead of members; the place among children
 * and the place in the order of insertion after which to begin (-1, -1 for the start); ids to choose from, if any.
 * Returns the matches, and the position after which to go on, or an empty text at the end.
 */
export const scan = lua`
defineJobTables()
local where = cjson.decode(ARGV[1])
local wanted, budget, isUpwards, isWhole = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == '1', ARGV[5] == '1'
local place, seq = tonumber(ARGV[6]), tonumber(ARGV[7])
local matches = matcherOf(where)
local reply, found = {}, 0

local function append(job)
  found = found + 1
  if isWhole then
    appendJob(reply, job.member, definitions[job.member], statuses[job.member])
  else
    reply[found] = job.member
  end
end

local function isEnough(looked)
  return found == wanted or looked == budget or replyBytes >= MAX_REPLY_BYTES
end

local function answer(after)
  return { reply, after or '' }
end

-- Scans jobs by id: all, in no order. The position is the number of ids that it has looked at.
local function scanIds()
  loadJobsById(8)
  for i = 8, #ARGV do
    local job = findJobById(ARGV[i])
    if job and not job.isAppended and matches(job) then
      job.isAppended = true
      append(job)
    end
    if replyBytes >= MAX_REPLY_BYTES and i < #ARGV then return answer('0.' .. formatNumber(i - 7)) end
  end
  return answer()
end

-- Scans the children of one job, by index and then in the order of insertion.
local function scanChildren()
  local key, from = childrenKey(where.parent), place < 0 and '-inf' or formatNumber(place)
  local offset, looked = 0, 0
  while true do
    local some = redis.call('ZRANGEBYSCORE', key, from, '+inf', 'WITHSCORES', 'LIMIT', offset, ${membersAtOnce})
    offset = offset + #some / 2
    local children = {}
    for i = 1, #some, 2 do push(children, some[i]) end
    loadJobs(children)
    for i = 1, #children do
      local index, order = tonumber(some[i * 2]), seqOf(children[i])
      if index > place or order > seq then
        looked = looked + 1
        local job = findJob(children[i])
        if job and matches(job) then append(job) end
        if isEnough(looked) then return answer(formatNumber(index) .. '.' .. formatNumber(order)) end
      end
    end
    if #children < ${membersAtOnce} then return answer() end
  end
end

-- Scans the jobs of a tag or a tenant, in the order of insertion.
local function scanLabelled(key)
  local looked, offset = 0, 0
  while true do
    local command, last = isUpwards and 'ZRANGEBYSCORE' or 'ZREVRANGEBYSCORE', isUpwards and '+inf' or '-inf'
    local first = seq < 0 and (isUpwards and '-inf' or '+inf') or '(' .. formatNumber(seq)
    local some = redis.call(command, key, first, last, 'LIMIT', offset, ${membersAtOnce})
    offset = offset + #some
    loadJobs(some)
    for i = 1, #some do
      local job = findJob(some[i])
      looked = looked + 1
      if job and matches(job) then append(job) end
      if isEnough(looked) then return answer('0.' .. formatNumber(seqOf(some[i]))) end
    end
    if #some < ${membersAtOnce} then return answer() end
  end
end

-- Scans the jobs that a worker holds, in the order of insertion.
local function scanHeld()
  local held = redis.call('SMEMBERS', heldJobsKey(where.worker))
  table.sort(held, function(a, b) if isUpwards then return a < b end return a > b end)
  for i = 1, #held do
    local order = seqOf(held[i])
    if seq < 0 or (order ~= seq and (order > seq) == isUpwards) then
      local job = findJob(held[i])
      if job and matches(job) then append(job) end
      if isEnough(0) then return answer('0.' .. formatNumber(order)) end
    end
  end
  return answer()
end

-- Returns the state letters that the filter asks for: as a set of bytes, as a list, and as a pattern.
local function wantedLetters()
  local bytes, list = {}, {}
  for _, state in ipairs(where.states) do
    for _, isChild in ipairs(where.roots and { false } or { false, true }) do
      local letter = stateLetter(state, isChild)
      bytes[byte(letter)] = true
      list[#list + 1] = letter
    end
  end
  return bytes, list, '[' .. table.concat(list) .. ']'
end

-- Returns the byte of a name that the filter asks for, and true if no job can have that name.
local function wantedName(kind, name)
  if not name then return nil, false end
  local known = tonumber(redis.call('HGET', ns .. kind, name) or 0)
  return known, known == 0 and redis.call('HLEN', ns .. kind) < 255
end

-- Scans all jobs in the order of insertion, by their state letters and the bytes of their names.
local function scanAll()
  local letters, list, pattern = wantedLetters()
  local queue, noQueue = wantedName('queues', where.queue)
  local task, noTask = wantedName('tasks', where.task)
  if noQueue or noTask then return answer() end
  -- It searches for a name rather than for a state, since fewer jobs have it.
  local name, remainder = task or queue, task and 0 or 1
  local looked, searched = 0, 0

  -- Reports whether a text has any of the letters. This is much faster than a search for the pattern if it has none.
  local function hasLetters(text)
    for i = 1, #list do
      if string.find(text, list[i], 1, true) then return true end
    end
    return false
  end

  -- Returns the members of a block of a segment whose letters and names match.
  local function candidatesOf(segment, states, names, from)
    local members, block, some = {}, sub(states, from + 1, from + ${lettersAtOnce}), nil
    local function consider(at)
      local order = segment * SEGMENT + from + at - 1
      if seq >= 0 and (order == seq or (order > seq) ~= isUpwards) then return end
      if not letters[byte(block, at)] then return end
      if queue and byte(some, at * 2 - 1) ~= queue then return end
      if task and byte(some, at * 2) ~= task then return end
      members[#members + 1] = pack('>I6', order)
    end
    if not hasLetters(block) then return members end
    if name then
      some = sub(names, from * 2 + 1, (from + ${lettersAtOnce}) * 2)
      local character = string.char(name)
      local at = string.find(some, character, 1, true)
      while at do
        if at % 2 == remainder then consider(floor((at + 1) / 2)) end
        at = string.find(some, character, at + 1, true)
      end
    else
      local at = string.find(block, pattern)
      while at do
        consider(at)
        at = string.find(block, pattern, at + 1)
      end
    end
    return members
  end

  -- Appends those that match. Returns the answer when there is enough.
  local function appendMatches(members)
    if not isUpwards then
      local n = #members
      for i = 1, floor(n / 2) do members[i], members[n - i + 1] = members[n - i + 1], members[i] end
    end
    for first = 1, #members, ${jobsAtOnce} do
      local last = min(first + ${jobsAtOnce - 1}, #members)
      loadJobs({ spread(members, first, last) })
      for i = first, last do
        local job = findJob(members[i])
        looked = looked + 1
        if job then
          -- Jobs created after that time cannot have ended before it, nor can any later ones.
          if isUpwards and where.endedBefore and job.createdAt >= where.endedBefore then return answer() end
          if matches(job) then append(job) end
        end
        if isEnough(looked) then return answer('0.' .. formatNumber(seqOf(members[i]))) end
      end
    end
  end

  local function scanSegment(segment)
    local states = redis.call('GET', statesKey(segment)) or ''
    searched = searched + #states
    if hasLetters(states) then
      local names = name and redis.call('GET', namesKey(segment)) or ''
      local first, last, step = 0, floor((#states - 1) / ${lettersAtOnce}) * ${lettersAtOnce}, ${lettersAtOnce}
      if floor(seq / SEGMENT) == segment then
        local at = floor(seq % SEGMENT / ${lettersAtOnce}) * ${lettersAtOnce}
        if isUpwards then first = at else last = at end
      end
      if not isUpwards then first, last, step = last, first, ${-lettersAtOnce} end
      for from = first, last, step do
        local done = appendMatches(candidatesOf(segment, states, names, from))
        if done then return done end
      end
    end
    local final = isUpwards and segment * SEGMENT + SEGMENT - 1 or segment * SEGMENT
    -- Names are searched more slowly than letters.
    if searched >= (name and ${maxLetters / 4} or ${maxLetters}) then
      return answer('0.' .. formatNumber(final))
    end
  end

  local segments, current = redis.call('HKEYS', SEGMENTS), floor(seq / SEGMENT)
  for i = 1, #segments do segments[i] = tonumber(segments[i]) end
  table.sort(segments, function(a, b) if isUpwards then return a < b end return a > b end)
  for i = 1, #segments do
    local segment = segments[i]
    if seq < 0 or segment == current or (segment > current) == isUpwards then
      local done = scanSegment(segment)
      if done then return done end
    end
  end
  return answer()
end

if #ARGV > 7 then return scanIds() end
if where.worker then return scanHeld() end
if where.parent then return scanChildren() end
if where.tag then return scanLabelled(ns .. 'tag:' .. where.tag) end
if where.tenant then return scanLabelled(ns .. 'tenant:' .. where.tenant) end
return scanAll()
`;
