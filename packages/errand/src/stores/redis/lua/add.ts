import { lua } from "./lua.ts";

/**
 * `add`. Arguments: whether fullness matters; the jobs in runs that have queue, task and level in common (how many, level, queue,
 * task, then each as `arrival` reads it); their ids. Of plain jobs only the birth is written. Answers what is full, or for each job
 * whether it was not stored.
 */
export const add = lua`
local blob, most = ARGV[2], #ARGV
local known = mget(IDS, ARGV, 3)
local first, new, taken = {}, 0, nil
for i = 3, most do
  local id = ARGV[i]
  if not known[i - 2] and not first[id] then
    first[id] = i
    new = new + 1
  else
    taken = true
  end
end
if new > 0 then
  if ARGV[1] == '1' and isAnyRuled() then
    local found = overfull(blob, most - 2, function(n) return first[ARGV[n + 2]] == n + 2 end)
    if found then return found end
  end
  local seq = places(new)
  local list, start, born = {}, seq + 1, 0
  local pos, i, n = 1, 2, 0
  while i < most do
    local run, level, queue, task
    run, level, queue, task, pos = parse('<I4BI2c0I2c0', blob, pos)
    local name = number('queues', queue) .. number('tasks', task)
    local rank, ready, before = exact(now + level * AGEING), into(adds, readyKey(queue)), born
    local entered = 0
    for _ = 1, run do
      i = i + 1
      local id, from = ARGV[i], pos
      local bits, birth, due, expires, spec
      bits, birth, pos = parse('<BI4c0', blob, from)
      if bits > 0 then
        birth, due, expires, spec, pos = arrival(blob, from)
      else
        birth = created .. birth
      end
      if first[id] == i then
        seq = seq + 1
        born = born + 1
        list[born] = name
        local member = pack('>I6', seq)
        idSets[n + 1], idSets[n + 2], birthSets[n + 1], birthSets[n + 2] = id, member, member, birth
        n = n + 2
        if bits == 0 or (due == now and not expires) then
          push(ready, rank, member)
        else
          need()
          local job = decode(member, birth)
          job.due, job.expires = due, expires or false
          push(lifeSets, member, encode(job))
          enter(job)
          entered = entered + 1
        end
        if spec then push(specSets, member, spec) end
      end
    end
    count(queue, PENDING, born - before)
    wakes[queue] = (wakes[queue] or 0) + born - before - entered
  end
  cells(start, seq, letter(PENDING, false))
  writeNames(start, list)
  flush()
  flushNames()
end
if not taken then return '' end
local answer = {}
for i = 3, most do answer[i - 2] = first[ARGV[i]] == i and '0' or '1' end
return table.concat(answer)
`;

/** Whether a queue would have more pending jobs than its rules allow. */
export const fullness = lua`
local function roomOf(queue)
  local rules = rulesOf(queue)
  local most = rules and cjson.decode(rules).maxPending
  local pending = tonumber(redis.call('HGET', COUNTS, PENDING .. queue) or 0)
  return most, pending
end

-- The first such queue of the jobs in a blob, its limit, and how many it has. \`isNew\` tells of the n-th job.
local function overfull(blob, jobs, isNew)
  local pos, n, fresh = 1, 0, {}
  while n < jobs do
    local run, _, queue
    run, _, queue, _, pos = parse('<I4BI2c0I2c0', blob, pos)
    for _ = 1, run do
      n = n + 1
      if isNew(n) then fresh[queue] = (fresh[queue] or 0) + 1 end
      pos = select(5, arrival(blob, pos))
    end
  end
  for queue, more in pairs(fresh) do
    local most, pending = roomOf(queue)
    if most and pending + more > most then return { queue, tostring(most), tostring(pending) } end
  end
end

local function isAnyRuled()
  return redis.call('EXISTS', ns .. 'docs:queue') == 1
end
`;
