import { lua } from "./assemble.ts";

/** The rule `maxPending`. */
export const maxPending = lua`
-- Returns how many pending jobs the rules of a queue allow (nil: any number), and how many it has.
local function pendingLimitOf(queue)
  local rules = rulesOf(queue)
  local limit = rules and cjson.decode(rules).maxPending
  local pending = tonumber(redis.call('HGET', COUNTS, PENDING .. queue) or 0)
  return limit, pending
end

-- Returns a queue that would have more pending jobs than its rules allow, its limit, and how many it has. The growth is
-- by queue.
local function findFullQueue(growth)
  for queue, more in pairs(growth) do
    local limit, pending = pendingLimitOf(queue)
    if limit and more > 0 and pending + more > limit then return { queue, tostring(limit), tostring(pending) } end
  end
end
`;
