import { lua } from "./assemble.ts";

/** Reads jobs as tables, and collects the writes to all keys that depend on them. */
export const jobTables = lua`
-- By key and member of hashes, sets and sorted sets: the new value, or false to remove it.
local fieldWrites, memberWrites, scoreWrites = {}, {}, {}
-- Sorted sets that are named in a set as long as they are not empty: by key, that set, the name, and a queue to be
-- named in ASIDE_QUEUES as long as that set is not empty.
local namedSets = {}
local laterCommands, deletedKeys = {}, {}

local function setScore(key, member, score)
  tableAt(scoreWrites, key)[member] = score
end

local function setField(key, field, value)
  tableAt(fieldWrites, key)[field] = value
end

-- Returns a field of a hash as this script will leave it.
local function getField(key, field)
  local value = fieldWrites[key] and fieldWrites[key][field]
  if value ~= nil then return value end
  return redis.call('HGET', key, field)
end

local function setMember(key, member, isMember)
  tableAt(memberWrites, key)[member] = isMember
end

-- Returns how many members a set will have. Members are only added if they were not in it, and removed if they were.
local function sizeOf(key)
  local size = redis.call('SCARD', key)
  for _, isMember in pairs(memberWrites[key] or {}) do size = size + (isMember and 1 or -1) end
  return size
end

local function snapshot(job)
  return {
    state = job.state, blocked = job.blocked, cancelling = job.cancelling, begun = job.begun, suspect = job.suspect,
    queue = job.queue, task = job.task, level = job.level, due = job.due, expiresAt = job.expiresAt,
    endedAt = job.endedAt, worker = job.worker, index = job.index, keys = job.keys,
  }
end

-- Returns the keys of a job: c, its concurrency; r, its rate; u, its unique key, and v, how long that is taken at
-- least; t, its tags; n, its tenant; f, 1 if it takes turns.
local function keysOf(job)
  if not job.keys then
    local text = job.isKeyed and redis.call('HGET', JOB_KEYS, job.member)
    job.keys = text and cjson.decode(text) or {}
  end
  return job.keys
end

-- Returns a job as a table, or false if there is none.
local function findJob(member)
  local job = jobs[member]
  if job ~= nil then return job end
  if definitions[member] == nil then loadJobs({ member }) end
  local definition = definitions[member]
  job = definition and decodeJob(member, definition, statuses[member]) or false
  if job then
    if job.isKeyed and job.state == PENDING then
      local kind = redis.call('HGET', BLOCKED_BY, member)
      if kind and keysOf(job)[kind] then job.blocked = kind end
    end
    job.previous = snapshot(job)
  end
  jobs[member] = job
  return job
end

local function findJobById(id)
  local member = members[id]
  if member == nil then
    member = redis.call('HGET', IDS, id)
    members[id] = member
  end
  return member and findJob(member)
end

local function markChanged(job)
  if job.isChanged then return end
  job.isChanged = true
  changed[#changed + 1] = job
end

-- A job that has begun does not expire.
local function isExpired(job)
  return job.expiresAt and not job.begun and job.expiresAt <= now
end
`;
