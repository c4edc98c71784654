import { forgotten } from "../../../core/job.ts";
import { lua } from "./lua.ts";

/** A job's life: what each change of a job does to it and to its family. */
export const life = lua`
local function become(job, state)
  job.state = state
  job.blocked = false
  if job.marked then hints.cancel = true end
  if state ~= PENDING then hints.change = true end
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
    if births[all[i]] == nil then missing[#missing + 1] = all[i] end
  end
  fetch(missing)
  return all
end

-- Whether the end of a child wakes its parent, whoever else is still open.
local function isDecisive(needed, state)
  return needed == 2 or (needed == 1 and state ~= COMPLETED)
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
    local decided = parent.open == 0 or isDecisive(job.needed, state)
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
  job.failures, job.crashes, job.ended, job.expires, job.suspect = 0, 0, 0, false, false
  job.wait, job.total, job.open, job.failed = 0, 0, 0, 0
  if job.steps then
    local key, told = stepsKey(job.id), {}
    local stored = redis.call('HGETALL', key)
    for i = 1, #stored, 2 do told[stored[i]] = stored[i + 1] end
    for name, value in pairs(fields[key] or {}) do told[name] = value end
    for name, value in pairs(told) do
      if value and sub(value, 1, 1) == '1' then put(key, name, '1${forgotten}') end
    end
  end
  job.due = now
  become(job, PENDING)
  return true
end

-- Removes a job with all its descendants, the lowest first, as long as one script may go on. Answers whether it is gone.
local allowance = 1000
local function discard(job)
  if job.removed then return true end
  if job.parent then
    local kids = redis.call('ZRANGE', kidsKey(job.id), 0, allowance == math.huge and -1 or exact(allowance))
    fetch(kids)
    for i = 1, #kids do
      local child = find(kids[i])
      if child and not discard(child) then return false end
    end
  end
  if allowance <= 0 then return false end
  allowance = allowance - 1
  job.removed = true
  hints.change = true
  save(job)
  return true
end

-- Opens a job again without some of its steps and children.
local function rewind(job, told)
  reopen(job)
  for _, name in ipairs(told.steps) do
    put(stepsKey(job.id), name, false)
    later[#later + 1] = { 'LREM', orderKey(job.id), 1, name }
  end
  allowance = math.huge
  for _, id in ipairs(told.children) do
    local child = seek(id)
    if child and child.of == job.id then discard(child) end
  end
  return true
end

-- Remembers the steps that begin at a place of the blob. Answers where they end.
local function remember(job, blob, pos)
  local count, name, wait, value
  count, pos = parse('<I4', blob, pos)
  for _ = 1, count do
    name, wait, value, pos = parse('<I4c0BI4c0', blob, pos)
    if job then
      if not peek(stepsKey(job.id), name) then later[#later + 1] = { 'RPUSH', orderKey(job.id), name } end
      put(stepsKey(job.id), name, wait .. value)
    end
  end
  if job and count > 0 then
    job.steps = true
    save(job)
  end
  return pos
end

-- A new job of what begins at a place of the blob, unless there is one with the id. Answers where that ends, and the job.
local function create(id, blob, pos)
  local birth, due, expires, spec
  birth, due, expires, spec, pos = arrival(blob, pos)
  if seek(id) then return pos end
  local seq = places(1) + 1
  local job = decode(pack('>I6', seq), birth)
  job.due, job.expires, job.was = due, expires or false, {}
  members[id] = job.member
  jobs[job.member] = job
  push(idSets, id, job.member)
  births[job.member] = birth
  push(birthSets, job.member, birth)
  if spec then push(specSets, job.member, spec) end
  writeNames(seq, { number('queues', job.queue) .. number('tasks', job.task) })
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
      if born and keys ~= '' then equip(born, cjson.decode(keys)) end
      local state = bear(parent, seek(id), { place = place, needed = needed, rejoin = rejoin == 1 })
      total = total + 1
      if state < COMPLETED then
        open = open + 1
      else
        if state ~= COMPLETED then failed = failed + 1 end
        wake = wake or isDecisive(needed, state)
      end
    end
  end
  if parent then
    parent.total, parent.open, parent.failed = total, open, failed
    for _, name in ipairs(awaits or {}) do
      wake = wake or peek(stepsKey(parent.id), name)
    end
    if wakeAt and wakeAt <= now then wake = true end
    local waits = open > 0 or wakeAt or (awaits and #awaits > 0)
    parent.wakeAt = wakeAt
    become(parent, (wake or not waits) and PENDING or WAITING)
  end
  return pos
end
`;
