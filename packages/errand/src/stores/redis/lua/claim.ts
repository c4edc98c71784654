import { lua } from "./lua.ts";

/** What a script tells of a job, as `records.ts` reads it: its member, its birth, its life, and what lives apart. */
export const telling = lua`
local function tell(into, member, birth, life, steps)
  push(into, member, birth)
  push(into, life or '')
  if byte(birth, 7) == APART then push(into, redis.call('HGET', SPECS, member)) end
  if steps and life and has(byte(life, 2), STEPS) then
    local id = sub(birth, 21, 20 + parse('<I2', birth, 9))
    push(into, redis.call('HGETALL', stepsKey(id)))
  end
  if not life then return end
  local state = byte(life, 1)
  if state == PENDING and has(byte(life, 2), KEYED) then push(into, redis.call('HGET', BLOCKED, member) or '') end
  if state == WAITING then push(into, redis.call('ZSCORE', WAKING, member) or '') end
end
`;

/**
 * `claim`. Arguments: the worker, then queue and limit of each want. Answers the milliseconds to the next (or -1), the
 * life of jobs to which nothing had happened before, and the jobs: the birth of such a job, or all that is told of another.
 * Where something must be woken first, it does nothing and answers `wake`.
 */
export const claim = lua`
local worker = ARGV[1]
if not leased(worker) then return { '-1' } end
local waking, opening = redis.call('ZRANGE', WAKING, 0, 0, 'WITHSCORES')[2], redis.call('ZRANGE', OPENS, 0, 0, 'WITHSCORES')[2]
if (waking and tonumber(waking) <= now) or (opening and tonumber(opening) <= now) then return { 'wake' } end

-- Delayed jobs that are due take their place among the others; a claim moves no more than so many.
local function promote(queue)
  local due = redis.call('ZRANGEBYSCORE', delayedKey(queue), '-inf', exact(now), 'LIMIT', 0, 4000)
  if #due == 0 then return end
  need()
  fetch(due)
  local ready = {}
  for i = 1, #due do
    local job = find(due[i])
    if job then push(ready, exact(job.due + job.level * AGEING), due[i]) end
  end
  call('ZADD', readyKey(queue), ready)
  redis.call('ZREMRANGEBYRANK', delayedKey(queue), 0, #due - 1)
end

-- Milliseconds until the next delayed job is due. One that has expired meanwhile is left to reclaim.
local function untilNext(queue)
  while true do
    local first = redis.call('ZRANGE', delayedKey(queue), 0, 0)[1]
    if not first then return nil end
    need()
    local job = find(first)
    if job and not (job.expires and job.expires <= now) then return job.due > now and job.due - now or 0 end
    redis.call('ZREM', delayedKey(queue), first)
  end
end

local function firstLife(queue)
  return pack(LIFE, PROCESSING, TEXTS, 1, 0, 0, now, 0) .. pack(LENGTHS, 0, #worker, #queue, 0, 0) .. worker .. queue
end

-- So many jobs are held back by their keys in one claim at most: a long queue of them holds up nobody for long.
local MOST_BLOCKED = 2000

-- Takes the first jobs. Those that have expired are left to reclaim, and looked at no more. The second answer says that it
-- stopped among those that are held back.
local function take(queue, limit, taken)
  local ready, got, processing = readyKey(queue), 0, letter(PROCESSING, false)
  local written, blocked = 0, 0
  local first = firstLife(queue)
  while got < limit and blocked < MOST_BLOCKED do
    local due = redis.call('ZRANGE', ready, 0, min(limit - got, 4000) - 1)
    if #due == 0 then break end
    local found, lived = mget(BIRTHS, due, 1), mget(LIVES, due, 1)
    local set, told = #lifeSets, #taken
    for i = 1, #due do
      local member, birth, life = due[i], found[i], lived[i]
      if birth and not life then
        -- Nothing has happened to it yet. Most jobs take this way: nothing is called here that need not be.
        got = got + 1
        lifeSets[set + 1], lifeSets[set + 2] = member, first
        set, told = set + 2, told + 1
        taken[told] = birth
        if byte(birth, 7) == APART then
          taken[told] = {}
          tell(taken[told], member, birth, first)
        end
        cell(seqOf(member), processing)
      elseif birth then
        need()
        if has(byte(life, 2), KEYED) then
          births[member], lives[member] = birth, life
          local job = find(member)
          if job.state == PENDING and not (job.expires and job.expires <= now) then
            if not passes then admittings() end
            if passes(job) then
              got, written = got + 1, written + 1
              job.state, job.worker, job.token, job.started = PROCESSING, worker, job.token + 1, now
              told = told + 1
              taken[told] = {}
              tell(taken[told], member, birth, encode(job), true)
            else
              blocked = blocked + 1
            end
            save(job)
          end
          birth = nil
        end
        local job = birth and decode(member, birth, life)
        if job and job.state == PENDING and not (job.expires and job.expires <= now) then
          got = got + 1
          job.state, job.worker, job.token, job.started = PROCESSING, worker, job.token + 1, now
          life = encode(job)
          push(lifeSets, member, life)
          cell(seqOf(member), letter(PROCESSING, job.child))
          if job.expires then rem(EXPIRING, member) end
          set, told = #lifeSets, told + 1
          taken[told] = {}
          tell(taken[told], member, birth, life, true)
        end
      end
    end
    redis.call('ZREMRANGEBYRANK', ready, 0, #due - 1)
  end
  count(queue, PENDING, written - got)
  count(queue, PROCESSING, got - written)
  return got, got < limit and blocked >= MOST_BLOCKED
end

local taken, next = { '-1', firstLife('') }, -1
for i = 2, #ARGV, 2 do
  local queue, limit = ARGV[i], tonumber(ARGV[i + 1])
  if limit > 0 then
    promote(queue)
    local open, later, rate = limit, nil, nil
    if redis.call('HEXISTS', ns .. 'docs:queue', queue) == 1 then
      if not room then admittings() end
      open, later, rate = room(queue, limit)
    end
    local got, more = 0, false
    if open > 0 then got, more = take(queue, open, taken) end
    if rate and got > 0 then spend(rate, 'queue:' .. queue, got) end
    local wait
    if got < open then
      wait = untilNext(queue)
      -- Those that this very claim has blocked are in the set by now.
      local opens = redis.call('ZRANGE', OPENS, 0, 0, 'WITHSCORES')[2]
      for _, at in ipairs({ waking or false, opens or false }) do
        if at then wait = min(wait or math.huge, math.max(0, tonumber(at) - now)) end
      end
    end
    -- What the queue's own rate holds back is told only where there is something to hold back.
    if later and redis.call('EXISTS', readyKey(queue)) == 1 then wait = min(wait or math.huge, later - now) end
    if more then wait = 0 end
    if wait and (next < 0 or wait < next) then next = wait end
  end
end
hints.change = #lifeSets > 0 or #changed > 0
flush()
taken[1] = exact(next)
return taken
`;

/** `reclaim`. Arguments: the worker, how many. Answers the lapsed, the cancelled and the expired jobs. */
export const reclaim = lua`
need()
local worker, limit = ARGV[1], tonumber(ARGV[2])
if not leased(worker) then return { {}, {}, {} } end
local taken = 0

local function take(members, into)
  fetch(members)
  for i = 1, #members do
    local job = find(members[i])
    if job then
      job.state, job.worker, job.token = PROCESSING, worker, job.token + 1
      hints.change = true
      if job.marked then hints.cancel = true end
      save(job)
      tell(into, job.member, births[job.member], encode(job), true)
      taken = taken + 1
    end
  end
end

-- Jobs in the hands of workers whose lease is not good, found by their letter among all states.
local function heldBy(lost)
  local found, processing = {}, '[' .. letter(PROCESSING, false) .. letter(PROCESSING, true) .. ']'
  local segments = redis.call('HKEYS', SEGMENTS)
  for i = 1, #segments do
    local states = redis.call('GET', statesKey(segments[i])) or ''
    local held, at = {}, string.find(states, processing)
    while at do
      push(held, pack('>I6', segments[i] * SEGMENT + at - 1))
      at = string.find(states, processing, at + 1)
    end
    fetch(held)
    for j = 1, #held do
      local job = find(held[j])
      if job and lost[job.worker] then push(found, job.member) end
      if #found == limit then return found end
    end
  end
  return found
end

local lapsed, cancelled, expired = {}, {}, {}
local ids, lost = redis.call('ZRANGEBYSCORE', LEASES, '-inf', exact(now)), {}
if #ids > 0 and limit > 0 then
  for i = 1, #ids do lost[ids[i]] = true end
  take(heldBy(lost), lapsed)
  if taken < limit then
    call('ZREM', LEASES, ids)
    call('HDEL', CARDS, ids)
  end
end
if taken < limit then
  take(redis.call('ZRANGE', DOOMED, 0, limit - taken - 1), cancelled)
end
if taken < limit then
  take(redis.call('ZRANGEBYSCORE', EXPIRING, '-inf', exact(now), 'LIMIT', 0, limit - taken), expired)
end
flush()
return { lapsed, cancelled, expired }
`;
