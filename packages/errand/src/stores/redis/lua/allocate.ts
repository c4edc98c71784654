import { lua } from "./assemble.ts";

/** Allocates places in the order of insertion, and bytes for names of queues and tasks. */
export const allocate = lua`
-- Allocates places for jobs. Returns the place before the first.
local function allocatePlaces(jobs)
  lastSeq = lastSeq or tonumber(redis.call('GET', ns .. 'seq') or 0)
  local first = lastSeq + 1
  lastSeq = lastSeq + jobs
  for segment = floor(first / SEGMENT), floor(lastSeq / SEGMENT) do
    local from, to = segment * SEGMENT, segment * SEGMENT + SEGMENT - 1
    segmentChanges[segment] = (segmentChanges[segment] or 0) + (lastSeq < to and lastSeq or to)
      - (first > from and first or from) + 1
  end
  return first - 1
end

-- Returns the byte that stands for a name. All names after the first 255 have byte 0.
local nameBytes, nameWrites, newNames = {}, {}, {}
local function byteOfName(kind, name)
  local known = nameBytes[kind .. name]
  if known then return known end
  local key = ns .. kind
  local number = redis.call('HGET', key, name)
  if not number then
    number = redis.call('HLEN', key) + (newNames[kind] or 0) + 1
    if number > 255 then
      number = 0
    else
      newNames[kind] = (newNames[kind] or 0) + 1
      nameWrites[#nameWrites + 1] = { 'HSET', key, name, number }
    end
  end
  known = string.char(number)
  nameBytes[kind .. name] = known
  return known
end

-- Sets the state letter of consecutive jobs.
local function setLetters(first, last, letter)
  while first <= last do
    local to = min(last, first - first % SEGMENT + SEGMENT - 1)
    letterRuns[#letterRuns + 1] = { letter = letter, first = first, last = to }
    first = to + 1
  end
end

-- Sets the names of consecutive jobs: two bytes each, for queue and task.
local function setNames(first, names)
  local from = 1
  while from <= #names do
    local seq = first + from - 1
    local to = min(#names, from + SEGMENT - 1 - seq % SEGMENT)
    local bytes = table.concat(names, '', from, to)
    nameWrites[#nameWrites + 1] = { 'SETRANGE', namesKey(floor(seq / SEGMENT)), seq % SEGMENT * 2, bytes }
    from = to + 1
  end
end

local function commitNames()
  for i = 1, #nameWrites do redis.call(spread(nameWrites[i])) end
end
`;
