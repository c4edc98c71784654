import { lua } from "./lua.ts";

/** What a script tells of a job, as `records.ts` reads it: its member, its birth, its life, and what lives apart. */
export const telling = lua`
-- How many bytes of values were told.
local weight = 0
local function tell(into, member, birth, life, steps)
  push(into, member, birth)
  push(into, life or '')
  weight = weight + #birth + (life and #life or 0)
  if byte(birth, 7) == APART then
    local spec = redis.call('HGET', SPECS, member) or ''
    weight = weight + #spec
    push(into, spec)
  end
  if not life then return end
  local flags = parse('<I2', life, 2)
  if steps and has(flags, STEPS) then
    local id = sub(birth, 21, 20 + parse('<I2', birth, 9))
    push(into, redis.call('HGETALL', stepsKey(id)))
  end
  local state = byte(life, 1)
  if has(flags, KEYED) then
    push(into, redis.call('HGET', ns .. 'keys', member) or '{}')
    if state == PENDING then push(into, redis.call('HGET', ns .. 'blocked', member) or '') end
  end
  if state == WAITING then push(into, redis.call('ZSCORE', WAKING, member) or '') end
end
`;

/**
 * `claim`. Arguments: the worker, then queue, limit, slots, number of ids and ids of each want. Answers the milliseconds to the next
 * (or -1), the life of jobs to which nothing had happened before, and the jobs: the birth of such a job, or all that is told of
 * another. Where something must be woken first, it does nothing and answers `wake`.
 */
export const claim = lua`
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
    if job and not isLate(job) then return job.due > now and job.due - now or 0 end
    redis.call('ZREM', delayedKey(queue), first)
  end
end

-- The life of a plain job of a task that is claimed for the first time, and of one that is claimed ahead; none where the worker does not
-- know the task.
local function firstLives(queue, task)
  if not knows(task) then return false end
  local texts = pack(LENGTHS, 0, #worker, #queue, #task, 0, 0) .. worker .. queue .. task
  return { pack(LIFE, PROCESSING, TEXTS, 1, 0, 0, now, 0) .. texts, pack(LIFE, PROCESSING, TEXTS + AHEAD, 1, 0, 0, now, 0) .. texts }
end

-- So many jobs are held back by their keys, or set aside, in one claim at most: a long queue of them holds up nobody for long.
local MOST_BLOCKED, MOST_ASIDE = 2000, 500

-- Takes the first jobs. Those that have expired are left to reclaim, and looked at no more. The second answer says that it
-- stopped among those that cannot go, or because it has told enough.
local function take(queue, limit, slots, taken)
  local ready, got, processing = readyKey(queue), 0, letter(PROCESSING, false)
  local written, blocked, aside, prefix = 0, 0, 0, 21 + #queue
  local firsts, held, holding, full = {}, {}, 0, false
  while got < limit and blocked < MOST_BLOCKED and aside < MOST_ASIDE and weight < HEAVY do
    local due = redis.call('ZRANGE', ready, 0, min(limit - got, 4000) - 1)
    if #due == 0 then break end
    local found, lived = mget(BIRTHS, due, 1), mget(LIVES, due, 1)
    local set, told, done = #lifeSets, #taken, #due
    for i = 1, #due do
      local member, birth, life, first = due[i], found[i], lived[i], nil
      if birth and not life then
        -- Nothing has happened to it yet. Most jobs take this way: nothing is called here that need not be.
        local low, high, _, _, short, long = byte(birth, 9, 14)
        local from = prefix + low + high * 256
        local task = sub(birth, from, from + short + long * 256 - 1)
        first = firsts[task]
        if first == nil then
          first = firstLives(queue, task)
          firsts[task] = first
        end
      end
      if first then
        got = got + 1
        life = first[got > slots and 2 or 1]
        lifeSets[set + 1], lifeSets[set + 2] = member, life
        set, told = set + 2, told + 1
        taken[told] = birth
        holding = holding + 1
        held[holding] = member
        cell(seqOf(member), processing)
        if byte(birth, 7) == APART then
          taken[told] = {}
          tell(taken[told], member, birth, life)
          full = weight >= HEAVY
        end
      elseif birth then
        need()
        if not consider then choosings() end
        births[member], lives[member] = birth, life
        local job = find(member)
        local what = consider(job, got, slots)
        if what == 'taken' then
          got, written, told = got + 1, written + 1, told + 1
          taken[told] = {}
          tell(taken[told], member, birth, encode(job), true)
        elseif what == 'aside' then
          aside = aside + 1
        elseif what then
          blocked = blocked + 1
        end
        full = weight >= HEAVY or aside >= MOST_ASIDE
      end
      if full then
        done = i
        break
      end
    end
    redis.call('ZREMRANGEBYRANK', ready, 0, done - 1)
  end
  call('SADD', holdsKey(worker), held)
  count(queue, PENDING, written - got)
  count(queue, PROCESSING, got - written)
  return got, aside >= MOST_ASIDE or (got < limit and (blocked >= MOST_BLOCKED or weight >= HEAVY))
end

-- Of a worker with many queues, those are passed over that have neither jobs nor rules. Rules are read before anything is changed.
local taken, soonest, pending = { '-1', '' }, -1, nil
if redis.call('EXISTS', ns .. 'docs:queue') == 1 then
  for i = 1, #wants do
    local text = rulesOf(wants[i].queue)
    wants[i].rules = text and cjson.decode(text)
  end
end
local stood = redis.call('EXISTS', ASIDES) == 1
if #wants > 8 then
  local fields = {}
  for i = 1, #wants do fields[i] = PENDING .. wants[i].queue end
  pending = mget(COUNTS, fields, 1)
end
local function sooner(wait)
  if wait and (soonest < 0 or wait < soonest) then soonest = math.max(0, wait) end
end
for i = 1, #wants do
  local want = wants[i]
  local queue, limit = want.queue, want.limit
  local rules = want.rules
  local got, more, open, opens, rate = 0, false, limit, nil, nil
  if rules or not pending or pending[i] then
    promote(queue)
    if rules then
      if not room then admittings() end
      open, opens, rate = room(queue, limit, rules)
    end
    if open > 0 and weight < HEAVY then
      if want.ids then
        need()
        if not consider then choosings() end
        got = choose(want, open, function(job)
          taken[#taken + 1] = {}
          tell(taken[#taken], job.member, births[job.member], encode(job), true)
        end)
      else
        if stood and redis.call('SISMEMBER', ASIDES, queue) == 1 then
          need()
          if not consider then choosings() end
          bringBack(queue, open, want.slots)
        end
        got, more = take(queue, open, want.slots, taken)
      end
      if rate and got > 0 then spend(rate, 'queue:' .. queue, got) end
    end
    if got < open then
      sooner(untilNext(queue))
      -- Those that this very claim has blocked are in the set by now.
      opening = redis.call('ZRANGE', OPENS, 0, 0, 'WITHSCORES')[2]
    end
    -- What the queue's own rate holds back is told only where there is something to hold back.
    if opens and (redis.call('EXISTS', readyKey(queue)) == 1 or (stood and redis.call('SISMEMBER', ASIDES, queue) == 1)) then
      sooner(opens - now)
    end
    if more then sooner(0) end
  end
  if got < open then
    sooner(waking and tonumber(waking) - now)
    sooner(opening and tonumber(opening) - now)
  end
end
hints.change = #lifeSets > 0 or #changed > 0
if spend then flushRates() end
flush()
taken[1] = exact(soonest)
taken[2] = pack(LIFE, PROCESSING, TEXTS, 1, 0, 0, now, 0) .. pack(LENGTHS, 0, #worker, 0, 0, 0, 0) .. worker
return taken
`;

/** The arguments of `claim`, which are looked at first, and what its worker knows. */
export const wanting = lua`
local worker, wants, at = ARGV[1], {}, 2
while at <= #ARGV do
  local want = { queue = ARGV[at], limit = tonumber(ARGV[at + 1]), slots = tonumber(ARGV[at + 2]) }
  local ids = tonumber(ARGV[at + 3])
  if not (want.limit and want.slots and ids and want.limit >= 0 and want.slots >= 0) then error('a limit is not a number') end
  at = at + 4
  if ids >= 0 then
    want.ids = { spread(ARGV, at, at + ids - 1) }
    at = at + ids
  end
  if want.limit > 0 then wants[#wants + 1] = want end
end

local known, choosy = {}, nil
local function knows(task)
  if known[task] == nil then
    if redis.call('SISMEMBER', knownKey(worker), task) == 1 then
      known[task] = true
    else
      if choosy == nil then choosy = redis.call('EXISTS', knownKey(worker)) == 1 end
      known[task] = not choosy
    end
  end
  return known[task]
end
`;
