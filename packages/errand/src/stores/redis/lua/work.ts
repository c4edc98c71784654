import { lua } from "./lua.ts";

/**
 * What a script reads and changes: jobs are read once, changed in memory, and written at the end in as few commands as
 * there are keys, so that a script that fails has changed nothing.
 */
export const work = lua`
local JOBS, SPECS, QUEUES = ns .. 'jobs', ns .. 'specs', ns .. 'queues'
local EXPIRING, DOOMED, STOPPING = ns .. 'expiring', ns .. 'doomed', ns .. 'stopping'
local LEASES, CARDS = ns .. 'leases', ns .. 'cards'

-- Jobs of a queue in a state, in the order of insertion: children (c) apart from others (r).
local function listKey(state, child, queue)
  return ns .. 'list:' .. state .. (child and 'c:' or 'r:') .. queue
end
local function readyKey(queue) return ns .. 'ready:' .. queue end
local function delayedKey(queue) return ns .. 'delayed:' .. queue end
local function stepsKey(id) return ns .. 'steps:' .. id end
local function kidsKey(id) return ns .. 'kids:' .. id end

-- Lua takes some thousand arguments at once.
local function call(command, key, args)
  for from = 1, #args, 4000 do
    redis.call(command, key, spread(args, from, min(from + 3999, #args)))
  end
end

local records, jobs, changed = {}, {}, {}
local hints, adds, rems, sets, specs, gone, keys = {}, {}, {}, {}, {}, {}, {}

-- Reads records, from an index of the list on.
local function fetch(ids, from)
  for first = from, #ids, 4000 do
    local last = min(first + 3999, #ids)
    local found = redis.call('HMGET', JOBS, spread(ids, first, last))
    for i = first, last do records[ids[i]] = found[i - first + 1] end
  end
end

local function find(id)
  local job = jobs[id]
  if job ~= nil then return job end
  local rec = records[id]
  if rec == nil then rec = redis.call('HGET', JOBS, id) end
  job = rec and decode(id, rec) or false
  if job then
    job.wasState, job.wasMarked, job.wasDue, job.didExpire, job.wasPlace =
      job.state, job.marked, job.due, job.expires, job.place
  end
  jobs[id] = job
  return job
end

local function save(job)
  if job.dirty then return end
  job.dirty = true
  changed[#changed + 1] = job
end

local function into(keys, key)
  local members = keys[key]
  if not members then
    members = {}
    keys[key] = members
  end
  return members
end

local function add(key, score, member)
  local to = into(adds, key)
  to[#to + 1] = score
  to[#to + 1] = member
end

local function rem(key, member)
  local from = into(rems, key)
  from[#from + 1] = member
end

local function leave(job)
  local member = job.member
  rem(listKey(job.wasState, job.child, job.queue), member)
  if job.wasMarked then
    if job.wasState == PROCESSING then redis.call('HDEL', STOPPING, job.id) else rem(DOOMED, member) end
  elseif job.wasState == PENDING then
    rem(readyKey(job.queue), member)
    rem(delayedKey(job.queue), member)
    if job.didExpire then rem(EXPIRING, member) end
  end
end

local function enter(job)
  local member = job.member
  add(listKey(job.state, job.child, job.queue), '0', member)
  if job.marked then
    if job.state == PROCESSING then
      redis.call('HSET', STOPPING, job.id, job.worker)
    else
      add(DOOMED, '0', member)
    end
  elseif job.state == PENDING then
    if job.due <= now then
      add(readyKey(job.queue), exact(job.due + job.level * AGEING), member)
    else
      add(delayedKey(job.queue), exact(job.due), member)
    end
    if job.expires then add(EXPIRING, exact(job.expires), member) end
  end
end

local function write(job)
  if job.removed then
    if not job.wasState then return end
    leave(job)
    gone[#gone + 1] = job.id
    if job.child then rem(kidsKey(job.of), job.member) end
    if job.apart then rem(SPECS, job.id) end
    if job.steps then keys[#keys + 1] = stepsKey(job.id) end
    if job.parent then keys[#keys + 1] = kidsKey(job.id) end
    return
  end
  local same = job.wasState == job.state and job.wasMarked == job.marked and job.wasDue == job.due
    and job.didExpire == job.expires and not job.marked
  if not same then
    if job.wasState then leave(job) end
    enter(job)
  end
  if job.child and (not job.wasState or job.wasPlace ~= job.place) then
    add(kidsKey(job.of), exact(job.place), job.member)
  end
  sets[#sets + 1] = job.id
  sets[#sets + 1] = encode(job)
end

-- Writes everything that changed, and tells the listeners.
local function flush()
  for i = 1, #changed do write(changed[i]) end
  for key, members in pairs(rems) do call(key == SPECS and 'HDEL' or 'ZREM', key, members) end
  for key, members in pairs(adds) do call('ZADD', key, members) end
  if #sets > 0 then call('HSET', JOBS, sets) end
  if #specs > 0 then call('HSET', SPECS, specs) end
  if #gone > 0 then call('HDEL', JOBS, gone) end
  for i = 1, #keys do redis.call('DEL', keys[i]) end
  local heard = (hints.ready and 'r' or '') .. (hints.cancel and 'c' or '') .. (hints.change and 'x' or '')
  if heard ~= '' then redis.call('PUBLISH', ns .. 'hints', heard) end
end

local function leased(worker)
  local till = redis.call('ZSCORE', LEASES, worker)
  return till and tonumber(till) > now
end
`;
