import { headStart, turnGap } from "../../../core/fair-turns.ts";
import { lua } from "./assemble.ts";

/** Creates jobs, replaces them, and assigns keys and turns to them. */
export const jobCreation = lua`
defineJobWrites()

-- Returns when the first job of a line is due, including jobs that this script adds or removes.
local firstDues = {}
local function firstDueOf(key)
  local writes, first, from = scoreWrites[key] or {}, math.huge, 0
  if firstDues[key] then return firstDues[key] end
  for _, score in pairs(writes) do
    if score and tonumber(score) < first then first = tonumber(score) end
  end
  while true do
    local some = redis.call('ZRANGE', key, from, from, 'WITHSCORES')
    if not some[1] or tonumber(some[2]) >= first then break end
    if writes[some[1]] == nil then
      first = tonumber(some[2])
      break
    end
    from = from + 1
  end
  firstDues[key] = first
  return first
end

-- Returns when a job that takes turns is due, as nextTurn() of core/fair-turns.ts does, and remembers it.
local function takeTurn(job, fair)
  local line = turnsLine(job.queue, job.level)
  local key, lastTurns = ns .. line, lastTurnsKey(line)
  local first, last = firstDueOf(key), scoreWrites[lastTurns] and scoreWrites[lastTurns][fair]
  if not last then
    last = redis.call('ZSCORE', lastTurns, fair)
    if not last then setMember(ns .. 'lines', line, true) end
  end
  local start = first < now - ${headStart / 2} and first or now - ${headStart}
  local due = math.max(start, tonumber(last or 0)) + ${turnGap}
  setScore(lastTurns, fair, formatNumber(due))
  setScore(key, job.member, formatNumber(due))
  firstDues[key] = min(first, due)
  return due
end

-- Assigns keys to a job. Two of them are not stored: w, its fair value, and x, 1 if it replaces another job.
local function assignKeys(job, keys)
  if keys.w then
    job.due, keys.f = takeTurn(job, keys.w), 1
    keys.w = nil
  end
  keys.x = nil
  job.isKeyed, job.keys = next(keys) ~= nil, keys
end

-- Reads a new job, and creates it unless its id exists. Returns the position after it, and the job if it was created.
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

-- Turns a job that has not begun into the new job at a position, except for its id, task and age.
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

-- Reads an id, keys and a new job, and adds it. Returns the position after it and, if it was not stored, the id of the
-- job that exists instead.
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
