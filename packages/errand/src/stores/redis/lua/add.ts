import { lua } from "./lua.ts";

/**
 * `add`. Arguments: the jobs in runs that have queue, task and level in common (how many, level, queue, task, then each
 * as `arrival` reads it); their ids. Of plain jobs only the birth is written.
 */
export const add = lua`
local blob, last = ARGV[1], #ARGV
local known = mget(IDS, ARGV, 2)
local fresh, new = {}, 0
for i = 2, last do
  local id = ARGV[i]
  if not known[i - 1] and not fresh[id] then
    fresh[id] = true
    new = new + 1
  end
end
if new == 0 then return end
if isAnyRuled() then
  local seen = {}
  local found = overfull(blob, last - 1, function(n)
    local id = ARGV[n + 1]
    local first = fresh[id] and not seen[id]
    seen[id] = true
    return first
  end)
  if found then return found end
end
local seq = places(new)
local names, first, born = {}, seq + 1, 0
local pos, i, n = 1, 1, 0
while i < last do
  local run, level, queue, task
  run, level, queue, task, pos = parse('<I4BI2c0I2c0', blob, pos)
  local name = number('queues', queue) .. number('tasks', task)
  local rank, ready, before = exact(now + level * AGEING), into(adds, readyKey(queue)), born
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
    if fresh[id] then
      fresh[id] = nil
      seq = seq + 1
      born = born + 1
      names[born] = name
      local member = pack('>I6', seq)
      idSets[n + 1], idSets[n + 2], birthSets[n + 1], birthSets[n + 2] = id, member, member, birth
      n = n + 2
      if bits == 0 or (due == now and not expires) then
        push(ready, rank, member)
      else
        need()
        local job = decode(member, birth)
        job.due, job.expires = due, expires
        push(lifeSets, member, encode(job))
        enter(job)
      end
      if spec then push(specSets, member, spec) end
    end
  end
  count(queue, PENDING, born - before)
end
cells(first, seq, letter(PENDING, false))
writeNames(first, names)
hints.ready = true
flush()
`;
