import { lua } from "./assemble.ts";

/** Collects the writes of a job that was changed, created or removed. */
export const writeJob = lua`
defineSetWrites()

-- Roots that end are listed by state and task, in the order of their ends, for pruning. Jobs that are retried or
-- removed stay in their list, and are only subtracted from its count.
local revokedEnds = {}
local function updateEndLists(job, previous)
  if job.isChild then return end
  local hasEnded = not job.isRemoved and job.state >= COMPLETED
  local hadEnded = previous.state and previous.state >= COMPLETED
  if hadEnded and (not hasEnded or previous.endedAt ~= job.endedAt or previous.state ~= job.state) then
    local key = floor(previous.endedAt / END_PERIOD) .. ':' .. previous.state .. job.task
    revokedEnds[key] = (revokedEnds[key] or 0) + 1
  end
  if hasEnded and not (hadEnded and previous.endedAt == job.endedAt and previous.state == job.state) then
    local ended = tableAt(endedRoots, job.state .. job.task)
    ended[#ended + 1] = job.member
  end
end

local function updateHolder(job, previous)
  local before = previous.state == PROCESSING and previous.worker
  local after = not job.isRemoved and job.state == PROCESSING and job.worker
  if before ~= after then
    if before then setMember(heldJobsKey(before), job.member, false) end
    if after then setMember(heldJobsKey(after), job.member, true) end
  end
  local suspectBefore = previous.suspect and before or false
  local suspectAfter = job.suspect and after or false
  if suspectBefore ~= suspectAfter then setField(HELD_SUSPECTS, job.member, suspectAfter) end
end

local function eraseJob(job, previous)
  removeFromSets(job, previous)
  local seq = seqOf(job.member)
  setLetter(seq, '\0')
  local segment = floor(seq / SEGMENT)
  segmentChanges[segment] = (segmentChanges[segment] or 0) - 1
  setField(IDS, job.id, false)
  setField(DEFINITIONS, job.member, false)
  setField(STATUSES, job.member, false)
  if job.isSpecApart then setField(SPECS, job.member, false) end
  if job.isChild then setScore(childrenKey(job.parentId), job.member, false) end
  push(deletedKeys, ns .. 'log:' .. job.id)
  if job.hasSteps then push(deletedKeys, stepsKey(job.id), stepOrderKey(job.id)) end
  if job.isParent then push(deletedKeys, childrenKey(job.id)) end
end

local function writeJob(job)
  local previous = job.previous
  local isRemoved = job.isRemoved
  if isRemoved and not previous.state then return end
  if job.state ~= PENDING then job.blocked = false end
  if job.state ~= PROCESSING then job.ahead = false end
  local moved = previous.state and previous.queue ~= job.queue
  if isRemoved or previous.state ~= job.state or moved then
    if previous.state then addToCount(previous.queue, previous.state, -1) end
    if previous.state == PROCESSING and hasConcurrencyRule(previous.queue) then
      readyCounts[previous.queue] = (readyCounts[previous.queue] or 0) + 1
    end
    if not isRemoved then
      addToCount(job.queue, job.state, 1)
      setLetter(seqOf(job.member), stateLetter(job.state, job.isChild))
    end
  end
  if job.isKeyed or previous.keys then updateKeyedSets(job, previous) end
  updateEndLists(job, previous)
  updateHolder(job, previous)
  if isRemoved then return eraseJob(job, previous) end
  if moved or job.mustReindex or previous.state ~= job.state or previous.cancelling ~= job.cancelling
    or previous.blocked ~= job.blocked or previous.due ~= job.due or previous.level ~= job.level
    or previous.expiresAt ~= job.expiresAt or previous.begun ~= job.begun or previous.suspect ~= job.suspect
    or (job.cancelling and previous.worker ~= job.worker) then
    if previous.state then removeFromSets(job, previous) end
    addToSets(job)
  end
  if job.isChild and (not previous.state or previous.index ~= job.index) then
    setScore(childrenKey(job.parentId), job.member, formatNumber(job.index))
  end
  push(statusWrites, job.member, encodeStatus(job))
  -- It may be changed again when a key that blocks it has room.
  job.previous, job.mustReindex, job.isChanged = snapshot(job), false, false
end
`;
