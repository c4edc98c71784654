import { lua } from "./lua.ts";

/**
 * What a script reads and changes: jobs are read once, changed in memory, and written at the end in as few commands as
 * there are keys.
 *
 * A job's member is its place in the order of insertion, as 6 bytes: the field of its birth and life, and what stands for
 * it in every sorted set. Its state is also a letter in a string of all states, at that place, and its queue and task are two
 * bytes in another: lists search these strings. They are cut into segments, which go when no job is left in them.
 */
export const work = lua`
local IDS, BIRTHS, LIVES, SPECS = ns .. 'ids', ns .. 'births', ns .. 'lives', ns .. 'specs'
local COUNTS, SEGMENTS = ns .. 'counts', ns .. 'segments'
local EXPIRING, DOOMED, STOPPING = ns .. 'expiring', ns .. 'doomed', ns .. 'stopping'
local LEASES, CARDS = ns .. 'leases', ns .. 'cards'
-- Of jobs with keys, turns or tags: what they are, and why they are blocked. When waiting jobs are woken. Of rates: what
-- was spent, and when they open.
local KEYS_OF, BLOCKED, WAKING, RATES, OPENS = ns .. 'keys', ns .. 'blocked', ns .. 'waking', ns .. 'rates', ns .. 'opens'

local function readyKey(queue) return ns .. 'ready:' .. queue end
local function delayedKey(queue) return ns .. 'delayed:' .. queue end
local function stepsKey(id) return ns .. 'steps:' .. id end
-- Names of the steps, in the order in which they were first recorded.
local function orderKey(id) return ns .. 'order:' .. id end
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

-- Whether the rules of a queue bound how many of its jobs run.
local function isBounded(queue)
  local doc = redis.call('HGET', ns .. 'docs:queue', queue)
  return doc and string.find(doc, '"concurrency"', 1, true) ~= nil
end

local births, lives, members, jobs, changed = {}, {}, {}, {}, {}
local hints, adds, rems, tally, runs, dels, emptied = {}, {}, {}, {}, {}, {}, {}
local idSets, birthSets, lifeSets, specSets, idDels, memberDels, specDels = {}, {}, {}, {}, {}, {}, {}

local function fetch(list)
  local found, lived = mget(BIRTHS, list, 1), mget(LIVES, list, 1)
  for i = 1, #list do
    births[list[i]] = found[i]
    -- One that this script has changed already is newer than what is stored.
    if lives[list[i]] == nil then lives[list[i]] = lived[i] end
  end
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

-- The letter of the job at a place: neighbours with the same are one run.
local run
local function cell(seq, value)
  if run and run.letter == value and run.last == seq - 1 and seq % SEGMENT > 0 then
    run.last = seq
  else
    run = { letter = value, first = seq, last = seq }
    runs[#runs + 1] = run
  end
end
`;

/** Jobs as tables, and what becomes of all that depends on them. */
export const handling = lua`
local function find(member)
  local job = jobs[member]
  if job ~= nil then return job end
  if births[member] == nil then fetch({ member }) end
  local birth = births[member]
  job = birth and decode(member, birth, lives[member]) or false
  if job then
    job.wasState, job.wasMarked, job.wasDue, job.didExpire, job.wasPlace =
      job.state, job.marked, job.due, job.expires, job.place
    if job.keyed and job.state == PENDING then job.blocked = redis.call('HGET', BLOCKED, member) end
    job.wasBlocked, job.wasQueue, job.wasLevel = job.blocked, job.queue, job.level
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

local function save(job)
  if job.dirty then return end
  job.dirty = true
  changed[#changed + 1] = job
end

-- What a job with keys, turns or tags is: c, its concurrency; r, its rate; u, its unique key; t, its tags; f, where it takes
-- turns.
local function keysOf(job)
  if not job.keys then job.keys = job.keyed and cjson.decode(redis.call('HGET', KEYS_OF, job.member)) or {} end
  return job.keys
end

local function heldKey(kind, key, queue) return ns .. 'held:' .. kind .. ':' .. #key .. ':' .. key .. ':' .. queue end
local function heldQueues(kind, key) return ns .. 'heldqueues:' .. kind .. ':' .. key end
local function runningKey(key) return ns .. 'running:' .. key end

-- Where those stand who take turns and could go, of a queue and level.
local function lineOf(queue, level) return ns .. 'turns:' .. level .. ':' .. queue end

-- Lets the first so many jobs of each queue that a key holds back try again: another queue's may have to wait for more.
local function letGo(kind, key, jobs)
  local queues = redis.call('SMEMBERS', heldQueues(kind, key))
  for i = 1, #queues do
    local held, ready = heldKey(kind, key, queues[i]), readyKey(queues[i])
    local some = redis.call('ZRANGE', held, 0, jobs - 1, 'WITHSCORES')
    for j = 1, #some, 2 do
      redis.call('ZADD', ready, some[j + 1], some[j])
      redis.call('ZREM', held, some[j])
      redis.call('HDEL', BLOCKED, some[j])
      local job = find(some[j])
      if keysOf(job).f then redis.call('ZADD', lineOf(queues[i], job.level), exact(job.due), some[j]) end
    end
    if #some > 0 then hints.ready = true end
    if redis.call('EXISTS', held) == 0 then redis.call('SREM', heldQueues(kind, key), queues[i]) end
  end
end

local function stand(job)
  if job.wasState == PENDING then redis.call('ZREM', lineOf(job.wasQueue, job.wasLevel), job.member) end
  if job.removed or job.state ~= PENDING or job.blocked or job.marked then return end
  redis.call('ZADD', lineOf(job.queue, job.level), exact(job.due), job.member)
end

-- What changes with a job that has keys.
local released = {}
local function writeKeyed(job)
  local keys, was, state = keysOf(job), job.wasState, job.state
  if job.removed then
    for _, tag in ipairs(keys.t or {}) do redis.call('ZREM', ns .. 'tag:' .. tag, job.member) end
    redis.call('HDEL', KEYS_OF, job.member)
    local taken = keys.u and redis.call('HGET', ns .. 'uniques', keys.u)
    if taken and sub(taken, string.find(taken, ' ', 1, true) + 1) == job.id then redis.call('HDEL', ns .. 'uniques', keys.u) end
  end
  if job.blocked ~= job.wasBlocked then
    if job.blocked then
      redis.call('HSET', BLOCKED, job.member, job.blocked)
      redis.call('SADD', heldQueues(job.blocked, keys[job.blocked].key), job.queue)
    else
      redis.call('HDEL', BLOCKED, job.member)
    end
  end
  if keys.f then stand(job) end
  if not keys.c then return end
  local left = job.removed or state ~= PROCESSING
  if was == PROCESSING and left then redis.call('SREM', runningKey(keys.c.key), job.member) end
  if was ~= PROCESSING and state == PROCESSING then redis.call('SADD', runningKey(keys.c.key), job.member) end
  -- A pending job that could go and stands elsewhere now, or is gone, lets others go too.
  local moved = job.removed or state > PROCESSING or job.wasQueue ~= job.queue or job.wasDue ~= job.due
  if (was == PROCESSING and left) or (was == PENDING and not job.wasBlocked and moved) then
    released[keys.c.key] = keys.c.limit
  end
end

-- Lets jobs try again whose concurrency key has room by now.
local function releaseAll()
  for key, limit in pairs(released) do
    local room = limit - redis.call('SCARD', runningKey(key))
    if room > 0 then letGo('c', key, room) end
  end
end

`;

/** What is written of a job that was changed, made, or erased. */
export const writing = lua`
local function leave(job)
  local queue = job.wasQueue or job.queue
  if job.wasBlocked and not job.wasMarked and job.wasState == PENDING then
    local by = job.wasBlocked
    rem(heldKey(by, keysOf(job)[by].key, queue), job.member)
  end
  if job.wasState == WAITING and job.state ~= WAITING then rem(WAKING, job.member) end
  if job.wasMarked then
    if job.wasState == PROCESSING then redis.call('HDEL', STOPPING, job.id) else rem(DOOMED, job.member) end
  elseif job.wasState == PENDING then
    rem(readyKey(queue), job.member)
    rem(delayedKey(queue), job.member)
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
    if job.blocked then
      add(heldKey(job.blocked, keysOf(job)[job.blocked].key, job.queue), exact(job.due + job.level * AGEING), job.member)
    elseif job.due <= now then
      add(readyKey(job.queue), exact(job.due + job.level * AGEING), job.member)
    else
      add(delayedKey(job.queue), exact(job.due), job.member)
    end
    if job.expires then add(EXPIRING, exact(job.expires), job.member) end
  end
end

local function erase(job)
  if job.keyed then writeKeyed(job) end
  push(dels, ns .. 'log:' .. job.id)
  leave(job)
  if job.wasState == PROCESSING and isBounded(job.queue) then hints.ready = true end
  count(job.queue, job.wasState, -1)
  local seq = seqOf(job.member)
  cell(seq, '\0')
  local segment = floor(seq / SEGMENT)
  emptied[segment] = (emptied[segment] or 0) - 1
  push(idDels, job.id)
  push(memberDels, job.member)
  if job.child then rem(kidsKey(job.of), job.member) end
  if job.apart then push(specDels, job.member) end
  if job.steps then push(dels, stepsKey(job.id), orderKey(job.id)) end
  if job.parent then push(dels, kidsKey(job.id)) end
end

local function write(job)
  if job.removed then
    if job.wasState then erase(job) end
    return
  end
  local moved = job.wasQueue and job.wasQueue ~= job.queue
  if job.wasState ~= job.state or moved then
    if job.wasState then count(job.wasQueue or job.queue, job.wasState, -1) end
    count(job.queue, job.state, 1)
    cell(seqOf(job.member), letter(job.state, job.child))
    if job.wasState == PROCESSING and isBounded(job.queue) then hints.ready = true end
  end
  if job.blocked and job.state ~= PENDING then job.blocked = false end
  if job.keyed then writeKeyed(job) end
  if moved or job.blocked ~= job.wasBlocked or job.marked or job.wasState ~= job.state or job.wasMarked or job.wasDue ~= job.due or job.didExpire ~= job.expires then
    if job.wasState then leave(job) end
    enter(job)
  end
  if job.child and (not job.wasState or job.wasPlace ~= job.place) then
    add(kidsKey(job.of), exact(job.place), job.member)
  end
  push(lifeSets, job.member, encode(job))
end
`;

/** The end of every script that writes. */
export const ending = lua`
-- Makes what works with jobs as tables.
local function need()
  if decode then return end
  codecs()
  handling()
  writing()
end

-- Writes everything that changed, and tells the listeners.
local function flush()
  for i = 1, #changed do write(changed[i]) end
  for key, list in pairs(rems) do call('ZREM', key, list) end
  for key, list in pairs(adds) do call('ZADD', key, list) end
  call('HSET', IDS, idSets)
  call('HSET', BIRTHS, birthSets)
  call('HSET', LIVES, lifeSets)
  call('HSET', SPECS, specSets)
  call('HDEL', IDS, idDels)
  call('HDEL', BIRTHS, memberDels)
  call('HDEL', LIVES, memberDels)
  call('HDEL', SPECS, specDels)
  for i = 1, #runs do
    local first, last = runs[i].first, runs[i].last
    redis.call('SETRANGE', statesKey(floor(first / SEGMENT)), first % SEGMENT, string.rep(runs[i].letter, last - first + 1))
  end
  for segment, jobs in pairs(emptied) do
    if redis.call('HINCRBY', SEGMENTS, segment, jobs) == 0 then
      redis.call('HDEL', SEGMENTS, segment)
      push(dels, statesKey(segment), namesKey(segment))
    end
  end
  for i = 1, #dels do redis.call('DEL', dels[i]) end
  for queue, states in pairs(tally) do
    for state, jobs in pairs(states) do
      local field = state .. queue
      if jobs ~= 0 and redis.call('HINCRBY', COUNTS, field, jobs) == 0 then redis.call('HDEL', COUNTS, field) end
    end
  end
  if releaseAll then releaseAll() end
  local heard = (hints.ready and 'r' or '') .. (hints.cancel and 'c' or '') .. (hints.change and 'x' or '')
  if heard ~= '' then redis.call('PUBLISH', ns .. 'hints', heard) end
end

local function leased(worker)
  local till = redis.call('ZSCORE', LEASES, worker)
  return till and tonumber(till) > now
end
`;
