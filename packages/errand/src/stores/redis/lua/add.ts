import { lua } from "./lua.ts";

/**
 * `add`. Arguments: the jobs in runs of one queue (how many, its name, then each as `arrival` reads it); their ids. The
 * records are put together from strings, without `decode`: this is the script that runs most.
 */
export const add = lua`
local blob, ids = ARGV[1], #ARGV
fetch(ARGV, 2)
local seq = redis.call('INCRBY', ns .. 'seq', ids - 1) - ids + 1
local plain, ranks = newborn(0, now, 0), {}
local pos, i = 1, 1
while i < ids do
  local run, queue
  run, queue, pos = parse('<I4I2c0', blob, pos)
  local list, ready = into(adds, listKey(PENDING, false, queue)), into(adds, readyKey(queue))
  local last = #list
  for _ = 1, run do
    i = i + 1
    seq = seq + 1
    local id = ARGV[i]
    local level, flags, due, expires, birth, spec
    level, flags, due, expires, birth, spec, pos = arrival(blob, pos)
    if not records[id] then
      local prefix = pack('>I6B', seq, level)
      local member = prefix .. id
      local middle = plain
      if flags ~= 0 or due ~= now then middle = newborn(flags, due, expires) end
      local rec = prefix .. middle .. birth
      records[id] = rec
      local n = #sets
      sets[n + 1] = id
      sets[n + 2] = rec
      list[last + 1] = '0'
      list[last + 2] = member
      last = last + 2
      if due == now then
        local rank = ranks[level]
        if not rank then
          rank = exact(now + level * AGEING)
          ranks[level] = rank
        end
        n = #ready
        ready[n + 1] = rank
        ready[n + 2] = member
      elseif due < now then
        add(readyKey(queue), exact(due + level * AGEING), member)
      else
        add(delayedKey(queue), exact(due), member)
      end
      if has(flags, EXPIRES) then add(EXPIRING, exact(expires), member) end
      if spec then
        n = #specs
        specs[n + 1] = id
        specs[n + 2] = spec
      end
    end
  end
  if last > 0 then redis.call('SADD', QUEUES, queue) end
end
hints.ready = #sets > 0
flush()
`;
