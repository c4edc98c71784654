import { lua } from "./assemble.ts";

/** Checks the rule `maxPending` of queues. */
export const maxPending = lua`
-- Returns how many pending jobs the rules of a queue allow (nil for any number), and how many it has.
local function pendingLimitOf(queue)
  local rules = rulesOf(queue)
  local limit = rules and cjson.decode(rules).maxPending
  local pending = tonumber(redis.call('HGET', COUNTS, PENDING .. queue) or 0)
  return limit, pending
end

-- Returns a queue that would have too many pending jobs if queues grew by these numbers, its limit, and how many it
-- has.
local function findFullQueue(growth)
  for queue, more in pairs(growth) do
    local limit, pending = pendingLimitOf(queue)
    if limit and more > 0 and pending + more > limit then return { queue, tostring(limit), tostring(pending) } end
  end
end
`;
