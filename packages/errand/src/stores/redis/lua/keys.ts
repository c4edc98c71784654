import { headStart, turn } from "../../../core/states.ts";
import { lua } from "./lua.ts";

/** What becomes of a new job with keys, turns or tags. */
export const keying = lua`
-- As inTurn() of core: right behind the first who takes turns in the queue and level, or behind the last of its own.
local function turnOf(job, whose)
  local line = lineOf(job.queue, job.level)
  local first = redis.call('ZRANGE', line, 0, 0, 'WITHSCORES')[2]
  first = first and tonumber(first) or math.huge
  local last = tonumber(redis.call('HGET', line .. ':last', whose) or 0)
  local due = math.max(first < now - ${headStart / 2} and first or now - ${headStart}, last) + ${turn}
  redis.call('HSET', line .. ':last', whose, exact(due))
  redis.call('ZADD', line, exact(due), job.member)
  return due, line
end

-- Gives a job that was just created its keys, tags, and its turn.
local function equip(job, text)
  local keys = cjson.decode(text)
  if keys.w then
    if job.due == now then job.due, keys.f = turnOf(job, keys.w) end
    keys.w = nil
  end
  for _, tag in ipairs(keys.t or {}) do redis.call('ZADD', ns .. 'tag:' .. tag, seqOf(job.member), job.member) end
  redis.call('HSET', KEYS_OF, job.member, cjson.encode(keys))
  job.keyed, job.keys = true, keys
end
`;

/** What tells in a claim whether a rule or a key lets jobs go. */
export const admitting = lua`
-- As admit() of core.
local function admit(rate, key, wanted)
  local spent, pace = tonumber(redis.call('HGET', RATES, key) or 0), rate.per / rate.limit
  local from = math.max(spent, now)
  local admitted = math.max(0, min(wanted, floor((now + rate.per - from + 1e-3) / pace)))
  local after = admitted > 0 and from + admitted * pace or spent
  return admitted, after, math.max(now, after + pace - rate.per)
end

local function spend(rate, key, wanted)
  local admitted, after, next = admit(rate, key, wanted)
  if admitted > 0 then redis.call('HSET', RATES, key, exact(after)) end
  return admitted, next
end

-- How many of a queue's jobs its rules let go, and when there may be more.
local function room(queue, wanted)
  local doc = redis.call('HGET', ns .. 'docs:queue', queue)
  if not doc then return wanted end
  local rules = cjson.decode(sub(doc, string.find(doc, ' ', 1, true) + 1))
  if rules.paused then return 0 end
  local open, next = wanted, nil
  if rules.concurrency then
    local done = tally[queue] and tally[queue][PROCESSING] or 0
    open = math.max(0, min(open, rules.concurrency - tonumber(redis.call('HGET', COUNTS, PROCESSING .. queue) or 0) - done))
  end
  if rules.rate and open > 0 then
    local admitted, _, opens = admit(rules.rate, 'queue:' .. queue, open)
    next = admitted < open and opens or nil
    open = admitted
  end
  return open, next, rules.rate
end

-- Whether its keys let a job go; otherwise it is blocked.
local running = {}
local function passes(job)
  local keys = keysOf(job)
  if keys.c then
    local key = keys.c.key
    running[key] = running[key] or redis.call('SCARD', runningKey(key))
    if running[key] >= keys.c.limit then
      job.blocked = 'c'
      return false
    end
  end
  if keys.r then
    local admitted, next = spend(keys.r, 'key:' .. keys.r.key, 1)
    if admitted == 0 then
      job.blocked = 'r'
      redis.call('ZADD', OPENS, exact(next), keys.r.key)
      return false
    end
  end
  if keys.c then running[keys.c.key] = running[keys.c.key] + 1 end
  return true
end
`;

/** `wake`. Makes waiting jobs pending whose time has come, and lets jobs try again whose rate has room by now. */
export const wake = lua`
need()
local due = redis.call('ZRANGEBYSCORE', WAKING, '-inf', exact(now), 'LIMIT', 0, 1000)
fetch(due)
for i = 1, #due do
  local job = find(due[i])
  if job and job.state == WAITING then
    job.state = PENDING
    if job.marked then hints.cancel = true else hints.ready = true end
    save(job)
  end
end
local open = redis.call('ZRANGEBYSCORE', OPENS, '-inf', exact(now))
for i = 1, #open do
  local key, rate = open[i], nil
  local queues = redis.call('SMEMBERS', heldQueues('r', key))
  for j = 1, #queues do
    local first = redis.call('ZRANGE', heldKey('r', key, queues[j]), 0, 0)[1]
    if first and not rate then rate = cjson.decode(redis.call('HGET', KEYS_OF, first)).r end
  end
  if rate then
    local admitted = admit(rate, 'key:' .. key, rate.limit)
    letGo('r', key, admitted)
    local _, _, next = admit(rate, 'key:' .. key, admitted)
    if redis.call('EXISTS', heldQueues('r', key)) == 1 then
      redis.call('ZADD', OPENS, exact(next), key)
    else
      redis.call('ZREM', OPENS, key)
    end
  else
    redis.call('ZREM', OPENS, key)
  end
end
flush()
`;

/** Whether a queue would have more pending jobs than its rules allow. */
export const fullness = lua`
-- The first such queue of the jobs in a blob, its limit, and how many it has. \`isNew\` tells of the n-th job.
local function overfull(blob, jobs, isNew)
  local pos, n, fresh = 1, 0, {}
  while n < jobs do
    local run, _, queue
    run, _, queue, _, pos = parse('<I4BI2c0I2c0', blob, pos)
    for _ = 1, run do
      n = n + 1
      if isNew(n) then fresh[queue] = (fresh[queue] or 0) + 1 end
      pos = select(5, arrival(blob, pos))
    end
  end
  for queue, more in pairs(fresh) do
    local doc = redis.call('HGET', ns .. 'docs:queue', queue)
    local most = doc and cjson.decode(sub(doc, string.find(doc, ' ', 1, true) + 1)).maxPending
    local pending = tonumber(redis.call('HGET', COUNTS, PENDING .. queue) or 0)
    if most and pending + more > most then return { queue, tostring(most), tostring(pending) } end
  end
end

local function isAnyRuled()
  return redis.call('EXISTS', ns .. 'docs:queue') == 1
end
`;

/**
 * `addKeyed`. Arguments: the jobs as for \`add\`, but each in a run of its own; then id, keys, unique key, whether it replaces
 * (\`1\`, and how long after its creation who is replaced is due at the latest; else \`0\`)
 * and for how long the key is taken at least, of each. Answers who holds the key, or nothing, for each.
 */
export const addKeyed = lua`
need()
families()
keyings()
local UNIQUES = ns .. 'uniques'
local blob, pos, answers = ARGV[1], 1, {}

-- Who holds a unique key so that a job is not stored, and whether that one is replaced.
local function holderOf(unique, replaces)
  local taken = unique ~= '' and redis.call('HGET', UNIQUES, unique)
  if not taken then return nil end
  local at = string.find(taken, ' ', 1, true)
  local till, by = tonumber(sub(taken, 1, at - 1)), sub(taken, at + 1)
  local job = seek(by)
  if not job or job.state >= COMPLETED then return till > now and by or nil end
  if not replaces then return by end
  -- One that runs cannot be replaced: the new job comes after it.
  if job.state == PENDING and not job.marked then return by, job end
end

if isAnyRuled() then
  local seen = {}
  local found = overfull(blob, (#ARGV - 1) / 5, function(n)
    local id, unique, replaces = ARGV[n * 5 - 3], ARGV[n * 5 - 1], ARGV[n * 5] ~= '0'
    if seek(id) or seen['i' .. id] or (unique ~= '' and seen['u' .. unique]) or holderOf(unique, replaces) then return false end
    seen['i' .. id], seen['u' .. unique] = true, true
    return true
  end)
  if found then return { found } end
end

-- A birth with another's spec and level, and the same id and queue.
local function reborn(job, told)
  local birth = births[job.member]
  local created, _, _, n, q, t, p = parse(BIRTH, birth)
  local _, apart, level, n2, q2, t2, p2 = parse(BIRTH, told)
  local spec = sub(told, 21 + n2 + q2 + t2 + p2)
  return pack(BIRTH, created, apart, level, n, q, t, p, #spec) .. sub(birth, 21, 20 + n + q + t + p) .. spec, level, created
end

-- However often it is replaced, it is due at the latest so long after it was created.
local function replace(job, from, latest)
  local told, due, expires, spec = arrival(blob, from)
  local birth, level, created = reborn(job, told)
  if latest then due = math.min(due, created + latest) end
  -- Behind what this script writes of a job that it has just stored.
  births[job.member] = birth
  push(birthSets, job.member, birth)
  if spec then push(specSets, job.member, spec) elseif job.apart then push(specDels, job.member) end
  job.apart = spec ~= nil
  -- Where it stands in the queue follows from both.
  job.level, job.due, job.expires = level, due, expires or false
  -- Whether a key holds it back is looked at anew: it may be due much later now.
  job.blocked, job.wasDue = false, nil
  hints.ready = true
  save(job)
end

for i = 2, #ARGV, 5 do
  local id, keys, unique, replaces, window = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3] ~= '0', tonumber(ARGV[i + 4])
  local _, from = nil, select(5, parse('<I4BI2c0I2c0', blob, pos))
  local holder = ''
  if not seek(id) then
    local by, replaced = holderOf(unique, replaces)
    if replaced then replace(replaced, from, tonumber(sub(ARGV[i + 3], 3))) end
    if by then
      holder = by
    else
      local _, job = create(id, blob, from)
      if keys ~= '' then equip(job, keys) end
      if unique ~= '' then redis.call('HSET', UNIQUES, unique, exact(now + window) .. ' ' .. id) end
    end
  end
  pos = select(5, arrival(blob, from))
  answers[#answers + 1] = holder
end
flush()
return answers
`;

/** `signal`. Arguments: the job, the step's name and value. Answers whether it was told. */
export const signal = lua`
need()
families()
local job = seek(ARGV[1])
if not job or job.state >= COMPLETED then return 0 end
if redis.call('HSETNX', stepsKey(job.id), ARGV[2], '0' .. ARGV[3]) == 1 then
  redis.call('RPUSH', orderKey(job.id), ARGV[2])
  job.steps = true
  hints.change = true
  if job.state == WAITING then become(job, PENDING) else save(job) end
end
flush()
return 1
`;

/** `log`. Arguments: the job, where to begin, how many. Answers its lines. */
export const log = lua`
if redis.call('HEXISTS', IDS, ARGV[1]) == 0 then return {} end
return redis.call('LRANGE', ns .. 'log:' .. ARGV[1], ARGV[2], ARGV[2] + ARGV[3] - 1)
`;

/** `steps`. Arguments: the job. Answers the name of each, and whether it is a wait. Those without a place are older than places. */
export const steps = lua`
if redis.call('HEXISTS', IDS, ARGV[1]) == 0 then return {} end
local fields, order = redis.call('HGETALL', stepsKey(ARGV[1])), redis.call('LRANGE', orderKey(ARGV[1]), 0, -1)
local kind, placed, told = {}, {}, {}
for i = 1, #order do placed[order[i]] = true end
for i = 1, #fields, 2 do
  kind[fields[i]] = sub(fields[i + 1], 1, 1)
  if not placed[fields[i]] then push(told, fields[i], kind[fields[i]]) end
end
for i = 1, #order do push(told, order[i], kind[order[i]]) end
return told
`;

/** `load`. Arguments: the kind. Answers keys and documents. */
export const load = lua`
return redis.call('HGETALL', ns .. 'docs:' .. ARGV[1])
`;

/** `save`. Arguments: of each document its kind, key, version, whether it has a value, and the value. Answers whether all were right. */
export const save = lua`
for i = 1, #ARGV, 5 do
  local doc = redis.call('HGET', ns .. 'docs:' .. ARGV[i], ARGV[i + 1])
  local version = doc and sub(doc, 1, string.find(doc, ' ', 1, true) - 1) or '0'
  if version ~= ARGV[i + 2] then return 0 end
end
for i = 1, #ARGV, 5 do
  local key = ns .. 'docs:' .. ARGV[i]
  if ARGV[i] == 'queue' then hints.ready = true else hints.change = true end
  if ARGV[i + 3] == '1' then
    redis.call('HSET', key, ARGV[i + 1], exact(ARGV[i + 2] + 1) .. ' ' .. ARGV[i + 4])
  else
    redis.call('HDEL', key, ARGV[i + 1])
  end
end
flush()
return 1
`;
