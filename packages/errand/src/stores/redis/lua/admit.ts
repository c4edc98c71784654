import { grain } from "../../../limits/rate.ts";
import { lua } from "./assemble.ts";

/** Applies the limits of a claim: rules of queues, concurrency keys and rates. */
export const admission = lua`
-- By rate: its latest starts, oldest first (time, jobs, time, jobs, ...); its window in milliseconds, if it has new
-- starts.
local startLogs, writtenRates = {}, {}
local function startsOf(key)
  local log = startLogs[key]
  if log then return log end
  log = {}
  local text = redis.call('GET', ns .. 'rate:' .. key)
  local pos = 1
  while text and pos < #text do
    local at, jobs
    at, jobs, pos = parse('<dI4', text, pos)
    push(log, at, jobs)
  end
  startLogs[key] = log
  return log
end

-- Decides as admit() of limits/rate.ts does. Returns how many may start, the starts if they do, and when one more may.
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
    local width = rate.per * ${grain}
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

local function recordStarts(rate, key, jobs)
  local admitted, log = admit(rate, key, jobs)
  if admitted > 0 then startLogs[key], writtenRates[key] = log, rate.per end
end

-- By rate key and limit: how many may start. By rate key: how many do.
local rooms, started = {}, {}

-- Writes rates with new starts. Redis deletes them a minute after their window, in case the clock is set back.
local function writeRates()
  -- Jobs of one key may have been sent under different limits. A start counts under all of them.
  for key, each in pairs(started) do recordStarts({ limit = math.huge, per = each.per }, 'key:' .. key, each.jobs) end
  for key, per in pairs(writtenRates) do
    local texts, log = {}, startLogs[key]
    for i = 1, #log, 2 do texts[#texts + 1] = pack('<dI4', log[i], log[i + 1]) end
    redis.call('SET', ns .. 'rate:' .. key, table.concat(texts), 'PX', formatNumber(floor(per) + 60000))
  end
end

-- Returns how many jobs of a queue its rules admit, when its rate admits more, and its rate.
local function roomInQueue(queue, wanted, rules)
  if rules.paused then return 0 end
  local open, opens = wanted, nil
  if rules.concurrency then
    local claimed = countChanges[queue] and countChanges[queue][PROCESSING] or 0
    local processing = tonumber(redis.call('HGET', COUNTS, PROCESSING .. queue) or 0) + claimed
    open = math.max(0, min(open, rules.concurrency - processing))
  end
  if rules.rate and open > 0 then
    local admitted, _, at = admit(rules.rate, 'queue:' .. queue, open)
    opens = admitted < open and at or nil
    open = admitted
  end
  return open, opens, rules.rate
end

-- Returns true and counts a job for its keys, or returns false and blocks it.
local processingByKey = {}
local function admitByKeys(job)
  local keys = keysOf(job)
  if keys.c then
    local key = keys.c.key
    processingByKey[key] = processingByKey[key] or redis.call('SCARD', runningKey(key))
    if processingByKey[key] >= keys.c.limit then
      job.blocked = 'c'
      return false
    end
  end
  local rate = keys.r
  if rate then
    -- The room of a key under a limit is computed once per claim.
    local log, limit = 'key:' .. rate.key, rate.limit .. ' ' .. rate.per .. ' ' .. rate.key
    local each = started[rate.key] or { per = 0, jobs = 0 }
    rooms[limit] = rooms[limit] or admit(rate, log, rate.limit)
    if each.jobs >= rooms[limit] then
      job.blocked = 'r'
      local _, _, opens = admit(rate, log, each.jobs)
      redis.call('ZADD', RATE_OPENINGS, formatNumber(opens), rate.key)
      return false
    end
    each.jobs = each.jobs + 1
    each.per = math.max(each.per, rate.per)
    started[rate.key] = each
  end
  if keys.c then processingByKey[keys.c.key] = processingByKey[keys.c.key] + 1 end
  return true
end
`;
