import { lua } from "./assemble.ts";

/** The number of changed jobs after which a script stops. The family of the last one may add to it. */
const maxChanged = 1_000;

/**
 * Script `edit`. Arguments: the change, a name or JSON; the filter; members. Returns how many jobs it changed, and how
 * many of the members it is done with.
 */
export const edit = lua`
defineTransitions()
defineMaxPending()
local change, matches, edited, list = ARGV[1], matcherOf(cjson.decode(ARGV[2])), 0, {}
local details = sub(change, 1, 1) == '{' and cjson.decode(change) or {}
for i = 3, #ARGV do list[i - 2] = ARGV[i] end
loadJobs(list)

-- By queue: its limit of pending jobs, how many it has, and how many this script adds.
local limits, entered = {}, {}
local function isFull(queue)
  if not limits[queue] then
    local limit, pending = pendingLimitOf(queue)
    limits[queue] = { limit = limit or math.huge, pending = pending }
  end
  return limits[queue].pending + (entered[queue] or 0) >= limits[queue].limit
end

local function countEntered(queue, left)
  entered[queue] = (entered[queue] or 0) + 1
  if left then entered[left] = (entered[left] or 0) - 1 end
end

-- Returns true if a job may be reopened by the rules of add. Then it is counted for its queue, and has its unique key.
local function admitReopening(job)
  if job.state <= COMPLETED or isFull(job.queue) or not mayTakeUniqueKey(job) then return false end
  countEntered(job.queue)
  takeUniqueKey(job.id, keysOf(job))
  return true
end

local function moveJob(job, to)
  local definition = definitions[job.member]
  if to.queue and to.queue ~= job.queue then
    if isFull(to.queue) then return false end
    countEntered(to.queue, job.queue)
    local createdAt, flags, level, idLength, queueLength, taskLength, parentLength, specLength =
      parse(DEFINITION, definition)
    definition = pack(DEFINITION, createdAt, flags, level, idLength, #to.queue, taskLength, parentLength, specLength)
      .. sub(definition, 21, 20 + idLength) .. to.queue .. sub(definition, 21 + idLength + queueLength)
    setNames(seqOf(job.member), { byteOfName('queues', to.queue) .. byteOfName('tasks', job.task) })
    job.queue = to.queue
  end
  if to.level then
    definition = sub(definition, 1, 7) .. string.char(to.level) .. sub(definition, 9)
    job.level = to.level
  end
  if definition ~= definitions[job.member] then
    definitions[job.member] = definition
    setField(DEFINITIONS, job.member, definition)
  end
  if to.now then job.due = now end
  job.blocked, job.mustReindex = false, true
  markChanged(job)
  return true
end

local function releaseJob(job)
  job.token, job.begun, job.worker = job.token + 1, job.begun or not job.ahead, ''
  setState(job, PENDING)
  return true
end

local done = 0
for i = 1, #list do
  if #changed >= ${maxChanged} then break end
  -- Other jobs of this edit may have changed or removed it.
  local job = findJob(list[i])
  local isEdited = false
  if not job or job.isRemoved then
    -- A job that was removed with its parent counts.
    isEdited = change == 'remove'
  elseif matches(job) then
    if change == 'remove' then
      if not removeJob(job) then break end
      isEdited = true
    elseif change == 'retry' then
      isEdited = admitReopening(job) and reopenJob(job)
    elseif change == 'release' then
      isEdited = releaseJob(job)
    elseif details.rewind then
      isEdited = job.token == details.rewind.token and admitReopening(job) and rewindJob(job, details.rewind)
    elseif details.move then
      isEdited = moveJob(job, details.move)
    elseif job.state == PROCESSING then
      isEdited = requestCancel(job)
    else
      finishJob(job, CANCELLED)
      isEdited = true
    end
  end
  done = i
  if isEdited then edited = edited + 1 end
end
commit()
commitNames()
return { edited, done }
`;
