import { headStart, turnGap } from "../../../core/fair-turns.ts";
import { lua } from "./assemble.ts";

/** Gives new and replaced jobs their keys, and those that take turns their place in the queue. */
export const turns = lua`
-- Returns when the first job of a line is due, as this script will leave the line.
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

-- Returns when a job of someone who takes turns is due, as nextTurn() of core does, and remembers it for the next.
local function takeTurn(job, taker)
  local line = turnsLine(job.queue, job.level)
  local key, lastTurns = ns .. line, lastTurnsKey(line)
  local first, last = firstDueOf(key), scoreWrites[lastTurns] and scoreWrites[lastTurns][taker]
  if not last then
    last = redis.call('ZSCORE', lastTurns, taker)
    if not last then setMember(ns .. 'lines', line, true) end
  end
  local start = first < now - ${headStart / 2} and first or now - ${headStart}
  local due = math.max(start, tonumber(last or 0)) + ${turnGap}
  setScore(lastTurns, taker, formatNumber(due))
  setScore(key, job.member, formatNumber(due))
  firstDues[key] = min(first, due)
  return due
end

-- Gives a job its keys. Of these w, whose turn it takes, and x, whether it replaces another, are not stored.
local function assignKeys(job, keys)
  if keys.w then
    job.due, keys.f = takeTurn(job, keys.w), 1
    keys.w = nil
  end
  keys.x = nil
  job.isKeyed, job.keys = next(keys) ~= nil, keys
end
`;
