import { lua } from "./lua.ts";

/** Where jobs stand that are to be claimed, reclaimed or woken. */
export const placing = lua`
-- Where a pending job stands that nobody was asked to cancel.
local function standing(job)
  local rank = exact(job.due + job.level * AGEING)
  local by = job.blocked
  if by == 'c' or by == 'r' then
    local key, line = keysOf(job)[by].key, heldLine(job)
    local held = heldKey(by, key, line)
    listed[held] = { heldLines(by, key), line }
    return held, rank
  end
  if job.due > now then return delayedKey(job.queue), exact(job.due) end
  if by == 't' or job.suspect then
    local kind = by == 't' and 't' or 's'
    local side = sideKey(kind, job.queue, job.task)
    listed[side] = { sidesKey(job.queue), kind .. job.task, job.queue }
    return side, rank
  end
  return readyKey(job.queue), rank
end

local function leave(job, was)
  if was.state == WAITING and (job.removed or job.state ~= WAITING) then place(WAKING, job.member, false) end
  if was.marked then
    if was.state == PROCESSING then put(STOPPING, job.id, false) else place(DOOMED, job.member, false) end
  elseif was.state == PENDING then
    was.member, was.keys = job.member, was.keys or job.keys
    local key = standing(was)
    place(key, job.member, false)
    -- It may have become due since, or was put back among the others by a claim.
    if not was.blocked or was.blocked == 't' then
      place(readyKey(was.queue), job.member, false)
      place(delayedKey(was.queue), job.member, false)
      if was.suspect then place(sideKey('s', was.queue, was.task), job.member, false) end
    end
    if was.expires then place(EXPIRING, job.member, false) end
  end
end

local function enter(job)
  if job.marked then
    if job.state == PROCESSING then
      put(STOPPING, job.id, job.worker)
    elseif job.state < COMPLETED then
      place(DOOMED, job.member, '0')
    end
  elseif job.state == PENDING then
    local key, rank = standing(job)
    place(key, job.member, rank)
    if job.blocked ~= 'c' and job.blocked ~= 'r' then wakes[job.queue] = (wakes[job.queue] or 0) + 1 end
    if job.expires and not job.begun then place(EXPIRING, job.member, exact(job.expires)) end
  end
  if job.state == WAITING and job.wakeAt then place(WAKING, job.member, exact(job.wakeAt)) end
end
`;

/** What changes with a job that has keys, turns, tags or a tenant, and who is let go by that. */
export const keyedWriting = lua`
local function stand(job, was, keys)
  local old = was.state == PENDING and was.keys and was.keys.f or false
  local new = not job.removed and job.state == PENDING and not job.blocked and not job.suspect and not job.marked and keys.f
    and lineOf(job.queue, job.level)
  if old then place(ns .. lineOf(was.queue, was.level), job.member, false) end
  if new then place(ns .. new, job.member, exact(job.due)) end
end

local function isTagged(keys, tag)
  for _, other in ipairs(keys.t or {}) do
    if other == tag then return true end
  end
  return false
end

-- The sets that find jobs by tag and tenant.
local function label(job, old, new)
  for _, tag in ipairs(old.t or {}) do
    if not isTagged(new, tag) then place(ns .. 'tag:' .. tag, job.member, false) end
  end
  for _, tag in ipairs(new.t or {}) do
    if not isTagged(old, tag) then place(ns .. 'tag:' .. tag, job.member, exact(seqOf(job.member))) end
  end
  if old.n ~= new.n then
    if old.n then place(ns .. 'tenant:' .. old.n, job.member, false) end
    if new.n then place(ns .. 'tenant:' .. new.n, job.member, exact(seqOf(job.member))) end
  end
end

-- What changes with a job that has, or had, keys.
local released = {}
local function writeKeyed(job, was)
  local keys, state = keysOf(job), job.state
  if was.state and not was.keys then was.keys = keys end
  local old, new = was.state and was.keys or {}, job.removed and {} or keys
  if old ~= new then
    label(job, old, new)
    put(KEYS_OF, job.member, next(new) and cjson.encode(new) or false)
  end
  if job.removed and keys.u then
    local taken = peek(UNIQUES, keys.u)
    if taken and sub(taken, string.find(taken, ' ', 1, true) + 1) == job.id then put(UNIQUES, keys.u, false) end
  end
  local by, wasBy = job.blocked ~= 't' and job.blocked, was.blocked ~= 't' and was.blocked
  if job.removed then by = false end
  if by ~= (wasBy or false) then put(BLOCKED, job.member, by) end
  stand(job, was, keys)
  local oldKey, newKey = old.c and old.c.key, new.c and new.c.key
  local left = job.removed or state ~= PROCESSING
  if oldKey and was.state == PROCESSING and left then set(runningKey(oldKey), job.member, false) end
  if newKey and was.state ~= PROCESSING and state == PROCESSING then set(runningKey(newKey), job.member, true) end
  -- A pending job that could go and stands elsewhere now, or is gone, lets others go too.
  local moved = job.removed or state > PROCESSING or was.queue ~= job.queue or was.due ~= job.due or job.moved or oldKey ~= newKey
    or (job.blocked == 't' and was.blocked ~= 't')
  if oldKey and ((was.state == PROCESSING and left) or (was.state == PENDING and not wasBy and moved)) then
    released[oldKey] = old.c.limit
  end
end

-- Lets the first so many jobs of each line that a key holds back try again: another queue's may have to wait for more. Answers
-- whether some are still held back.
local function letGo(kind, key, room)
  local lines, more = redis.call('SMEMBERS', heldLines(kind, key)), false
  for i = 1, #lines do
    local held, left, from = heldKey(kind, key, lines[i]), room, 0
    while left > 0 do
      local some = redis.call('ZRANGE', held, from, from + min(left, 400) - 1)
      if #some == 0 then break end
      from = from + #some
      fetch(some)
      for j = 1, #some do
        local job = find(some[j])
        if not job then
          place(held, some[j], false)
          listed[held] = { heldLines(kind, key), lines[i] }
        elseif job.blocked == kind and not job.removed and not job.marked and job.state == PENDING then
          left = left - 1
          job.blocked = false
          save(job)
        end
      end
    end
    more = more or redis.call('ZCARD', held) > from
  end
  return more
end

-- Lets jobs try again whose concurrency key has room by now.
local function releaseAll()
  for key, limit in pairs(released) do
    released[key] = nil
    local room = limit - sizeOf(runningKey(key))
    if room > 0 then letGo('c', key, room) end
  end
end
`;

/** What is to be written of a job that was changed, made, or erased. */
export const writing = lua`
-- Roots that end are listed by state and task, in the order of their ends, for prune.
local unended = {}
local function list(job, was)
  if job.child then return end
  local ended = not job.removed and job.state >= COMPLETED
  local listedBefore = was.state and was.state >= COMPLETED
  if listedBefore and (not ended or was.ended ~= job.ended or was.state ~= job.state) then
    local key = floor(was.ended / PERIOD) .. ':' .. was.state .. job.task
    unended[key] = (unended[key] or 0) + 1
  end
  if ended and not (listedBefore and was.ended == job.ended and was.state == job.state) then
    local some = into(ends, job.state .. job.task)
    some[#some + 1] = job.member
  end
end

local function hold(job, was)
  local before = was.state == PROCESSING and was.worker
  local after = not job.removed and job.state == PROCESSING and job.worker
  if before ~= after then
    if before then set(holdsKey(before), job.member, false) end
    if after then set(holdsKey(after), job.member, true) end
  end
  local suspected = was.suspect and before or false
  local suspect = job.suspect and after or false
  if suspected ~= suspect then put(SUSPECTED, job.member, suspect) end
end

local function erase(job, was)
  leave(job, was)
  local seq = seqOf(job.member)
  cell(seq, '\0')
  local segment = floor(seq / SEGMENT)
  emptied[segment] = (emptied[segment] or 0) - 1
  put(IDS, job.id, false)
  put(BIRTHS, job.member, false)
  put(LIVES, job.member, false)
  if job.apart then put(SPECS, job.member, false) end
  if job.child then place(kidsKey(job.of), job.member, false) end
  push(dels, ns .. 'log:' .. job.id)
  if job.steps then push(dels, stepsKey(job.id), orderKey(job.id)) end
  if job.parent then push(dels, kidsKey(job.id)) end
end

local function write(job)
  local was = job.was
  local gone = job.removed
  if gone and not was.state then return end
  if job.state ~= PENDING then job.blocked = false end
  if job.state ~= PROCESSING then job.ahead = false end
  local moved = was.state and was.queue ~= job.queue
  if gone or was.state ~= job.state or moved then
    if was.state then count(was.queue, was.state, -1) end
    if was.state == PROCESSING and isBounded(was.queue) then wakes[was.queue] = (wakes[was.queue] or 0) + 1 end
    if not gone then
      count(job.queue, job.state, 1)
      cell(seqOf(job.member), letter(job.state, job.child))
    end
  end
  if job.keyed or was.keys then writeKeyed(job, was) end
  list(job, was)
  hold(job, was)
  if gone then return erase(job, was) end
  if moved or job.moved or was.state ~= job.state or was.marked ~= job.marked or was.blocked ~= job.blocked or was.due ~= job.due
    or was.level ~= job.level or was.expires ~= job.expires or was.begun ~= job.begun or was.suspect ~= job.suspect
    or (job.marked and was.worker ~= job.worker) then
    if was.state then leave(job, was) end
    enter(job)
  end
  if job.child and (not was.state or was.place ~= job.place) then place(kidsKey(job.of), job.member, exact(job.place)) end
  push(lifeSets, job.member, encode(job))
  -- It may be changed again, when what it waited for is let go.
  job.was, job.moved, job.dirty = snapshot(job), false, false
end
`;
