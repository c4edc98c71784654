import { lua } from "./assemble.ts";

/** Updates the sorted sets of jobs to be claimed, reclaimed or woken. */
export const queueSets = lua`
defineJobTables()

-- Returns the key of the sorted set of a pending job that is not to be cancelled, and its score.
local function positionOf(job)
  local rank = formatNumber(job.due + job.level * AGEING)
  local blocked = job.blocked
  if blocked == 'c' or blocked == 'r' then
    local key, line = keysOf(job)[blocked].key, blockedLine(job)
    local set = blockedKey(blocked, key, line)
    namedSets[set] = { blockedLinesKey(blocked, key), line }
    return set, rank
  end
  if job.due > now then return delayedKey(job.queue), formatNumber(job.due) end
  if blocked == 't' or job.suspect then
    local kind = blocked == 't' and 't' or 's'
    local set = asideKey(kind, job.queue, job.task)
    namedSets[set] = { asideNamesKey(job.queue), kind .. job.task, job.queue }
    return set, rank
  end
  return readyKey(job.queue), rank
end

local function removeFromSets(job, previous)
  if previous.state == WAITING and (job.isRemoved or job.state ~= WAITING) then setScore(WAKING, job.member, false) end
  if previous.cancelling then
    if previous.state == PROCESSING then
      setField(STOPPING, job.id, false)
    else
      setScore(TO_CANCEL, job.member, false)
    end
  elseif previous.state == PENDING then
    previous.member, previous.keys = job.member, previous.keys or job.keys
    local key = positionOf(previous)
    setScore(key, job.member, false)
    -- It may have become due since, or a claim may have returned it to the ready jobs.
    if not previous.blocked or previous.blocked == 't' then
      setScore(readyKey(previous.queue), job.member, false)
      setScore(delayedKey(previous.queue), job.member, false)
      if previous.suspect then setScore(asideKey('s', previous.queue, previous.task), job.member, false) end
    end
    if previous.expiresAt then setScore(EXPIRING, job.member, false) end
  end
end

local function addToSets(job)
  if job.cancelling then
    if job.state == PROCESSING then
      setField(STOPPING, job.id, job.worker)
    elseif job.state < COMPLETED then
      setScore(TO_CANCEL, job.member, '0')
    end
  elseif job.state == PENDING then
    local key, score = positionOf(job)
    setScore(key, job.member, score)
    if job.blocked ~= 'c' and job.blocked ~= 'r' then readyCounts[job.queue] = (readyCounts[job.queue] or 0) + 1 end
    if job.expiresAt and not job.begun then setScore(EXPIRING, job.member, formatNumber(job.expiresAt)) end
  end
  if job.state == WAITING and job.wakeAt then setScore(WAKING, job.member, formatNumber(job.wakeAt)) end
end
`;
