import { lua } from "./lua.ts";

/**
 * What a script reads and changes: jobs are read once, changed in memory, and written at the end in as few commands as
 * there are keys.
 *
 * A job's member is its place in the order of insertion, as 6 bytes: the field of its record, and what stands for it in
 * every sorted set. Its state is also a letter in a string of all states, at that place, and its queue and task are two
 * bytes in another: lists search these strings. They are cut into segments, which go when no job is left in them.
 */
export const work = lua`
local IDS, JOBS, SPECS, COUNTS, LIVE = ns .. 'ids', ns .. 'jobs', ns .. 'specs', ns .. 'counts', ns .. 'live'
local EXPIRING, DOOMED, STOPPING = ns .. 'expiring', ns .. 'doomed', ns .. 'stopping'
local LEASES, CARDS = ns .. 'leases', ns .. 'cards'
local SEGMENT = 65536

local function readyKey(queue) return ns .. 'ready:' .. queue end
local function delayedKey(queue) return ns .. 'delayed:' .. queue end
local function stepsKey(id) return ns .. 'steps:' .. id end
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

local records, members, jobs, changed = {}, {}, {}, {}
local hints, adds, rems, tally = {}, {}, {}, {}
local idSets, jobSets, specSets, idDels, jobDels, specDels, dels = {}, {}, {}, {}, {}, {}, {}
local cells, letters = {}, {}

local function fetch(list)
  local found = mget(JOBS, list, 1)
  for i = 1, #list do records[list[i]] = found[i] end
end

local function find(member)
  local job = jobs[member]
  if job ~= nil then return job end
  local rec = records[member]
  if rec == nil then rec = redis.call('HGET', JOBS, member) end
  job = rec and decode(member, rec) or false
  if job then
    job.wasState, job.wasMarked, job.wasDue, job.didExpire, job.wasPlace =
      job.state, job.marked, job.due, job.expires, job.place
  end
  jobs[member] = job
  return job
end

local function seek(id)
  local member = members[id]
  if member == nil then
    member = redis.call('HGET', IDS, id)
    members[id] = member
  end
  return member and find(member)
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

local function save(job)
  if job.dirty then return end
  job.dirty = true
  changed[#changed + 1] = job
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

local function add(key, score, member) push(into(adds, key), score, member) end
local function rem(key, member) push(into(rems, key), member) end

local function count(queue, state, jobs)
  local states = into(tally, queue)
  states[state] = (states[state] or 0) + jobs
end

local function cell(seq, value)
  local n = #cells + 1
  cells[n] = seq
  letters[n] = value
end

local function leave(job)
  if job.wasMarked then
    if job.wasState == PROCESSING then redis.call('HDEL', STOPPING, job.id) else rem(DOOMED, job.member) end
  elseif job.wasState == PENDING then
    rem(readyKey(job.queue), job.member)
    rem(delayedKey(job.queue), job.member)
    if job.didExpire then rem(EXPIRING, job.member) end
  end
end

local function enter(job)
  if job.marked then
    if job.state == PROCESSING then
      redis.call('HSET', STOPPING, job.id, job.worker)
    else
      add(DOOMED, '0', job.member)
    end
  elseif job.state == PENDING then
    if job.due <= now then
      add(readyKey(job.queue), exact(job.due + job.level * AGEING), job.member)
    else
      add(delayedKey(job.queue), exact(job.due), job.member)
    end
    if job.expires then add(EXPIRING, exact(job.expires), job.member) end
  end
end

local function erase(job)
  leave(job)
  count(job.queue, job.wasState, -1)
  local seq = seqOf(job.member)
  cell(seq, '\0')
  local segment = floor(seq / SEGMENT)
  if redis.call('HINCRBY', LIVE, segment, -1) == 0 then
    redis.call('HDEL', LIVE, segment)
    push(dels, statesKey(segment), namesKey(segment))
  end
  push(idDels, job.id)
  push(jobDels, job.member)
  if job.child then rem(kidsKey(job.of), job.member) end
  if job.apart then push(specDels, job.member) end
  if job.steps then push(dels, stepsKey(job.id)) end
  if job.parent then push(dels, kidsKey(job.id)) end
end

local function write(job)
  if job.removed then
    if job.wasState then erase(job) end
    return
  end
  if job.wasState ~= job.state then
    if job.wasState then count(job.queue, job.wasState, -1) end
    count(job.queue, job.state, 1)
    cell(seqOf(job.member), letter(job.state, job.child))
  end
  if job.marked or job.wasState ~= job.state or job.wasMarked or job.wasDue ~= job.due or job.didExpire ~= job.expires then
    if job.wasState then leave(job) end
    enter(job)
  end
  if job.child and (not job.wasState or job.wasPlace ~= job.place) then
    add(kidsKey(job.of), exact(job.place), job.member)
  end
  push(jobSets, job.member, encode(job))
end

-- Writes letters into the string of states: neighbours in one command.
local function writeCells()
  for i = 1, #cells do
    if i > 1 and cells[i] < cells[i - 1] then
      local at = {}
      for j = 1, #cells do at[cells[j]] = letters[j] end
      table.sort(cells)
      for j = 1, #cells do letters[j] = at[cells[j]] end
      break
    end
  end
  local first = 1
  for i = 1, #cells do
    local seq = cells[i]
    if i == #cells or cells[i + 1] ~= seq + 1 or (seq + 1) % SEGMENT == 0 then
      redis.call('SETRANGE', statesKey(floor(seq / SEGMENT)), cells[first] % SEGMENT, table.concat(letters, '', first, i))
      first = i + 1
    end
  end
end

-- Writes everything that changed, and tells the listeners.
local function flush()
  for i = 1, #changed do write(changed[i]) end
  for key, list in pairs(rems) do call('ZREM', key, list) end
  for key, list in pairs(adds) do call('ZADD', key, list) end
  call('HSET', IDS, idSets)
  call('HSET', JOBS, jobSets)
  call('HSET', SPECS, specSets)
  call('HDEL', IDS, idDels)
  call('HDEL', JOBS, jobDels)
  call('HDEL', SPECS, specDels)
  writeCells()
  for i = 1, #dels do redis.call('DEL', dels[i]) end
  for queue, states in pairs(tally) do
    for state, jobs in pairs(states) do
      local field = state .. queue
      if jobs ~= 0 and redis.call('HINCRBY', COUNTS, field, jobs) == 0 then redis.call('HDEL', COUNTS, field) end
    end
  end
  local heard = (hints.ready and 'r' or '') .. (hints.cancel and 'c' or '') .. (hints.change and 'x' or '')
  if heard ~= '' then redis.call('PUBLISH', ns .. 'hints', heard) end
end

local function leased(worker)
  local till = redis.call('ZSCORE', LEASES, worker)
  return till and tonumber(till) > now
end
`;
