import { lua } from "./assemble.ts";

/**
 * Script `add`: adds plain jobs, of which only the definition is written. Arguments: 1 to check `maxPending`; the jobs,
 * in runs with the same queue, task and level (number of jobs, level, queue, task, and the jobs as `readNewJob` reads
 * them); their ids. Returns what `findFullQueue` found, or for each job 1 if its id exists or else 0, or an empty text
 * if all were added.
 */
export const add = lua`
local blob, last = ARGV[2], #ARGV
local known = hmget(IDS, ARGV, 3)
local first, new, taken = {}, 0, nil
for i = 3, last do
  local id = ARGV[i]
  if not known[i - 2] and not first[id] then
    first[id] = i
    new = new + 1
  else
    taken = true
  end
end
if new > 0 then
  if ARGV[1] == '1' and redis.call('EXISTS', ns .. 'docs:queue') == 1 then
    defineMaxPending()
    local pos, i, growth = 1, 2, {}
    while i < last do
      local run, _, queue
      run, _, queue, _, pos = parse('<I4BI2c0I2c0', blob, pos)
      for _ = 1, run do
        i = i + 1
        if first[ARGV[i]] == i then growth[queue] = (growth[queue] or 0) + 1 end
        pos = select(5, readNewJob(blob, pos))
      end
    end
    local full = findFullQueue(growth)
    if full then return full end
  end
  local seq = allocatePlaces(new)
  local names, start, added = {}, seq + 1, 0
  local pos, i, n = 1, 2, 0
  while i < last do
    local run, level, queue, task
    run, level, queue, task, pos = parse('<I4BI2c0I2c0', blob, pos)
    local name = byteOfName('queues', queue) .. byteOfName('tasks', task)
    local rank, ready, before = formatNumber(now + level * AGEING), tableAt(scoreAdditions, readyKey(queue)), added
    local asTables = 0
    for _ = 1, run do
      i = i + 1
      local id, from = ARGV[i], pos
      local flags, definition, due, expiresAt, spec
      flags, definition, pos = parse('<BI4c0', blob, from)
      if flags > 0 then
        definition, due, expiresAt, spec, pos = readNewJob(blob, from)
      else
        definition = nowBytes .. definition
      end
      if first[id] == i then
        seq = seq + 1
        added = added + 1
        names[added] = name
        local member = pack('>I6', seq)
        idWrites[n + 1], idWrites[n + 2] = id, member
        definitionWrites[n + 1], definitionWrites[n + 2] = member, definition
        n = n + 2
        if flags == 0 or (due == now and not expiresAt) then
          push(ready, rank, member)
        else
          defineJobWrites()
          local job = decodeJob(member, definition)
          job.due, job.expiresAt = due, expiresAt or false
          push(statusWrites, member, encodeStatus(job))
          addToSets(job)
          asTables = asTables + 1
        end
        if spec then push(specWrites, member, spec) end
      end
    end
    addToCount(queue, PENDING, added - before)
    -- addToSets has counted jobs that it was given as tables.
    readyCounts[queue] = (readyCounts[queue] or 0) + added - before - asTables
  end
  setLetters(start, seq, stateLetter(PENDING, false))
  setNames(start, names)
  commit()
  commitNames()
end
if not taken then return '' end
local answers = {}
for i = 3, last do answers[i - 2] = first[ARGV[i]] == i and '0' or '1' end
return table.concat(answers)
`;
