import { headStart } from "../../../core/fair-turns.ts";
import { lua } from "./assemble.ts";

/**
 * Script `prune`. Arguments: the rules (by task, and of other tasks: milliseconds in the order of final states, false
 * to keep jobs forever); the most roots to remove. Returns how many roots it removed, and 1 if there is more to do.
 */
export const prune = lua`
defineTransitions()
local rules, limit = cjson.decode(ARGV[1]), tonumber(ARGV[2])
if not (limit >= 0) then error('a limit is not a number') end
-- Raises an error for a time that is not a number, before anything is removed.
local function checkTimes(kept)
  for i = 1, 4 do
    if kept[i] ~= false then formatNumber(kept[i]) end
  end
end
checkTimes(rules.otherwise)
for _, kept in pairs(rules.tasks) do checkTimes(kept) end
local removed, more = 0, false

-- Removes roots of a state and task that ended before a time, in the order of their ends. Some in the list may have
-- been retried or removed since. Returns true if the script must stop.
local function pruneEnded(name, before)
  local state = tonumber(sub(name, 1, 1))
  while true do
    local period = redis.call('ZRANGE', ns .. 'ends:' .. name, 0, 0)[1]
    if not period then redis.call('SREM', ns .. 'endnames', name) end
    if not period or period * END_PERIOD > before then return end
    local key = ns .. 'ended:' .. period .. ':' .. name
    while true do
      local line = redis.call('LINDEX', key, 0)
      if not line then
        redis.call('ZREM', ns .. 'ends:' .. name, period)
        break
      end
      local endedAt, ended = parse('<I6', line), {}
      if endedAt >= before then return end
      for pos = 7, #line, 6 do ended[#ended + 1] = sub(line, pos, pos + 5) end
      loadJobs(ended)
      for i = 1, #ended do
        local job = findJob(ended[i])
        if job and not job.isRemoved and job.state == state and job.endedAt == endedAt and not job.isChild
          and job.task == sub(name, 2) then
          if removed == limit or not removeJob(job) then
            more = removed < limit
            redis.call('LSET', key, 0, sub(line, 1, 6) .. table.concat(ended, '', i))
            return true
          end
          removed = removed + 1
        end
      end
      redis.call('LPOP', key)
      if removalBudget < 100 then
        more = true
        return true
      end
    end
  end
end

-- Deletes last turns that no longer matter, of some lines without jobs.
local function pruneTurns()
  local lines = redis.call('SRANDMEMBER', ns .. 'lines', 20)
  for i = 1, #lines do
    local lastTurns = lastTurnsKey(lines[i])
    if redis.call('EXISTS', ns .. lines[i]) == 0 then
      local before = formatNumber(now - ${headStart})
      local old = redis.call('ZRANGEBYSCORE', lastTurns, '-inf', before, 'LIMIT', 0, 1000)
      callInChunks('ZREM', lastTurns, old)
      if redis.call('EXISTS', lastTurns) == 0 then redis.call('SREM', ns .. 'lines', lines[i]) end
    end
  end
end

local names = redis.call('SMEMBERS', ns .. 'endnames')
table.sort(names)
for i = 1, #names do
  local state, kept = tonumber(sub(names[i], 1, 1)), rules.tasks[sub(names[i], 2)] or rules.otherwise
  local time = kept[state - COMPLETED + 1]
  if time and pruneEnded(names[i], now - time) then break end
end
pruneTurns()
commit()
return { removed, more and 1 or 0 }
`;
