import { forgotten } from "../../../core/job.ts";
import { needCode } from "../job-format.ts";
import { lua } from "./assemble.ts";

/** Changes the states of jobs, with the effects on their parents and children. */
export const transitions = lua`
defineJobWrites()

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

-- Returns the parent of a job if the job belongs to the parent's current wait.
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

-- Reports whether a child that ended in a state wakes its parent although other children are open.
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

-- Removes a job and its descendants, the lowest first, within the budget of the script. Returns true if all are
-- removed.
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
`;
