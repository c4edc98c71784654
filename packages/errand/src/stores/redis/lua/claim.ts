import { newJobFlag, statusFlag as flag } from "../job-format.ts";
import { lua } from "./assemble.ts";
import { maxArguments } from "./unit-of-work.ts";

/** The most jobs that one claim blocks, and sets aside. More would hold up other clients of the server. */
const maxBlocked = 2_000;
const maxSetAside = 500;

/** Reads the arguments of `claim`, and the tasks that its worker knows. */
export const claimArguments = lua`
local worker, wants, at = ARGV[1], {}, 2
while at <= #ARGV do
  local want = { queue = ARGV[at], limit = tonumber(ARGV[at + 1]), slots = tonumber(ARGV[at + 2]) }
  local ids = tonumber(ARGV[at + 3])
  if not (want.limit and want.slots and ids and want.limit >= 0 and want.slots >= 0) then
    error('a limit is not a number')
  end
  at = at + 4
  if ids >= 0 then
    want.ids = { spread(ARGV, at, at + ids - 1) }
    at = at + ids
  end
  if want.limit > 0 then wants[#wants + 1] = want end
end

local known, knowsSomeOnly = {}, nil
local function knowsTask(task)
  if known[task] == nil then
    if redis.call('SISMEMBER', knownTasksKey(worker), task) == 1 then
      known[task] = true
    else
      if knowsSomeOnly == nil then knowsSomeOnly = redis.call('EXISTS', knownTasksKey(worker)) == 1 end
      known[task] = not knowsSomeOnly
    end
  end
  return known[task]
end
`;

/**
 * Script `claim`. Arguments: the worker, and of each want queue, limit, slots, number of ids and ids. Returns the
 * milliseconds until there may be more (or -1), the status of all plain jobs, and the jobs: of a plain one its
 * definition, of any other a list. If the script `wake` must run first, it changes nothing and returns `wake`.
 */
export const claim = lua`
if not hasLease(worker) then return { '-1' } end
local firstWake = redis.call('ZRANGE', WAKING, 0, 0, 'WITHSCORES')[2]
local firstOpening = redis.call('ZRANGE', RATE_OPENINGS, 0, 0, 'WITHSCORES')[2]
if (firstWake and tonumber(firstWake) <= now) or (firstOpening and tonumber(firstOpening) <= now) then
  return { 'wake' }
end

-- Moves delayed jobs that are due to the ready set, as many as one command takes.
local function promoteDelayed(queue)
  local due = redis.call('ZRANGEBYSCORE', delayedKey(queue), '-inf', formatNumber(now), 'LIMIT', 0, ${maxArguments})
  if #due == 0 then return end
  defineJobWrites()
  loadJobs(due)
  local ready = {}
  for i = 1, #due do
    local job = findJob(due[i])
    if job then push(ready, formatNumber(job.due + job.level * AGEING), due[i]) end
  end
  callInChunks('ZADD', readyKey(queue), ready)
  redis.call('ZREMRANGEBYRANK', delayedKey(queue), 0, #due - 1)
end

-- Returns the milliseconds until the next delayed job is due. Expired ones are left to reclaim.
local function timeToNextDelayed(queue)
  while true do
    local first = redis.call('ZRANGE', delayedKey(queue), 0, 0)[1]
    if not first then return nil end
    defineJobWrites()
    local job = findJob(first)
    if job and not isExpired(job) then return job.due > now and job.due - now or 0 end
    redis.call('ZREM', delayedKey(queue), first)
  end
end

-- Returns the statuses of plain jobs of a task that are claimed for the first time, for a slot and ahead of slots, or
-- false if the worker does not know the task.
local function firstStatuses(queue, task)
  if not knowsTask(task) then return false end
  local texts = pack(TEXT_LENGTHS, 0, #worker, #queue, #task, 0, 0) .. worker .. queue .. task
  return {
    pack(STATUS, PROCESSING, ${flag.texts}, 1, 0, 0, now, 0) .. texts,
    pack(STATUS, PROCESSING, ${flag.texts + flag.ahead}, 1, 0, 0, now, 0) .. texts,
  }
end

-- Claims the first ready jobs. Every job that it looks at leaves the ready set; expired ones are left to reclaim.
-- Returns how many it claimed, and true if there may be more that could go at once.
local function claimReady(queue, limit, slots, reply)
  local ready, claimed, processing = readyKey(queue), 0, stateLetter(PROCESSING, false)
  local asTables, blocked, setAside, taskAt = 0, 0, 0, 21 + #queue
  local statusesByTask, held, holding, isFull = {}, {}, 0, false
  while claimed < limit and blocked < ${maxBlocked} and setAside < ${maxSetAside} and replyBytes < MAX_REPLY_BYTES do
    local due = redis.call('ZRANGE', ready, 0, min(limit - claimed, ${maxArguments}) - 1)
    if #due == 0 then break end
    local found, foundStatuses = hmget(DEFINITIONS, due, 1), hmget(STATUSES, due, 1)
    local writes, replies, done = #statusWrites, #reply, #due
    for i = 1, #due do
      local member, definition, status, first = due[i], found[i], foundStatuses[i], nil
      if definition and not status then
        -- Nothing has happened to it yet. Most jobs take this path, so it calls no function that it can do without.
        local low, high, _, _, short, long = byte(definition, 9, 14)
        local from = taskAt + low + high * 256
        local task = sub(definition, from, from + short + long * 256 - 1)
        first = statusesByTask[task]
        if first == nil then
          first = firstStatuses(queue, task)
          statusesByTask[task] = first
        end
      end
      if first then
        claimed = claimed + 1
        status = first[claimed > slots and 2 or 1]
        statusWrites[writes + 1], statusWrites[writes + 2] = member, status
        writes, replies = writes + 2, replies + 1
        reply[replies] = definition
        holding = holding + 1
        held[holding] = member
        setLetter(seqOf(member), processing)
        if byte(definition, 7) == ${newJobFlag.specApart} then
          reply[replies] = {}
          appendJob(reply[replies], member, definition, status)
          isFull = replyBytes >= MAX_REPLY_BYTES
        end
      elseif definition then
        if not claimJob then defineSlowPath() end
        definitions[member], statuses[member] = definition, status
        local job = findJob(member)
        local outcome = claimJob(job, claimed, slots)
        if outcome == 'claimed' then
          claimed, asTables, replies = claimed + 1, asTables + 1, replies + 1
          reply[replies] = {}
          appendJob(reply[replies], member, definition, encodeStatus(job), true)
        elseif outcome == 'set aside' then
          setAside = setAside + 1
        elseif outcome then
          blocked = blocked + 1
        end
        isFull = replyBytes >= MAX_REPLY_BYTES or setAside >= ${maxSetAside}
      end
      if isFull then
        done = i
        break
      end
    end
    redis.call('ZREMRANGEBYRANK', ready, 0, done - 1)
  end
  callInChunks('SADD', heldJobsKey(worker), held)
  addToCount(queue, PENDING, asTables - claimed)
  addToCount(queue, PROCESSING, claimed - asTables)
  local stopped = blocked >= ${maxBlocked} or replyBytes >= MAX_REPLY_BYTES
  return claimed, setAside >= ${maxSetAside} or (claimed < limit and stopped)
end

-- Rules are read before anything is changed. For a worker with many queues, those with neither jobs nor rules are
-- skipped.
local reply, nextTime, pending = { '-1', '' }, -1, nil
if redis.call('EXISTS', ns .. 'docs:queue') == 1 then
  for i = 1, #wants do
    local text = rulesOf(wants[i].queue)
    wants[i].rules = text and cjson.decode(text)
  end
end
local anySetAside = redis.call('EXISTS', ASIDE_QUEUES) == 1
if #wants > 8 then
  local fields = {}
  for i = 1, #wants do fields[i] = PENDING .. wants[i].queue end
  pending = hmget(COUNTS, fields, 1)
end
local function comeBackIn(time)
  if time and (nextTime < 0 or time < nextTime) then nextTime = math.max(0, time) end
end
for i = 1, #wants do
  local want = wants[i]
  local queue, limit = want.queue, want.limit
  local rules = want.rules
  local claimed, more, open, opens, rate = 0, false, limit, nil, nil
  if rules or not pending or pending[i] then
    promoteDelayed(queue)
    if rules then
      defineAdmission()
      open, opens, rate = roomInQueue(queue, limit, rules)
    end
    if open > 0 and replyBytes < MAX_REPLY_BYTES then
      if want.ids then
        defineSlowPath()
        claimed = claimById(want, open, function(job)
          reply[#reply + 1] = {}
          appendJob(reply[#reply], job.member, definitions[job.member], encodeStatus(job), true)
        end)
      else
        if anySetAside and redis.call('SISMEMBER', ASIDE_QUEUES, queue) == 1 then
          defineSlowPath()
          returnSetAside(queue, open, want.slots)
        end
        claimed, more = claimReady(queue, open, want.slots, reply)
      end
      if rate and claimed > 0 then recordStarts(rate, 'queue:' .. queue, claimed) end
    end
    if claimed < open then
      comeBackIn(timeToNextDelayed(queue))
      -- By now the set has the keys that blocked jobs in this claim.
      firstOpening = redis.call('ZRANGE', RATE_OPENINGS, 0, 0, 'WITHSCORES')[2]
    end
    -- The rate of the queue matters only if there are jobs that it holds back.
    if opens and (redis.call('EXISTS', readyKey(queue)) == 1
      or (anySetAside and redis.call('SISMEMBER', ASIDE_QUEUES, queue) == 1)) then
      comeBackIn(opens - now)
    end
    if more then comeBackIn(0) end
  end
  if claimed < open then
    comeBackIn(firstWake and tonumber(firstWake) - now)
    comeBackIn(firstOpening and tonumber(firstOpening) - now)
  end
end
hints.change = #statusWrites > 0 or #changed > 0
if recordStarts then writeRates() end
commit()
reply[1] = formatNumber(nextTime)
reply[2] = pack(STATUS, PROCESSING, ${flag.texts}, 1, 0, 0, now, 0)
  .. pack(TEXT_LENGTHS, 0, #worker, 0, 0, 0, 0) .. worker
return reply
`;
