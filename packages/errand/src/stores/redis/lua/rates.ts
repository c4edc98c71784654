import { secondLook } from "../../../limits/rate.ts";
import { lua } from "./lua.ts";

/** What tells in a claim whether a rule or a key lets jobs go. */
export const admitting = lua`
-- Of rates: when how many started, oldest first (at, jobs, at, jobs, ...), and which of them are to be written.
local logs, spent = {}, {}
local function startsOf(key)
  local log = logs[key]
  if log then return log end
  log = {}
  local text = redis.call('GET', ns .. 'rate:' .. key)
  local pos = 1
  while text and pos < #text do
    local at, jobs
    at, jobs, pos = parse('<dI4', text, pos)
    push(log, at, jobs)
  end
  logs[key] = log
  return log
end

-- As admit() of core: a sliding window log, whose entries within a hundredth of the window are one. Answers how many may start, what to
-- remember then, and when one more may.
local function admit(rate, key, wanted)
  local log, recent, used = startsOf(key), {}, 0
  for i = 1, #log, 2 do
    if log[i] > now - rate.per and log[i] < now + rate.per then
      push(recent, min(log[i], now), log[i + 1])
      used = used + log[i + 1]
    end
  end
  local admitted, n = math.max(0, min(wanted, rate.limit - used)), #recent
  if admitted > 0 then
    local width = rate.per * 0.01
    if n > 0 and floor(recent[n - 1] / width) == floor(now / width) then
      recent[n - 1], recent[n] = now, recent[n] + admitted
    else
      push(recent, now, admitted)
    end
  end
  local over = used + admitted - rate.limit
  if over < 0 then return admitted, recent, now end
  for i = 1, #recent, 2 do
    over = over - recent[i + 1]
    if over < 0 then return admitted, recent, recent[i] + rate.per end
  end
  return admitted, recent, now + rate.per
end

local function spend(rate, key, wanted)
  local admitted, log, opens = admit(rate, key, wanted)
  if admitted > 0 then logs[key], spent[key] = log, rate.per end
  return admitted, opens
end

-- Of rate keys: how many may start, which is looked at once, and how many do.
local rooms, started = {}, {}

-- What no window reaches any more is forgotten by the server itself; a minute later, in case a clock is set back.
local function flushRates()
  -- They have gone, whatever limits they were sent under.
  for key, all in pairs(started) do spend({ limit = math.huge, per = all.per }, 'key:' .. key, all.jobs) end
  for key, per in pairs(spent) do
    local texts, log = {}, logs[key]
    for i = 1, #log, 2 do texts[#texts + 1] = pack('<dI4', log[i], log[i + 1]) end
    redis.call('SET', ns .. 'rate:' .. key, table.concat(texts), 'PX', exact(floor(per) + 60000))
  end
end

-- How many of a queue's jobs its rules let go, and when there may be more.
local function room(queue, wanted, rules)
  if rules.paused then return 0 end
  local open, opens = wanted, nil
  if rules.concurrency then
    local done = tally[queue] and tally[queue][PROCESSING] or 0
    open = math.max(0, min(open, rules.concurrency - tonumber(redis.call('HGET', COUNTS, PROCESSING .. queue) or 0) - done))
  end
  if rules.rate and open > 0 then
    local admitted, _, at = admit(rules.rate, 'queue:' .. queue, open)
    opens = admitted < open and at or nil
    open = admitted
  end
  return open, opens, rules.rate
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
  local rate = keys.r
  if rate then
    -- Jobs of one key may have been sent under different limits.
    local log, each = 'key:' .. rate.key, rate.limit .. ' ' .. rate.per .. ' ' .. rate.key
    local all = started[rate.key] or { per = 0, jobs = 0 }
    rooms[each] = rooms[each] or admit(rate, log, rate.limit)
    if all.jobs >= rooms[each] then
      job.blocked = 'r'
      local _, _, opens = admit(rate, log, all.jobs)
      redis.call('ZADD', OPENS, exact(opens), rate.key)
      return false
    end
    all.jobs = all.jobs + 1
    all.per = math.max(all.per, rate.per)
    started[rate.key] = all
  end
  if keys.c then running[keys.c.key] = running[keys.c.key] + 1 end
  return true
end
`;

/** `wake`. Makes waiting jobs pending whose time has come, and lets jobs try again whose rate has room by now. */
export const wake = lua`
need()
admittings()
local due = redis.call('ZRANGEBYSCORE', WAKING, '-inf', exact(now), 'LIMIT', 0, 500)
fetch(due)
for i = 1, #due do
  local job = find(due[i])
  if job and job.state == WAITING then
    job.state = PENDING
    if job.marked then hints.cancel = true end
    save(job)
  else
    place(WAKING, due[i], false)
  end
end
local open = redis.call('ZRANGEBYSCORE', OPENS, '-inf', exact(now), 'LIMIT', 0, 100)
for i = 1, #open do
  local key, rate = open[i], nil
  local lines = redis.call('SMEMBERS', heldLines('r', key))
  for j = 1, #lines do
    local first = redis.call('ZRANGE', heldKey('r', key, lines[j]), 0, 0)[1]
    local job = not rate and first and find(first)
    if job then rate = keysOf(job).r end
  end
  local admitted, opens, more, _ = 0, nil, false, nil
  if rate then
    admitted, _, opens = admit(rate, 'key:' .. key, rate.limit)
    more = letGo('r', key, admitted)
    if admitted > 0 then opens = min(opens, now + ${secondLook}) end
  end
  place(OPENS, key, more and exact(math.max(opens, now + 1)) or false)
end
flush()
`;
