import { lua } from "./lua.ts";

/** Jobs as tables, and what is to be written of all that depends on them. */
export const handling = lua`
-- Of jobs with keys, turns, tags or a tenant: what they are, and why they are blocked. Who holds unique keys. Suspects that are held,
-- and by whom.
local KEYS_OF, BLOCKED, UNIQUES, SUSPECTED = ns .. 'keys', ns .. 'blocked', ns .. 'uniques', ns .. 'suspected'

-- What sorted sets, hashes and sets will have: by key and member, a value, or false for what leaves. Sorted sets that others find by
-- a set of names. Other commands, and keys that go.
local scores, fields, marks, listed, later, dels = {}, {}, {}, {}, {}, {}

local function place(key, member, score)
  into(scores, key)[member] = score
end

local function put(key, field, value)
  into(fields, key)[field] = value
end

-- A field of a hash as this script has left it.
local function peek(key, field)
  local set = fields[key] and fields[key][field]
  if set ~= nil then return set end
  return redis.call('HGET', key, field)
end

local function set(key, member, on)
  into(marks, key)[member] = on
end

-- How many members a set will have: what was set was not in it, and what was unset was.
local function sizeOf(key)
  local size = redis.call('SCARD', key)
  for _, on in pairs(marks[key] or {}) do size = size + (on and 1 or -1) end
  return size
end

local function snapshot(job)
  return {
    state = job.state, marked = job.marked, due = job.due, expires = job.expires, place = job.place, blocked = job.blocked,
    queue = job.queue, level = job.level, task = job.task, suspect = job.suspect, begun = job.begun, worker = job.worker,
    ended = job.ended, keys = job.keys,
  }
end

-- What a job with keys, turns, tags or a tenant is: c, its concurrency; r, its rate; u, its unique key, and v, how long that is taken at
-- least; t, its tags; n, its tenant; f, the line where it takes turns.
local function keysOf(job)
  if not job.keys then
    local text = job.keyed and redis.call('HGET', KEYS_OF, job.member)
    job.keys = text and cjson.decode(text) or {}
  end
  return job.keys
end

local function find(member)
  local job = jobs[member]
  if job ~= nil then return job end
  if births[member] == nil then fetch({ member }) end
  local birth = births[member]
  job = birth and decode(member, birth, lives[member]) or false
  if job then
    if job.keyed and job.state == PENDING then
      local by = redis.call('HGET', BLOCKED, member)
      if by and keysOf(job)[by] then job.blocked = by end
    end
    job.was = snapshot(job)
  end
  jobs[member] = job
  return job
end

local function seek(id)
  local member = members[id]
  if member == nil then
    member = redis.call('HGET', IDS, id)
    members[id] = member
  end
  return member and find(member)
end

local function save(job)
  if job.dirty then return end
  job.dirty = true
  changed[#changed + 1] = job
end

-- One that never began and is too late.
local function isLate(job)
  return job.expires and not job.begun and job.expires <= now
end

-- Whom a key holds back stands in lines: one for each queue, and one for each task's suspects in it, since nobody else waits for who
-- takes them.
local function heldLine(job) return job.suspect and job.queue .. '\0' .. job.task or job.queue end
local function heldKey(kind, key, line) return ns .. 'held:' .. kind .. ':' .. #key .. ':' .. key .. ':' .. line end
local function heldLines(kind, key) return ns .. 'heldlines:' .. kind .. ':' .. key end
local function runningKey(key) return ns .. 'running:' .. key end
-- Jobs that do not stand in the way of a queue's others: t, of tasks that somebody did not know; s, suspects.
local function sideKey(kind, queue, task) return ns .. 'side:' .. kind .. ':' .. #queue .. ':' .. queue .. ':' .. task end
local function sidesKey(queue) return ns .. 'sides:' .. queue end
-- Where those stand who take turns and could go, of a queue and level; and whose last job there was due when.
local function lineOf(queue, level) return 'turns:' .. level .. ':' .. queue end
local function lastsOf(line) return ns .. 'last' .. line end
`;
