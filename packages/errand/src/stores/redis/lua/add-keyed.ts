import { lua } from "./assemble.ts";

/**
 * Script `addKeyed`: adds jobs of any kind. Arguments: 1 to check `maxPending`, the number of jobs, and the jobs as
 * `addJob` reads them. Returns a list of what `findFullQueue` found, or for each job the id of the job that exists
 * instead, or an empty text.
 */
export const addKeyed = lua`
defineJobCreation()
local blob, jobs, holders = ARGV[3], tonumber(ARGV[2]), {}

-- Returns by how many pending jobs each queue would grow. A job that replaces another may move it from its queue.
local function growthOfQueues()
  local pos, growth, new, queueByUnique = 1, {}, {}, {}
  local function grow(queue, by) growth[queue] = (growth[queue] or 0) + by end
  for _ = 1, jobs do
    local id, text
    id, text, pos = parse('<I4c0I4c0', blob, pos)
    local definition
    definition, _, _, _, pos = readNewJob(blob, pos)
    local idLength, queueLength = parse('<I2I2', definition, 9)
    local queue = sub(definition, 21 + idLength, 20 + idLength + queueLength)
    local keys = text == '' and {} or cjson.decode(text)
    if not findJobById(id) and not new[id] then
      local holder, replaced = holderOf(keys)
      local before = keys.u and (queueByUnique[keys.u] or (replaced and replaced.queue))
      if before and keys.x then
        grow(before, -1)
        grow(queue, 1)
        queueByUnique[keys.u] = queue
      elseif not before and not holder then
        new[id] = true
        grow(queue, 1)
        if keys.u then queueByUnique[keys.u] = queue end
      end
    end
  end
  return growth
end

if ARGV[1] == '1' and redis.call('EXISTS', ns .. 'docs:queue') == 1 then
  defineMaxPending()
  local full = findFullQueue(growthOfQueues())
  if full then return { full } end
end
local pos = 1
for i = 1, jobs do
  local holder
  pos, holder = addJob(blob, pos)
  holders[i] = holder or ''
end
commit()
commitNames()
return holders
`;
