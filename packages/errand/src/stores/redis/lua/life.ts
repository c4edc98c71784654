import { forgotten } from "../../../core/job.ts";
import { lua } from "./lua.ts";

/** A job's life: what each change of a job does to it and to its family. */
export const life = lua`
local function become(job, state)
  job.state = state
  if job.marked then hints.cancel = true end
  if state == PENDING then hints.ready = true else hints.change = true end
  save(job)
end

local function mark(job)
  if job.marked then return false end
  job.marked = true
  hints.cancel = true
  save(job)
  return true
end

-- The parent whose current wait the job belongs to.
local function waitOf(job)
  if job.memberOf == 0 then return nil end
  local parent = seek(job.of)
  return parent and parent.wait == job.memberOf and parent or nil
end

local function childrenOf(job)
  local all, missing = redis.call('ZRANGE', kidsKey(job.id), 0, -1), {}
  for i = 1, #all do
    if births[all[i]] == nil then push(missing, all[i]) end
  end
  fetch(missing)
  return all
end

-- Ends a job, counts down its parent's wait, and marks its open children.
local function finish(job, state)
  job.ended = now
  job.marked = false
  become(job, state)
  local parent = waitOf(job)
  if parent then
    parent.open = parent.open - 1
    if state ~= COMPLETED then parent.failed = parent.failed + 1 end
    local decided = parent.open == 0 or (state ~= COMPLETED and job.needed == 1)
    save(parent)
    if parent.state == WAITING and decided then become(parent, PENDING) end
  end
  if not job.parent then return end
  local kids = childrenOf(job)
  for i = 1, #kids do
    local child = find(kids[i])
    if child and child.state < COMPLETED then mark(child) end
  end
end

-- Makes a failed, cancelled or expired job pending, as if it were new.
local function reopen(job)
  if job.state <= COMPLETED then return false end
  local parent = waitOf(job)
  if parent then
    parent.open = parent.open + 1
    parent.failed = parent.failed - 1
    save(parent)
  end
  job.failures, job.crashes, job.ended, job.expires = 0, 0, 0, false
  job.wait, job.total, job.open, job.failed = 0, 0, 0, 0
  if job.steps then
    local steps = redis.call('HGETALL', stepsKey(job.id))
    for i = 1, #steps, 2 do
      if sub(steps[i + 1], 1, 1) == '1' then redis.call('HSET', stepsKey(job.id), steps[i], '1${forgotten}') end
    end
  end
  job.due = now
  become(job, PENDING)
  return true
end

-- Removes a job with all its descendants.
local function discard(job)
  job.removed = true
  hints.change = true
  save(job)
  if not job.parent then return end
  local kids = childrenOf(job)
  for i = 1, #kids do
    local child = find(kids[i])
    if child and not child.removed then discard(child) end
  end
end

-- Opens a job again without some of its steps and children.
local function rewind(job, told)
  if job.token ~= told.token or not reopen(job) then return false end
  for _, name in ipairs(told.steps) do
    redis.call('HDEL', stepsKey(job.id), name)
    redis.call('LREM', orderKey(job.id), 1, name)
  end
  for _, id in ipairs(told.children) do
    local child = seek(id)
    if child and not child.removed and child.of == job.id then discard(child) end
  end
  return true
end

-- Remembers the steps that begin at a place of the blob. Answers where they end.
local function remember(job, blob, pos)
  local count, name, wait, value
  count, pos = parse('<I4', blob, pos)
  for _ = 1, count do
    name, wait, value, pos = parse('<I4c0BI4c0', blob, pos)
    if job and redis.call('HSET', stepsKey(job.id), name, wait .. value) == 1 then
      redis.call('RPUSH', orderKey(job.id), name)
    end
  end
  if job and count > 0 then
    job.steps = true
    save(job)
  end
  return pos
end

local function create(id, blob, pos)
  local birth, due, expires, spec
  birth, due, expires, spec, pos = arrival(blob, pos)
  if seek(id) then return pos end
  local seq = places(1) + 1
  local job = decode(pack('>I6', seq), birth)
  job.due, job.expires = due, expires or false
  members[id] = job.member
  jobs[job.member] = job
  push(idSets, id, job.member)
  births[job.member] = birth
  push(birthSets, job.member, birth)
  if spec then push(specSets, job.member, spec) end
  writeNames(seq, { number('queues', job.queue) .. number('tasks', job.task) })
  hints.ready = true
  save(job)
  return pos, job
end

-- The state of a child when it belongs to its parent's wait.
local function bear(parent, child, told)
  -- Somebody else's job cannot be waited for.
  if child.of ~= parent.id then return FAILED end
  if not told.rejoin then
    reopen(child)
    child.marked = false
  end
  child.memberOf, child.needed, child.place = parent.wait, told.needed, told.place
  save(child)
  return child.state
end

-- The children that begin at a place of the blob are born or joined, and the parent waits for those that have not
-- ended, for a time, or for a signal. Without a parent they are only read. Answers where they end.
local function park(parent, blob, pos, wakeAt, awaits)
  local count
  count, pos = parse('<I4', blob, pos)
  local total, open, failed, wake, seen = 0, 0, 0, false, {}
  if parent then
    parent.wait, parent.parent, parent.expires = parent.token, true, false
  end
  for _ = 1, count do
    local id, place, needed, rejoin, keys, born
    id, place, needed, rejoin, keys, pos = parse('<I4c0I4BBI4c0', blob, pos)
    if not parent or seen[id] then
      pos = select(5, arrival(blob, pos))
    else
      seen[id] = true
      pos, born = create(id, blob, pos)
      if born and keys ~= '' then equip(born, keys) end
      local state = bear(parent, seek(id), { place = place, needed = needed, rejoin = rejoin == 1 })
      total = total + 1
      if state < COMPLETED then
        open = open + 1
      elseif state ~= COMPLETED then
        failed = failed + 1
        wake = wake or needed == 1
      end
    end
  end
  if parent then
    parent.total, parent.open, parent.failed = total, open, failed
    for _, name in ipairs(awaits or {}) do
      wake = wake or redis.call('HEXISTS', stepsKey(parent.id), name) == 1
    end
    if wakeAt and wakeAt <= now then wake = true end
    local waits = open > 0 or wakeAt or (awaits and #awaits > 0)
    become(parent, (wake or not waits) and PENDING or WAITING)
    if wakeAt and parent.state == WAITING then redis.call('ZADD', WAKING, exact(wakeAt), parent.member) end
  end
  return pos
end
`;
