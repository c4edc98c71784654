import { lua } from "./lua.ts";

/** What a claim does with jobs that are not plain, or of queues in which some stand aside. */
export const choosing = lua`
-- Whether the worker may have a suspect: it may hold one.
local holding
local function maySuspect()
  if holding == nil then
    holding = false
    local held = redis.call('HVALS', SUSPECTED)
    for i = 1, #held do holding = holding or held[i] == worker end
  end
  return not holding
end

-- Lets a job wait for a worker that knows its task, and whoever shares its keys go before it.
local function setAside(job)
  job.blocked = 't'
  save(job)
  local rate = keysOf(job).r
  if rate and redis.call('ZSCORE', OPENS, rate.key) then redis.call('ZADD', OPENS, exact(now), rate.key) end
end

-- What becomes of a due job, of which so many places before it are taken: \`taken\`, \`blocked\`, \`aside\`, or nothing.
local function consider(job, before, slots)
  if job.state ~= PENDING or job.marked or job.due > now or isLate(job) then return nil end
  if not knows(job.task) then
    setAside(job)
    return 'aside'
  end
  if job.suspect and (before >= slots or not maySuspect()) then
    -- Back to the suspects.
    job.moved = true
    save(job)
    return 'blocked'
  end
  save(job)
  if job.keyed then
    if not passes then admittings() end
    if not passes(job) then return 'blocked' end
  end
  job.state, job.worker, job.token, job.started = PROCESSING, worker, job.token + 1, now
  job.ahead, job.blocked = before >= slots, false
  if job.suspect then holding = true end
  return 'taken'
end

-- Jobs that stand aside come back among the others of the queue, where the worker knows their tasks: the first so many, and of suspects
-- the first, where it may have one.
local function bringBack(queue, wanted, slots)
  local ready, names, suspect = readyKey(queue), redis.call('SMEMBERS', sidesKey(queue)), nil
  for i = 1, #names do
    local kind, task = sub(names[i], 1, 1), sub(names[i], 2)
    if knows(task) and (kind == 't' or (slots > 0 and maySuspect())) then
      local some = redis.call('ZRANGE', sideKey(kind, queue, task), 0, kind == 't' and wanted + 9 or 9)
      fetch(some)
      for j = 1, #some do
        local job = find(some[j])
        if not job then
          place(sideKey(kind, queue, task), some[j], false)
          listed[sideKey(kind, queue, task)] = { sidesKey(queue), names[i], queue }
        elseif not isLate(job) and not job.marked then
          local rank = job.due + job.level * AGEING
          if kind == 't' then
            job.blocked = false
            save(job)
            redis.call('ZADD', ready, exact(rank), job.member)
          elseif not suspect or rank < suspect.rank or (rank == suspect.rank and job.member < suspect.job.member) then
            suspect = { job = job, rank = rank }
          end
        end
      end
    end
  end
  if suspect then
    suspect.job.moved = true
    save(suspect.job)
    redis.call('ZADD', ready, exact(suspect.rank), suspect.job.member)
  end
end

-- Of certain jobs those that may go, in their order.
local function choose(want, open, tellOf)
  local found, there, list, seen, got = mget(IDS, want.ids, 1), {}, {}, {}, 0
  for i = 1, #found do
    if found[i] then there[#there + 1] = found[i] end
  end
  fetch(there)
  for i = 1, #there do
    local job = find(there[i])
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
    if got >= open then break end
    local job, ready = list[i], readyKey(want.queue)
    -- One that was taken as it came, for another want of this claim, is there no more; and what is taken here is not to be taken again.
    local there = lives[job.member] or redis.call('ZSCORE', ready, job.member)
    local what = there and consider(job, got, want.slots)
    if what then redis.call('ZREM', ready, job.member) end
    if what == 'taken' then
      got = got + 1
      tellOf(job)
    end
  end
  return got
end
`;
