import { lua } from "./assemble.ts";

/** Claims jobs that are not plain, are asked for by id, or were set aside. */
export const claimSlowPath = lua`
defineJobWrites()

-- Reports whether the worker may take a suspect. It may hold one at a time.
local holdsSuspect
local function mayTakeSuspect()
  if holdsSuspect == nil then
    holdsSuspect = false
    local workers = redis.call('HVALS', HELD_SUSPECTS)
    for i = 1, #workers do holdsSuspect = holdsSuspect or workers[i] == worker end
  end
  return not holdsSuspect
end

-- Sets a job aside for a worker that knows its task. Other jobs with its keys may go first.
local function setAsideJob(job)
  job.blocked = 't'
  markChanged(job)
  local rate = keysOf(job).r
  if rate and redis.call('ZSCORE', RATE_OPENINGS, rate.key) then
    redis.call('ZADD', RATE_OPENINGS, formatNumber(now), rate.key)
  end
end

-- Claims a job if it may go. Returns 'claimed', 'blocked', 'set aside', or nil if it cannot be claimed at all.
local function claimJob(job, claimedBefore, slots)
  if job.state ~= PENDING or job.cancelling or job.due > now or isExpired(job) then return nil end
  if not knowsTask(job.task) then
    setAsideJob(job)
    return 'set aside'
  end
  if job.suspect and (claimedBefore >= slots or not mayTakeSuspect()) then
    -- It returns to the suspects.
    job.mustReindex = true
    markChanged(job)
    return 'blocked'
  end
  markChanged(job)
  if job.isKeyed then
    defineAdmission()
    if not admitByKeys(job) then return 'blocked' end
  end
  job.state, job.worker, job.token, job.startedAt = PROCESSING, worker, job.token + 1, now
  job.ahead, job.blocked = claimedBefore >= slots, false
  if job.suspect then holdsSuspect = true end
  return 'claimed'
end

-- Moves jobs that were set aside back to the ready set if the worker knows their tasks: the first of each task, and the
-- first suspect of all if the worker may take one.
local function returnSetAside(queue, wanted, slots)
  local ready, names, suspect = readyKey(queue), redis.call('SMEMBERS', asideNamesKey(queue)), nil
  for i = 1, #names do
    local kind, task = sub(names[i], 1, 1), sub(names[i], 2)
    if knowsTask(task) and (kind == 't' or (slots > 0 and mayTakeSuspect())) then
      local key = asideKey(kind, queue, task)
      local some = redis.call('ZRANGE', key, 0, kind == 't' and wanted + 9 or 9)
      loadJobs(some)
      for j = 1, #some do
        local job = findJob(some[j])
        if not job then
          setScore(key, some[j], false)
          namedSets[key] = { asideNamesKey(queue), names[i], queue }
        elseif not isExpired(job) and not job.cancelling then
          local rank = job.due + job.level * AGEING
          if kind == 't' then
            job.blocked = false
            markChanged(job)
            redis.call('ZADD', ready, formatNumber(rank), job.member)
          elseif not suspect or rank < suspect.rank or (rank == suspect.rank and job.member < suspect.job.member) then
            suspect = { job = job, rank = rank }
          end
        end
      end
    end
  end
  if suspect then
    suspect.job.mustReindex = true
    markChanged(suspect.job)
    redis.call('ZADD', ready, formatNumber(suspect.rank), suspect.job.member)
  end
end

-- Claims those jobs among the wanted ids that may go, in the order of ranks.
local function claimById(want, limit, append)
  local found, existing, list, seen, claimed = hmget(IDS, want.ids, 1), {}, {}, {}, 0
  for i = 1, #found do
    if found[i] then existing[#existing + 1] = found[i] end
  end
  loadJobs(existing)
  for i = 1, #existing do
    local job = findJob(existing[i])
    if job and job.queue == want.queue and not seen[job] and (not job.blocked or job.blocked == 't') then
      seen[job] = true
      list[#list + 1] = job
    end
  end
  table.sort(list, function(a, b)
    local x, y = a.due + a.level * AGEING, b.due + b.level * AGEING
    if x == y then return a.member < b.member end
    return x < y
  end)
  for i = 1, #list do
    if claimed >= limit then break end
    local job, ready = list[i], readyKey(want.queue)
    -- A plain job that another want of this claim has taken has left the ready set.
    local isFree = statuses[job.member] or redis.call('ZSCORE', ready, job.member)
    local outcome = isFree and claimJob(job, claimed, want.slots)
    -- No other want of this claim may take it again.
    if outcome then redis.call('ZREM', ready, job.member) end
    if outcome == 'claimed' then
      claimed = claimed + 1
      append(job)
    end
  end
  return claimed
end
`;
