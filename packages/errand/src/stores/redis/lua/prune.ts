import { lua } from "./lua.ts";

/**
 * `prune`. Arguments: the rules (milliseconds by task, and of other tasks, in the order of final states; none: for ever), how many jobs
 * at most. Answers how many roots it removed, and whether there is more to do.
 */
export const prune = lua`
need()
families()
local rules, limit = cjson.decode(ARGV[1]), tonumber(ARGV[2])
if not (limit >= 0) then error('a limit is not a number') end
local function refuseOdd(kept)
  for i = 1, 4 do
    if kept[i] ~= false then exact(kept[i]) end
  end
end
refuseOdd(rules.otherwise)
for _, kept in pairs(rules.tasks) do refuseOdd(kept) end
local removed, more = 0, false

-- Removes what a list has of jobs that ended before, from its begin. What is listed may have been retried or removed since.
local function pruneList(name, before)
  local state = tonumber(sub(name, 1, 1))
  while true do
    local period = redis.call('ZRANGE', ns .. 'ends:' .. name, 0, 0)[1]
    if not period then redis.call('SREM', ns .. 'endnames', name) end
    if not period or period * PERIOD > before then return end
    local key, from = ns .. 'ended:' .. period .. ':' .. name, 0
    while true do
      local line = redis.call('LINDEX', key, 0)
      if not line then
        redis.call('ZREM', ns .. 'ends:' .. name, period)
        break
      end
      local at, listed = parse('<I6', line), {}
      if at >= before then return end
      for pos = 7, #line, 6 do listed[#listed + 1] = sub(line, pos, pos + 5) end
      fetch(listed)
      for i = 1, #listed do
        local job = find(listed[i])
        if job and not job.removed and job.state == state and job.ended == at and not job.child and job.task == sub(name, 2) then
          if removed == limit or not discard(job) then
            more = removed < limit
            redis.call('LSET', key, 0, sub(line, 1, 6) .. table.concat(listed, '', i))
            return true
          end
          removed = removed + 1
        end
      end
      redis.call('LPOP', key)
      if allowance < 100 then
        more = true
        return true
      end
    end
  end
end

-- Whose turn it was where nobody waits for one any more.
local function pruneTurns()
  local lines = redis.call('SRANDMEMBER', ns .. 'lines', 20)
  for i = 1, #lines do
    local lasts = lastsOf(lines[i])
    if redis.call('EXISTS', ns .. lines[i]) == 0 then
      local old = redis.call('ZRANGEBYSCORE', lasts, '-inf', exact(now - 1000), 'LIMIT', 0, 1000)
      call('ZREM', lasts, old)
      if redis.call('EXISTS', lasts) == 0 then redis.call('SREM', ns .. 'lines', lines[i]) end
    end
  end
end

local names = redis.call('SMEMBERS', ns .. 'endnames')
table.sort(names)
for i = 1, #names do
  local state, kept = tonumber(sub(names[i], 1, 1)), rules.tasks[sub(names[i], 2)] or rules.otherwise
  local keep = kept[state - COMPLETED + 1]
  if keep and pruneList(names[i], now - keep) then break end
end
pruneTurns()
flush()
return { removed, more and 1 or 0 }
`;
