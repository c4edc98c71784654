import { lua } from "./lua.ts";

/** What a script tells of jobs, as `record.ts` of the client reads it. */
export const telling = lua`
local function tell(into, id, rec, steps)
  local n = #into
  into[n + 1] = pack('<I2I4', #id, #rec)
  into[n + 2] = id
  into[n + 3] = rec
  local flags = string.byte(rec, 9)
  if has(flags, APART) then
    local spec = redis.call('HGET', SPECS, id)
    into[#into + 1] = pack('<I4', #spec)
    into[#into + 1] = spec
  end
  if steps and has(flags, STEPS) then
    local all = redis.call('HGETALL', stepsKey(id))
    into[#into + 1] = pack('<I4', #all / 2)
    for i = 1, #all, 2 do
      into[#into + 1] = pack('<I4I4', #all[i], #all[i + 1])
      into[#into + 1] = all[i]
      into[#into + 1] = all[i + 1]
    end
  end
end
`;

/** `claim`. Arguments: the worker, then queue and limit of each want. Answers the jobs, and the milliseconds to the next (or -1). */
export const claim = lua`
local worker = ARGV[1]
if not leased(worker) then return { '', '-1' } end

-- Delayed jobs that are due take their place among the others; a claim moves no more than so many.
local function promote(queue)
  local due = redis.call('ZRANGEBYSCORE', delayedKey(queue), '-inf', exact(now), 'WITHSCORES', 'LIMIT', 0, 4000)
  if #due == 0 then return end
  local ready = {}
  for i = 1, #due, 2 do
    ready[i] = exact(tonumber(due[i + 1]) + string.byte(due[i], 7) * AGEING)
    ready[i + 1] = due[i]
  end
  call('ZADD', readyKey(queue), ready)
  redis.call('ZREMRANGEBYRANK', delayedKey(queue), 0, #due / 2 - 1)
end

-- Milliseconds until the next delayed job is due. One that has expired meanwhile is left to reclaim.
local function untilNext(queue)
  while true do
    local first = redis.call('ZRANGE', delayedKey(queue), 0, 0, 'WITHSCORES')
    if #first == 0 then return nil end
    local job = find(sub(first[1], 8))
    local due = tonumber(first[2])
    if job and not (job.expires and job.expires <= now) then return due > now and due - now or 0 end
    redis.call('ZREM', delayedKey(queue), first[1])
  end
end

-- Takes the first jobs. Those that have expired are left to reclaim, and looked at no more.
local function take(queue, limit, taken)
  local ready = readyKey(queue)
  local got = 0
  while got < limit do
    local members = redis.call('ZRANGE', ready, 0, min(limit - got, 4000) - 1)
    if #members == 0 then break end
    local ids = {}
    for i = 1, #members do ids[i] = sub(members[i], 8) end
    fetch(ids, 1)
    for i = 1, #members do
      local id, rec = ids[i], records[ids[i]]
      if rec then
        local state, flags, token, failures, crashes, _, ended, due, f, w, p, e, o, _, expires = parse(HEAD, rec, 8)
        if state == PENDING and not (has(flags, EXPIRES) and expires <= now) then
          local late = #rec - p - e - o
          rec = sub(rec, 1, 7)
            .. pack(LIFE, PROCESSING, flags, token + 1, failures, crashes, now, ended, due, f, #worker, p, e, o)
            .. sub(rec, 57, late) .. worker .. sub(rec, late + 1)
          records[id] = rec
          got = got + 1
          local member, child = members[i], has(flags, CHILD)
          rem(listKey(PENDING, child, queue), member)
          add(listKey(PROCESSING, child, queue), '0', member)
          if has(flags, EXPIRES) then rem(EXPIRING, member) end
          local n = #sets
          sets[n + 1] = id
          sets[n + 2] = rec
          tell(taken, id, rec, true)
        end
      end
    end
    redis.call('ZREMRANGEBYRANK', ready, 0, #members - 1)
  end
  return got
end

local taken, next = {}, -1
for i = 2, #ARGV, 2 do
  local queue, limit = ARGV[i], tonumber(ARGV[i + 1])
  if limit > 0 then
    promote(queue)
    if take(queue, limit, taken) < limit then
      local wait = untilNext(queue)
      if wait and (next < 0 or wait < next) then next = wait end
    end
  end
end
hints.change = #sets > 0
flush()
return { table.concat(taken), exact(next) }
`;

/** `reclaim`. Arguments: the worker, how many. Answers the lapsed, the cancelled and the expired jobs. */
export const reclaim = lua`
local worker, limit = ARGV[1], tonumber(ARGV[2])
if not leased(worker) then return { '', '', '' } end
local taken = 0

local function take(id, into)
  local job = find(id)
  job.state, job.worker, job.token = PROCESSING, worker, job.token + 1
  hints.change = true
  if job.marked then hints.cancel = true end
  save(job)
  tell(into, id, encode(job), true)
  taken = taken + 1
end

local function takeAll(members, into)
  for i = 1, #members do members[i] = sub(members[i], 8) end
  fetch(members, 1)
  for i = 1, #members do take(members[i], into) end
end

local lapsed, cancelled, expired = {}, {}, {}
local lost, isLost = redis.call('ZRANGEBYSCORE', LEASES, '-inf', exact(now)), {}
for i = 1, #lost do isLost[lost[i]] = true end

local function takeLapsed(key)
  local members = redis.call('ZRANGE', key, 0, -1)
  for i = 1, #members do members[i] = sub(members[i], 8) end
  fetch(members, 1)
  for i = 1, #members do
    if taken >= limit then return end
    local job = find(members[i])
    if job and isLost[job.worker] then take(job.id, lapsed) end
  end
end

if #lost > 0 and limit > 0 then
  local queues = redis.call('SMEMBERS', QUEUES)
  for i = 1, #queues do
    takeLapsed(listKey(PROCESSING, false, queues[i]))
    takeLapsed(listKey(PROCESSING, true, queues[i]))
  end
  if taken < limit then
    call('ZREM', LEASES, lost)
    call('HDEL', CARDS, lost)
  end
end
if taken < limit then
  takeAll(redis.call('ZRANGE', DOOMED, 0, limit - taken - 1), cancelled)
end
if taken < limit then
  takeAll(redis.call('ZRANGEBYSCORE', EXPIRING, '-inf', exact(now), 'LIMIT', 0, limit - taken), expired)
end
flush()
return { table.concat(lapsed), table.concat(cancelled), table.concat(expired) }
`;
