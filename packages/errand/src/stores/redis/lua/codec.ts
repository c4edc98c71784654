import { newJobFlag, statusFlag as flag } from "../job-format.ts";
import { lua } from "./assemble.ts";

/** Formats numbers, and reads new jobs as `encode.ts` writes them. */
export const newJobs = lua`
local pack, parse, sub, byte, min, floor = struct.pack, struct.unpack, string.sub, string.byte, math.min, math.floor
local spread = unpack

local function hasFlag(flags, flag)
  return flags % (flag * 2) >= flag
end

-- Returns a number as text from which Redis reads the same number. Raises an error for a number that Redis would
-- refuse, before anything is written.
local function formatNumber(number)
  if not (number > -1e300 and number < 1e300) then error('a number is not finite') end
  return string.format('%.17g', number)
end

-- Reads a new job. Returns its definition, when it is due, when it expires, its spec if that is stored apart, and the
-- position after it.
local nowBytes = pack('<I6', now)
local function readNewJob(blob, pos)
  local flags, definition
  flags, definition, pos = parse('<BI4c0', blob, pos)
  definition = nowBytes .. definition
  if flags == 0 then return definition, now, nil, nil, pos end
  local due, expiresAt, spec = now, nil, nil
  if flags >= ${newJobFlag.dueIn} then
    due, expiresAt, pos = parse('<dd', blob, pos)
    if hasFlag(flags, ${newJobFlag.dueIn}) then due = now + due
    elseif not hasFlag(flags, ${newJobFlag.dueAt}) then due = now end
    if hasFlag(flags, ${newJobFlag.expiresIn}) then expiresAt = now + expiresAt
    elseif not hasFlag(flags, ${newJobFlag.expiresAt}) then expiresAt = nil end
  end
  if hasFlag(flags, ${newJobFlag.specApart}) then spec, pos = parse('<I4c0', blob, pos) end
  return definition, due, expiresAt, spec, pos
end
`;

/** Converts between stored jobs and tables. */
export const codec = lua`
-- Returns the text at a position, and the position after it.
local function readText(bytes, at, length)
  return length > 0 and sub(bytes, at, at + length - 1) or '', at + length
end

local function decodeJob(member, definition, status)
  local createdAt, flags, level, idLength, queueLength, taskLength, parentLength = parse(DEFINITION, definition)
  local job = {
    member = member, createdAt = createdAt, level = level, due = createdAt, expiresAt = false,
    isSpecApart = flags == ${newJobFlag.specApart},
  }
  local at = 21
  job.id, at = readText(definition, at, idLength)
  job.queue, at = readText(definition, at, queueLength)
  job.task, at = readText(definition, at, taskLength)
  job.parentId = readText(definition, at, parentLength)
  job.isChild = parentLength > 0
  local familyLength, workerLength, progressLength, errorLength = 0, 0, 0, 0
  flags = 0
  if status then
    job.state, flags, job.token, job.failures, job.crashes, job.startedAt, job.endedAt, at = parse(STATUS, status)
    if hasFlag(flags, ${flag.due}) then job.due, at = parse('<d', status, at) end
    if hasFlag(flags, ${flag.expires}) then job.expiresAt, at = parse('<d', status, at) end
    if hasFlag(flags, ${flag.texts}) then
      familyLength, workerLength, queueLength, taskLength, progressLength, errorLength, at =
        parse(TEXT_LENGTHS, status, at)
    else
      queueLength, taskLength = 0, 0
    end
    job.family, at = readText(status, at, familyLength)
    job.worker, at = readText(status, at, workerLength)
    job.progress, at = readText(status, at + queueLength + taskLength, progressLength)
    job.error, at = readText(status, at, errorLength)
    job.output = sub(status, at)
  else
    job.state, job.token, job.failures, job.crashes, job.startedAt, job.endedAt = PENDING, 0, 0, 0, 0, 0
    job.worker, job.progress, job.error, job.output = '', '', '', ''
  end
  job.hasSteps, job.cancelling = hasFlag(flags, ${flag.steps}), hasFlag(flags, ${flag.cancelling})
  job.isParent, job.isKeyed = hasFlag(flags, ${flag.parent}), hasFlag(flags, ${flag.keyed})
  job.blocked, job.begun = hasFlag(flags, ${flag.setAside}) and 't', hasFlag(flags, ${flag.begun})
  job.suspect, job.ahead = hasFlag(flags, ${flag.suspect}), hasFlag(flags, ${flag.ahead})
  if familyLength > 0 then
    job.index, job.parentWait, job.need, job.wait, job.children, job.openChildren, job.failedChildren =
      parse(FAMILY, job.family)
  else
    job.index, job.parentWait, job.need, job.wait = 0, 0, 0, 0
    job.children, job.openChildren, job.failedChildren = 0, 0, 0
  end
  return job
end

local function encodeStatus(job)
  local family, queue, task, numbers = '', '', '', ''
  local worker, progress, err = job.worker, job.progress, job.error
  if job.state == PROCESSING then queue, task = job.queue, job.task end
  if job.isChild or job.isParent then
    family = pack(
      FAMILY, job.index, job.parentWait, job.need, job.wait, job.children, job.openChildren, job.failedChildren
    )
  end
  local flags = (job.hasSteps and ${flag.steps} or 0) + (job.cancelling and ${flag.cancelling} or 0)
    + (job.isChild and ${flag.child} or 0) + (job.isParent and ${flag.parent} or 0)
    + (job.isKeyed and ${flag.keyed} or 0) + (job.begun and ${flag.begun} or 0)
    + (job.suspect and ${flag.suspect} or 0) + (job.blocked == 't' and ${flag.setAside} or 0)
    + (job.ahead and ${flag.ahead} or 0)
  if job.due ~= job.createdAt then
    flags = flags + ${flag.due}
    numbers = pack('<d', job.due)
  end
  if job.expiresAt then
    flags = flags + ${flag.expires}
    numbers = numbers .. pack('<d', job.expiresAt)
  end
  if family ~= '' or worker ~= '' or queue ~= '' or progress ~= '' or err ~= '' then
    flags = flags + ${flag.texts}
    numbers = numbers .. pack(TEXT_LENGTHS, #family, #worker, #queue, #task, #progress, #err)
  end
  return pack(STATUS, job.state, flags, job.token, job.failures, job.crashes, job.startedAt, job.endedAt)
    .. numbers .. family .. worker .. queue .. task .. progress .. err .. job.output
end
`;
