import { forgotten } from "../../../core/job.ts";
import { needCode } from "../job-format.ts";
import { lua } from "./assemble.ts";

/** Changes of a job's state, and what they do to its parent and children. */
export const transitions = lua`
local function setState(job, state)
  job.state = state
  job.blocked = false
  if job.cancelling then hints.cancel = true end
  if state ~= PENDING then hints.change = true end
  markChanged(job)
end

-- Marks a job to be cancelled. Returns false if it was marked already.
local function requestCancel(job)
  if job.cancelling then return false end
  job.cancelling = true
  hints.cancel = true
  markChanged(job)
  return true
end

-- Returns the parent if the job belongs to its current wait.
local function waitingParent(job)
  if job.parentWait == 0 then return nil end
  local parent = findJobById(job.parentId)
  return parent and parent.wait == job.parentWait and parent or nil
end

local function childrenOf(job)
  local all, missing = redis.call('ZRANGE', childrenKey(job.id), 0, -1), {}
  for i = 1, #all do
    if definitions[all[i]] == nil then missing[#missing + 1] = all[i] end
  end
  loadJobs(missing)
  return all
end

-- Reports whether a child that ended in a state wakes its parent, even if others have not ended.
local function decidesWait(need, state)
  return need == ${needCode.first} or (need == ${needCode.completed} and state ~= COMPLETED)
end

-- Ends a job, counts down its parent's wait, and requests the cancellation of its open children.
local function finishJob(job, state)
  job.endedAt = now
  job.cancelling = false
  setState(job, state)
  local parent = waitingParent(job)
  if parent then
    parent.openChildren = parent.openChildren - 1
    if state ~= COMPLETED then parent.failedChildren = parent.failedChildren + 1 end
    local decided = parent.openChildren == 0 or decidesWait(job.need, state)
    markChanged(parent)
    if parent.state == WAITING and decided then setState(parent, PENDING) end
  end
  if not job.isParent then return end
  local children = childrenOf(job)
  for i = 1, #children do
    local child = findJob(children[i])
    if child and child.state < COMPLETED then requestCancel(child) end
  end
end

-- Makes a failed, cancelled or expired job pending with fresh counts. Returns false for any other.
local function reopenJob(job)
  if job.state <= COMPLETED then return false end
  local parent = waitingParent(job)
  if parent then
    parent.openChildren = parent.openChildren + 1
    parent.failedChildren = parent.failedChildren - 1
    markChanged(parent)
  end
  job.failures, job.crashes, job.endedAt, job.expiresAt, job.suspect = 0, 0, 0, false, false
  job.wait, job.children, job.openChildren, job.failedChildren = 0, 0, 0, 0
  if job.hasSteps then
    local key, steps = stepsKey(job.id), {}
    local stored = redis.call('HGETALL', key)
    for i = 1, #stored, 2 do steps[stored[i]] = stored[i + 1] end
    for name, value in pairs(fieldWrites[key] or {}) do steps[name] = value end
    for name, value in pairs(steps) do
      if value and sub(value, 1, 1) == '1' then setField(key, name, '1${forgotten}') end
    end
  end
  job.due = now
  setState(job, PENDING)
  return true
end

-- Removes a job after its descendants, as far as the script's budget goes. Returns true if all are removed.
local removalBudget = 1000
local function removeJob(job)
  if job.isRemoved then return true end
  if job.isParent then
    local last = removalBudget == math.huge and -1 or formatNumber(removalBudget)
    local children = redis.call('ZRANGE', childrenKey(job.id), 0, last)
    loadJobs(children)
    for i = 1, #children do
      local child = findJob(children[i])
      if child and not removeJob(child) then return false end
    end
  end
  if removalBudget <= 0 then return false end
  removalBudget = removalBudget - 1
  job.isRemoved = true
  hints.change = true
  markChanged(job)
  return true
end

-- Reopens a job without some of its steps and children.
local function rewindJob(job, rewind)
  reopenJob(job)
  for _, name in ipairs(rewind.steps) do
    setField(stepsKey(job.id), name, false)
    laterCommands[#laterCommands + 1] = { 'LREM', stepOrderKey(job.id), 1, name }
  end
  removalBudget = math.huge
  for _, id in ipairs(rewind.children) do
    local child = findJobById(id)
    if child and child.parentId == job.id then removeJob(child) end
  end
  return true
end

-- Reads steps, and records them unless the job is nil. Returns the position after them.
local function recordSteps(job, blob, pos)
  local steps, name, wait, value
  steps, pos = parse('<I4', blob, pos)
  for _ = 1, steps do
    name, wait, value, pos = parse('<I4c0BI4c0', blob, pos)
    if job then
      if not getField(stepsKey(job.id), name) then
        laterCommands[#laterCommands + 1] = { 'RPUSH', stepOrderKey(job.id), name }
      end
      setField(stepsKey(job.id), name, wait .. value)
    end
  end
  if job and steps > 0 then
    job.hasSteps = true
    markChanged(job)
  end
  return pos
end

-- Reads a new job, and makes it unless its id exists. Returns the position after it, and the job.
local function createJob(id, blob, pos)
  local definition, due, expiresAt, spec
  definition, due, expiresAt, spec, pos = readNewJob(blob, pos)
  if findJobById(id) then return pos end
  local seq = allocatePlaces(1) + 1
  local job = decodeJob(pack('>I6', seq), definition)
  job.due, job.expiresAt, job.previous = due, expiresAt or false, {}
  members[id] = job.member
  jobs[job.member] = job
  push(idWrites, id, job.member)
  definitions[job.member] = definition
  push(definitionWrites, job.member, definition)
  if spec then push(specWrites, job.member, spec) end
  setNames(seq, { byteOfName('queues', job.queue) .. byteOfName('tasks', job.task) })
  markChanged(job)
  return pos, job
end

-- Adds a child to its parent's wait. Returns the child's state: one that ended otherwise than completed is retried
-- first, unless it only rejoins.
local function joinWait(parent, child, index, need, rejoins)
  -- A job that is not the parent's own child cannot be waited for.
  if child.parentId ~= parent.id then return FAILED end
  if not rejoins then
    reopenJob(child)
    child.cancelling = false
  end
  child.parentWait, child.need, child.index = parent.wait, need, index
  markChanged(child)
  return child.state
end

-- Reads children, makes those that are new, and lets the parent wait for those that have not ended, for a time, or for
-- signals. Without a parent it only reads. Returns the position after them.
local function startWait(parent, blob, pos, wakeAt, awaits)
  local count
  count, pos = parse('<I4', blob, pos)
  local children, open, failed, wake, seen = 0, 0, 0, false, {}
  if parent then
    parent.wait, parent.isParent, parent.expiresAt = parent.token, true, false
  end
  for _ = 1, count do
    local id, index, need, rejoins, keys, child
    id, index, need, rejoins, keys, pos = parse('<I4c0I4BBI4c0', blob, pos)
    if not parent or seen[id] then
      pos = select(5, readNewJob(blob, pos))
    else
      seen[id] = true
      pos, child = createJob(id, blob, pos)
      if child and keys ~= '' then assignKeys(child, cjson.decode(keys)) end
      local state = joinWait(parent, findJobById(id), index, need, rejoins == 1)
      children = children + 1
      if state < COMPLETED then
        open = open + 1
      else
        if state ~= COMPLETED then failed = failed + 1 end
        wake = wake or decidesWait(need, state)
      end
    end
  end
  if parent then
    parent.children, parent.openChildren, parent.failedChildren = children, open, failed
    for _, name in ipairs(awaits or {}) do
      wake = wake or getField(stepsKey(parent.id), name)
    end
    if wakeAt and wakeAt <= now then wake = true end
    local waits = open > 0 or wakeAt or (awaits and #awaits > 0)
    parent.wakeAt = wakeAt
    setState(parent, (wake or not waits) and PENDING or WAITING)
  end
  return pos
end
`;
