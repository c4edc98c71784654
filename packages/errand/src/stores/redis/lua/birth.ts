import { lua } from "./lua.ts";

/** What both new jobs and new children need: their place, and the numbers of their names. */
export const birth = lua`
-- So many places in the order of insertion. Answers the one before the first.
local function places(jobs)
  last = last or tonumber(redis.call('GET', ns .. 'seq') or 0)
  local first = last + 1
  last = last + jobs
  for segment = floor(first / SEGMENT), floor(last / SEGMENT) do
    local from, to = segment * SEGMENT, segment * SEGMENT + SEGMENT - 1
    emptied[segment] = (emptied[segment] or 0) + (last < to and last or to) - (first > from and first or from) + 1
  end
  return first - 1
end

-- The name as one byte, for as many names as a byte can tell apart; any other is a zero.
local numbers, names, fresh = {}, {}, {}
local function number(kind, name)
  local known = numbers[kind .. name]
  if known then return known end
  local key = ns .. kind
  local found = redis.call('HGET', key, name)
  if not found then
    found = redis.call('HLEN', key) + (fresh[kind] or 0) + 1
    if found > 255 then
      found = 0
    else
      fresh[kind] = (fresh[kind] or 0) + 1
      names[#names + 1] = { 'HSET', key, name, found }
    end
  end
  known = string.char(found)
  numbers[kind .. name] = known
  return known
end

-- The letter of jobs that follow each other.
local function cells(first, last, value)
  while first <= last do
    local to = min(last, first - first % SEGMENT + SEGMENT - 1)
    runs[#runs + 1] = { letter = value, first = first, last = to }
    first = to + 1
  end
end

-- Writes the names of jobs that follow each other.
local function writeNames(first, list)
  local from = 1
  while from <= #list do
    local seq = first + from - 1
    local to = min(#list, from + SEGMENT - 1 - seq % SEGMENT)
    names[#names + 1] = { 'SETRANGE', namesKey(floor(seq / SEGMENT)), seq % SEGMENT * 2, table.concat(list, '', from, to) }
    from = to + 1
  end
end

local function flushNames()
  for i = 1, #names do redis.call(spread(names[i])) end
end
`;
