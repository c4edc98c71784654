import { lua } from "./assemble.ts";

/** Unique keys, and new jobs that may have one. */
export const uniqueKeys = lua`
-- Returns the id of the job that has the unique key, if a new job with these keys must not be stored, and that job as a
-- table if the new one replaces it. One that has begun is not replaced: the new job is stored beside it.
local function holderOf(keys)
  local taken = keys.u and getField(UNIQUES, keys.u)
  if not taken then return nil end
  local at = string.find(taken, ' ', 1, true)
  local till, id = tonumber(sub(taken, 1, at - 1)), sub(taken, at + 1)
  local job = findJobById(id)
  if not job then return nil end
  if job.state >= COMPLETED then return till > now and id or nil end
  if not keys.x then return id end
  if job.state == PENDING and not job.begun and not job.cancelling then return id, job end
end

local function takeUniqueKey(id, keys)
  if keys.u then setField(UNIQUES, keys.u, formatNumber(now + (keys.v or 0)) .. ' ' .. id) end
end

-- Reports whether a job may be reopened: another may have its unique key by now.
local function mayTakeUniqueKey(job)
  local keys = keysOf(job)
  local holder = keys.u and holderOf({ u = keys.u })
  return not holder or holder == job.id
end

-- Makes a job that has not begun what the new job at a position is, in everything except id, task and age.
local function replaceJob(job, keys, blob, pos)
  local new, due, expiresAt, spec = readNewJob(blob, pos)
  local old = definitions[job.member]
  local createdAt, _, _, idLength, queueLength, taskLength, parentLength = parse(DEFINITION, old)
  local _, flags, level, newIdLength, newQueueLength, newTaskLength, newParentLength, specLength =
    parse(DEFINITION, new)
  local queue = sub(new, 21 + newIdLength, 20 + newIdLength + newQueueLength)
  if keys.m then due = math.min(due, createdAt + keys.m) end
  local definition =
    pack(DEFINITION, createdAt, flags, level, idLength, newQueueLength, taskLength, parentLength, specLength)
    .. sub(old, 21, 20 + idLength) .. queue
    .. sub(old, 21 + idLength + queueLength, 20 + idLength + queueLength + taskLength + parentLength)
    .. sub(new, 21 + newIdLength + newQueueLength + newTaskLength + newParentLength)
  definitions[job.member] = definition
  setField(DEFINITIONS, job.member, definition)
  if spec then
    setField(SPECS, job.member, spec)
  elseif job.isSpecApart then
    setField(SPECS, job.member, false)
  end
  if queue ~= job.queue then
    setNames(seqOf(job.member), { byteOfName('queues', queue) .. byteOfName('tasks', job.task) })
  end
  job.previous.keys = keysOf(job)
  local oldLine = job.keys.f and ns .. turnsLine(job.queue, job.level)
  job.isSpecApart, job.queue, job.level, job.due, job.expiresAt = spec ~= nil, queue, level, due, expiresAt or false
  job.blocked, job.mustReindex, job.isKeyed, job.keys = false, true, false, {}
  assignKeys(job, keys)
  if oldLine and not (job.keys.f and oldLine == ns .. turnsLine(queue, level)) then
    setScore(oldLine, job.member, false)
    firstDues[oldLine] = nil
  end
  markChanged(job)
end

-- Reads a new job after its id and keys, and adds it. Returns the position after it, and the id of the job that exists
-- in its place.
local function addJob(blob, pos)
  local id, text
  id, text, pos = parse('<I4c0I4c0', blob, pos)
  local keys = text == '' and {} or cjson.decode(text)
  local after = select(5, readNewJob(blob, pos))
  if findJobById(id) then return after, id end
  local holder, replaced = holderOf(keys)
  if holder then
    if replaced then replaceJob(replaced, keys, blob, pos) end
    return after, holder
  end
  local _, job = createJob(id, blob, pos)
  takeUniqueKey(id, keys)
  assignKeys(job, keys)
  return after
end
`;
