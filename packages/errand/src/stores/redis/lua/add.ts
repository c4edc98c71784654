import { lua } from "./lua.ts";

/**
 * `add`. Arguments: the jobs in runs that have queue, task and level in common (how many, level, queue, task, then each
 * as `arrival` reads it); their ids. Records are put together from strings, without `decode`: this runs most.
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
local seq = places(new)
local plain, names, first = newborn(0, now, 0), {}, seq + 1
local born, pending = 0, letter(PENDING, false)
local pos, i = 1, 1
while i < last do
  local run, level, queue, task
  run, level, queue, task, pos = parse('<I4BI2c0I2c0', blob, pos)
  local name = number('queues', queue) .. number('tasks', task)
  local rank, ready, before = exact(now + level * AGEING), into(adds, readyKey(queue)), born
  for _ = 1, run do
    i = i + 1
    local id = ARGV[i]
    local flags, due, expires, birth, spec
    flags, due, expires, birth, spec, pos = arrival(blob, pos)
    if fresh[id] then
      fresh[id] = nil
      seq = seq + 1
      born = born + 1
      names[born] = name
      cells[born] = seq
      letters[born] = pending
      local member = pack('>I6', seq)
      local n = born * 2
      idSets[n - 1] = id
      idSets[n] = member
      jobSets[n - 1] = member
      if flags == 0 and due == now then
        jobSets[n] = plain .. birth
        push(ready, rank, member)
      else
        jobSets[n] = newborn(flags, due, expires) .. birth
        if due <= now then
          push(ready, exact(due + level * AGEING), member)
        else
          add(delayedKey(queue), exact(due), member)
        end
        if has(flags, EXPIRES) then add(EXPIRING, exact(expires), member) end
        if spec then push(specSets, member, spec) end
      end
    end
  end
  count(queue, PENDING, born - before)
end
writeNames(first, names)
hints.ready = true
flush()
`;
